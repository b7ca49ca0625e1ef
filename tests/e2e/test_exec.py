"""`notifyd exec`: nobody notices it, and the phone learns how the command ended."""

import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import termios

import pytest

from support.daemon import PLENTY, wait_for

EXEC = [sys.executable, "-m", "notifyd", "exec"]


WITH_DEFAULT_SIGNALS = """\
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


class User:
    """Runs commands without a daemon; `pushes` is what lies in the spool."""

    def __init__(self, home):
        self.home = home
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NOTIFYD_SOCK": str(home / "none.sock"),
            "XDG_STATE_HOME": str(home),
        }

    def exec(self, *words, stdin=b"", **options):
        return subprocess.run(
            [*EXEC, *words],
            env=self.environ,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
            **options,
        )

    def popen(self, *words, **options):
        """Start a command whose signals are not ignored, whoever runs the tests."""
        words = [sys.executable, "-c", WITH_DEFAULT_SIGNALS, *EXEC, *words]
        return subprocess.Popen(words, env=self.environ, **options)

    @property
    def pushes(self):
        folder = self.home / "notifyd/spool"
        files = sorted(folder.glob("[0-9a-f]*")) if folder.exists() else []
        return [json.loads(file.read_text())["request"] for file in files]


@pytest.fixture
def user(tmp_path):
    return User(tmp_path)


@pytest.mark.parametrize("tail", [(), ("--tail", "0")])
def test_streams_and_status_are_the_command_s(user, tail):
    script = "cat; echo out; echo err >&2; exit 3"
    ran = user.exec(*tail, "--", "sh", "-c", script, stdin=b"in\0\xff\r\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (3, b"in\0\xff\r\nout\n", b"err\n")


def test_the_push_says_what_ended_how_after_how_long_with_the_last_visible_lines(user):
    script = r"exec 2>&1; seq 30; printf '10%%\r\033[32m100%%\033[0m\n'; echo broken >&2; exit 2"
    user.exec("-t", "nightly build", "--tail", "3", "sh", "-c", script)
    (push,) = user.pushes
    assert re.fullmatch(r"nightly build failed after \d\S*( \d+)?s: status 2", push["title"])
    lines = push["body"].split("\n")
    assert lines == ["30", "100%", "broken"]
    assert (push["priority"], push["data"]["exit_status"]) == ("high", "2")
    assert push["data"]["outcome"] == "failure"


def test_a_success_is_named_after_the_command_and_of_default_priority(user):
    user.exec("--", "true", "--verbose")
    (push,) = user.pushes
    assert re.fullmatch(r"true --verbose succeeded after \d\S*( \d+)?s", push["title"])
    assert (push["priority"], push["body"]) == ("default", f"in {os.getcwd()}")  # noqa: PTH109


@pytest.mark.parametrize(
    ("options", "command", "count"),
    [
        (["--on", "failure"], "true", 0),
        (["--on", "failure"], "false", 1),
        (["--on=success"], "false", 0),
        (["--on=success"], "true", 1),
        (["--longer-than", "1h"], "false", 0),
        (["--longer-than=1ms"], "sleep 0.1", 1),
    ],
)
def test_only_what_is_asked_for_is_sent(user, options, command, count):
    user.exec(*options, "--", *command.split())
    assert len(user.pushes) == count


def test_a_command_that_cannot_start_is_127_or_126_and_reported(user, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("text")
    assert user.exec("no-such-command").returncode == 127
    ran = user.exec("--", str(plain))
    assert (ran.returncode, b"permission denied" in ran.stderr) == (126, True)
    titles = [push["title"] for push in user.pushes]
    assert titles == ["no-such-command failed: not found", f"{plain} failed: permission denied"]


def test_a_script_without_an_interpreter_is_run_by_the_shell(user, tmp_path):
    script = tmp_path / "script"
    script.write_text('echo "$1"; exit 4\n')
    script.chmod(0o755)
    ran = user.exec("--", str(script), "argument")
    assert (ran.returncode, ran.stdout) == (4, b"argument\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_forwarded_and_the_status_names_it(user, number):
    with user.popen("--", "sh", "-c", "echo ready; exec cat", stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(45) == 128 + number
    (push,) = user.pushes
    assert push["title"].endswith(f": {number.name}")


def test_a_command_may_handle_a_signal(user):
    script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do read line; done"
    with user.popen("--", "sh", "-c", script, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"caught\n"
        assert process.wait(45) == 5


def test_a_signal_that_is_ignored_stays_ignored(user):
    script = "echo ready; read line; echo $line"
    words = ["sh", "-c", f"trap '' HUP; exec {shlex.join([*EXEC, '--', 'sh', '-c', script])}"]
    with subprocess.Popen(words, env=user.environ, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(b"alive\n", 45)
    assert (process.returncode, out) == (0, b"alive\n")


def test_a_reader_that_leaves_ends_the_command_by_sigpipe(user):
    with user.popen("--", "yes", stdout=-1) as process:
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(45) == 128 + signal.SIGPIPE


def test_a_background_process_that_keeps_the_pipe_is_not_waited_for(user, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    ran = user.exec("--", "sh", "-c", f"cat < {tmp_path}/fifo & echo done")
    assert (ran.returncode, ran.stdout) == (0, b"done\n")
    with open(tmp_path / "fifo", "w"):  # noqa: PTH123 - lets the process end
        pass


def test_a_background_process_that_keeps_printing_is_not_waited_for(user):
    script = "yes 2>/dev/null & echo done >&2"
    with user.popen("--", "sh", "-c", script, stdout=subprocess.DEVNULL, stderr=-1) as process:
        assert process.communicate(timeout=45)[1] == b"done\n"
        assert process.returncode == 0


def test_the_status_is_kept_where_the_command_removes_its_directory(user, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    ran = user.exec("--", "sh", "-c", f"rmdir {gone}; exit 3", cwd=gone)
    assert (ran.returncode, ran.stderr) == (3, b"")
    assert [push["body"] for push in user.pushes] == ["in a directory that is gone"]


def test_all_of_a_large_output_arrives_and_only_its_end_is_kept(user):
    ran = user.exec("--tail", "1", "seq", "200000")
    assert ran.stdout == subprocess.run(["seq", "200000"], capture_output=True, check=True).stdout
    assert [push["body"] for push in user.pushes] == ["200000"]


def test_output_that_goes_to_one_place_keeps_its_order(user, tmp_path):
    script = "for i in $(seq 200); do echo $i; echo $i >&2; done"
    with (tmp_path / "log").open("wb") as log:
        user.popen("--", "sh", "-c", script, stdout=log, stderr=log).wait(45)
    expected = [str(number) for number in range(1, 201) for _ in range(2)]
    assert (tmp_path / "log").read_text().split() == expected


def test_closed_streams_do_no_harm(user):
    words = shlex.join([*EXEC, "--", "sh", "-c", "exit 6"])
    ran = subprocess.run(["sh", "-c", f"{words} <&- >&- 2>&-"], env=user.environ, check=False)
    assert ran.returncode == 6
    assert len(user.pushes) == 1


def test_options_behind_the_command_are_its_own(user):
    ran = user.exec("--tail", "5", "echo", "-t", "--", "--on")
    assert ran.stdout == b"-t -- --on\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name the command"),
        (["--"], "name the command"),
        (["--tail", "many", "true"], "--tail: use a number of lines"),
        (["--longer-than", "10", "true"], 'add a unit, for example "10m"'),
        (["--on", "never", "true"], "invalid choice"),
        (["--onn", "any", "true"], "did you mean"),
    ],
)
def test_a_mistake_is_explained_and_nothing_runs(user, words, sentence):
    ran = user.exec(*words)
    assert (ran.returncode, sentence in ran.stderr.decode()) == (2, True), ran.stderr
    assert user.pushes == []


def test_a_daemon_that_takes_no_more_requests_gets_it_later(user):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(user.environ["NOTIFYD_SOCK"])
        listening.listen()
        with user.popen("--", "sh", "-c", "exit 3") as process:
            listening.settimeout(45)
            client, _ = listening.accept()
            with client:
                client.recv(1 << 16)
                client.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}")
            assert process.wait(45) == 3
    assert len(user.pushes) == 1


def test_with_a_daemon_the_push_arrives_masked(tmp_path, daemon, platform):
    one = daemon(PLENTY).start()
    ran = one.command("exec", "-t", "deploy", "--", "sh", "-c", "echo password=hunter2; exit 1")
    assert ran.returncode == 1
    wait_for(lambda: platform.received)
    message = platform.received[0].json
    assert message["title"].startswith("deploy failed after ")
    assert "hunter2" not in json.dumps(message)


# --- at a terminal


def set_size(terminal, columns, lines):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))


class Terminal:
    """A terminal of 100 columns and 30 lines, at which `notifyd exec` is typed."""

    def __init__(self, user, *words, prefix="", suffix=""):
        self.seen = b""
        command = f"{prefix}{shlex.join([*EXEC, *words])}{suffix}"
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            set_size(0, 100, 30)
            os.execvpe("sh", ["sh", "-c", f"{command}; echo status=$?="], user.environ)

    def resize(self, columns, lines):
        set_size(self.master, columns, lines)

    def wait_for(self, text):
        def read():
            while select.select([self.master], [], [], 0)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    break
            return text in self.seen

        wait_for(read, what=lambda: self.seen)

    def type(self, keys):
        os.write(self.master, keys)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)
        os.waitpid(self.pid, 0)


IS_TTY = "import os; print('tty', *map(os.isatty, range(3)), flush=True)"


def test_at_a_terminal_the_command_has_one(user):
    script = f"{IS_TTY}; print(*os.get_terminal_size(0)); print('own', open('/dev/tty').isatty())"
    with Terminal(user, "--", sys.executable, "-c", script) as terminal:
        terminal.wait_for(b"status=0=")
    assert b"tty True True True\r\n" in terminal.seen
    assert b"100 30\r\nown True\r\n" in terminal.seen
    (push,) = user.pushes
    assert push["body"].startswith("tty True True True\n")


def test_what_is_typed_reaches_the_command_and_ctrl_c_interrupts_it(user):
    script = "echo ready; read line; echo got $line; cat"
    with Terminal(user, "--", "sh", "-c", script) as terminal:
        terminal.wait_for(b"ready\r\n")
        terminal.type(b"hello\r")
        terminal.wait_for(b"got hello\r\n")
        terminal.type(b"again\r")
        terminal.wait_for(b"again\r\nagain\r\n")  # a shell may miss Ctrl-C while it forks
        terminal.type(b"\x03")
        terminal.wait_for(b"status=130=")
    (push,) = user.pushes
    assert push["title"].endswith(": SIGINT")


def test_a_new_size_of_the_terminal_reaches_the_command(user):
    script = "stty size; trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    with Terminal(user, "--", "sh", "-c", script) as terminal:
        terminal.wait_for(b"ready\r\n")
        terminal.resize(123, 45)
        terminal.wait_for(b"45 123\r\n")
        terminal.wait_for(b"status=0=")


def test_the_terminal_is_given_back_as_it_was(user):
    with Terminal(user, "--", "true", prefix="read line; ") as terminal:
        before = termios.tcgetattr(terminal.master)
        terminal.type(b"\r")
        terminal.wait_for(b"status=0=")
        assert termios.tcgetattr(terminal.master)[:4] == before[:4]


def test_with_input_from_a_pipe_the_command_stays_in_the_foreground(user):
    script = f"{IS_TTY}; print(open(0).read(), flush=True); os.read(os.open('/dev/tty', 0), 9)"
    words = ("--", sys.executable, "-c", script)
    with Terminal(user, *words, prefix="echo piped | ") as terminal:
        terminal.wait_for(b"tty False True True\r\n")
        terminal.wait_for(b"piped\r\n")
        terminal.type(b"\x03")
        terminal.wait_for(b"KeyboardInterrupt\r\n")
    wait_for(lambda: user.pushes)
    assert terminal.seen.count(b"KeyboardInterrupt") == 1


def test_nothing_is_read_from_a_terminal_that_belongs_to_a_pager(user):
    pager = "sh -c 'read line; read key < /dev/tty; echo $line, key $key'"
    with Terminal(user, "--", "echo", "text", suffix=f" | {pager}") as terminal:
        terminal.type(b"k\r")
        terminal.wait_for(b"text, key k\r\n")
