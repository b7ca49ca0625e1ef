"""The socket's file: permissions, ownership and removal."""

import grp
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from notifyd.api.auth import Authorizer
from notifyd.api.unix import UnixListener
from notifyd.config.sections import SocketConfig
from notifyd.model.errors import ConfigError, InUseError

PLAIN = SocketConfig()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "s"


def connected(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(os.fspath(path)) == 0


# --- permissions


@pytest.mark.parametrize("mode", ["0660", "0600", "0666", "0620"])
def test_the_file_never_has_a_mode_other_than_the_configured_one(path, mode):
    seen, done = set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            with suppress(FileNotFoundError):
                seen.add(stat.S_IMODE(path.lstat().st_mode))

    watcher = threading.Thread(target=look)
    watcher.start()
    before = os.umask(0o077)
    try:
        for _ in range(60):
            with UnixListener.open(path, SocketConfig(mode=mode), {}):
                seen.add(stat.S_IMODE(path.lstat().st_mode))
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
        done.set()
        watcher.join()
    assert seen == {int(mode, 8)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to any group")
def test_the_group_is_set_before_anyone_can_connect(path):
    group = grp.getgrnam("adm")
    seen, done = set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            with suppress(FileNotFoundError):
                if connected(path):
                    seen.add(path.lstat().st_gid)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(30):
            with UnixListener.open(path, SocketConfig(group="adm"), {}):
                assert path.lstat().st_gid == group.gr_gid
                assert connected(path)
    finally:
        done.set()
        watcher.join()
    assert seen <= {group.gr_gid}


@pytest.mark.parametrize(("mode", "folder"), [("0660", 0o755), ("0600", 0o700)])
def test_a_missing_directory_is_created_with_matching_permissions(tmp_path, mode, folder):
    path = tmp_path / "new" / "s"
    before = os.umask(0o022)
    try:
        with UnixListener.open(path, SocketConfig(mode=mode), {}):
            assert stat.S_IMODE(path.parent.stat().st_mode) == folder
    finally:
        os.umask(before)


# --- ownership


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(path):
    with UnixListener.open(path, PLAIN, {}):
        with pytest.raises(InUseError, match=f"process {os.getpid()} already listens on"):
            UnixListener.open(path, PLAIN, {})
        assert connected(path)


def test_the_socket_of_another_program_is_left_alone(path):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(os.fspath(path))
        other.listen()
        with pytest.raises(InUseError, match=f"process {os.getpid()} already listens on"):
            UnixListener.open(path, PLAIN, {})
        assert connected(path)


def test_a_datagram_socket_is_left_alone(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(os.fspath(path))
        with pytest.raises(InUseError):
            UnixListener.open(path, PLAIN, {})
        assert path.is_socket()


def test_a_stale_socket_is_replaced_after_a_kill(path):
    code = (
        "import signal, sys; from pathlib import Path; from notifyd.api.unix import UnixListener; "
        "from notifyd.config.sections import SocketConfig; "
        "kept = UnixListener.open(Path(sys.argv[1]), SocketConfig(), {}); "
        "print(flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as first:
        first.stdout.readline()
        with pytest.raises(InUseError, match=f"process {first.pid} "):
            UnixListener.open(path, PLAIN, {})
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert path.is_socket()
    assert not connected(path)
    with UnixListener.open(path, PLAIN, {}):
        assert connected(path)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_anything_but_a_socket_is_never_deleted(path, tmp_path, kind):
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InUseError, match="is not a socket"):
        UnixListener.open(path, PLAIN, {})
    assert os.path.lexists(path)
    assert kind != "file" or path.read_text() == "mine"


# --- removal


def test_the_file_is_removed_on_close(path):
    with UnixListener.open(path, PLAIN, {}):
        assert path.is_socket()
    assert not path.exists()


def test_a_file_that_replaced_the_socket_is_kept(path):
    with UnixListener.open(path, PLAIN, {}):
        path.unlink()
        path.write_text("somebody else's")
    assert path.read_text() == "somebody else's"


# --- errors


def test_a_group_removed_since_the_config_was_read_is_named(path):
    settings = PLAIN.model_copy(update={"group": "no-such-group"})
    with pytest.raises(ConfigError, match=r"socket\.group: no such group"):
        UnixListener.open(path, settings, {})
    with pytest.raises(ConfigError, match=r"socket\.admin_group: no such group"):
        Authorizer("no-such-group")


def test_a_path_that_is_too_long_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match=r"the path of a socket has at most 107 bytes"):
        UnixListener.open(tmp_path / ("x" * 108), PLAIN, {})
    exactly = tmp_path / ("x" * (107 - len(os.fsencode(tmp_path)) - 1))
    with UnixListener.open(exactly, PLAIN, {}):
        assert connected(exactly)


def test_a_directory_that_cannot_be_created_is_a_config_error(tmp_path):
    (tmp_path / "file").write_text("")
    said = r"socket\.path: cannot create the directory .*/file: (File exists|Not a directory); set"
    with pytest.raises(ConfigError, match=said):
        UnixListener.open(tmp_path / "file" / "s", PLAIN, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be another user for a while")
def test_a_directory_without_write_permission_is_named_with_the_user(tmp_path):
    for folder in [tmp_path, *tmp_path.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(12345)
    try:
        with pytest.raises(ConfigError) as refusal:
            UnixListener.open(tmp_path / "s", PLAIN, {})
    finally:
        os.seteuid(0)
    assert str(refusal.value) == (
        f"socket.path: cannot create a file in {tmp_path}: Permission denied; "
        f"let the user 12345 write there, or set another path (got '{tmp_path}/s')"
    )


# --- inherited

INHERITS = """
import os, sys
from pathlib import Path
from notifyd.api.unix import UnixListener
from notifyd.api.auth import Authorizer
from notifyd.config.sections import SocketConfig
from notifyd.model.errors import ConfigError
try:
    with UnixListener.open(Path(sys.argv[1]), SocketConfig(), os.environ) as listener:
        listener.socket.setblocking(True)
        client, _ = listener.socket.accept()
        client.sendall(f"{listener.path} {os.get_inheritable(listener.socket.fileno())}".encode())
except ConfigError as error:
    print(error)
"""
ACTIVATED = 'exec 3<&"$1"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$2" -c "$3" "$4"'


def activated(sock: socket.socket, unused: Path) -> subprocess.Popen:
    return subprocess.Popen(
        ["bash", "-c", ACTIVATED, "-", str(sock.fileno()), sys.executable, INHERITS, unused],
        pass_fds=[sock.fileno()],
        stdout=subprocess.PIPE,
    )


def test_an_inherited_socket_is_used_and_left_in_place(path, tmp_path):
    with socket.socket(socket.AF_UNIX) as passed, socket.socket(socket.AF_UNIX) as client:
        passed.bind(os.fspath(path))
        passed.listen()
        with activated(passed, tmp_path / "unused") as daemon:
            client.settimeout(45)
            client.connect(os.fspath(path))
            assert client.recv(100) == f"{path} False".encode()
        assert daemon.returncode == 0
    assert path.is_socket()
    assert list(tmp_path.iterdir()) == [path]


def test_clients_that_wait_are_refused_if_the_start_fails(path, tmp_path):
    (tmp_path / "config.toml").write_text("mistake")
    command = [sys.executable, "-m", "notifyd", "run", "--config", tmp_path / "config.toml"]
    script = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    with socket.socket(socket.AF_UNIX) as passed, socket.socket(socket.AF_UNIX) as client:
        passed.bind(os.fspath(path))
        passed.listen()
        passed.settimeout(0)
        client.settimeout(45)
        client.connect(os.fspath(path))
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        done = subprocess.run(
            ["bash", "-c", script, str(passed.fileno()), *command],
            pass_fds=[passed.fileno()],
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (78, b"")
        assert client.recv(1000).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        with pytest.raises(BlockingIOError):
            passed.accept()


def test_an_inherited_socket_that_does_not_listen_is_refused(tmp_path):
    with (
        socket.socket(socket.AF_UNIX) as passed,
        activated(passed, tmp_path / "unused") as daemon,
    ):
        assert b"LISTEN_FDS: none of the 1 inherited descriptors" in daemon.stdout.read()


@pytest.mark.parametrize("count", ["", "many", "2"])
def test_descriptors_that_were_announced_and_not_passed_are_refused(path, count):
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count}
    with pytest.raises(ConfigError, match="LISTEN_FDS: none of the "):
        UnixListener.open(path, PLAIN, environ)


def test_activation_meant_for_another_process_is_ignored(path):
    with UnixListener.open(path, PLAIN, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}):
        assert path.is_socket()
