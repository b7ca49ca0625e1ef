"""The process that runs the commands of probes. It imports the standard library only.

The socket on descriptor 0 brings requests and takes replies, one JSON object in each line. When
the other end is closed, which the kernel does however the daemon ends, all commands are killed
and the process ends. Forking here takes a few pages only, and a command on a file system that
hangs holds up neither the daemon nor other commands.

request: id, name (of the trigger), argv, env, cwd, timeout in seconds, is_joined (write standard
error into standard output).
reply: id, and either error, or status (negative: killed by that signal; null: timed out), out, end,
omitted and err: the beginning of the output, its end, the number of bytes between them that were
dropped, and the beginning of the error output. Bytes are written as characters of latin-1.
"""

import ctypes
import errno
import json
import os
import selectors
import signal
import socket
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from math import inf
from pathlib import Path
from typing import Any, Final, NoReturn

HEAD_KEPT: Final = 48 << 10
TAIL_KEPT: Final = 16 << 10
"""Bytes that are kept of the beginning and of the end of an output."""
_ERR_KEPT: Final = 16 << 10
_BLOCK: Final = 64 << 10
_READS_AT_EXIT: Final = 8
"""Reads of what is left in a pipe: more than it holds, unless something still writes to it."""
_KILL_GRACE: Final = 1.0
"""Seconds after a kill until the timeout is reported even if the process is still there."""
_GAP: Final = 5.0
"""Seconds by which a wait may end late before it counts as a pause of the machine."""
_STOP_GRACE: Final = 5.0
"""Seconds in which the socket is closed after SIGTERM, which a service manager sends to all."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG: Final = 1
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITY_VERSION: Final = 0x2008_0522


class _Output:
    """Keeps the beginning and the end of what a pipe brings."""

    def __init__(self, descriptor: int, head: int, tail: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.head, self.tail, self.omitted = b"", b"", 0
        self._head_limit, self._tail_limit = head, tail

    def read(self) -> int | None:
        """Read one block and return its length: 0 at the end, None if nothing is there yet."""
        try:
            data = os.read(self.descriptor, _BLOCK)
        except BlockingIOError:
            return None
        room = self._head_limit - len(self.head)
        self.head += data[:room]
        tail = self.tail + data[room:]
        kept = tail[max(0, len(tail) - self._tail_limit) :]
        self.omitted += len(tail) - len(kept)
        self.tail = kept
        return len(data)


class _Run:
    """A command that runs. failure: readable once it runs, or cannot be started.

    deadline: monotonic seconds. has_reply: the timeout was reported, and it is still there.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.id: int = request["id"]
        self.name: str = request["name"]
        self._timeout: float = request["timeout"]
        self.deadline = time.monotonic() + self._timeout
        self.timed_out = self.has_reply = False
        with ExitStack() as opened, ExitStack() as undo:
            (out, out_end), (err, err_end), (failure, failure_end) = (
                _open_pipe(undo, opened) for _ in range(3)
            )
            ends = (out_end, out_end if request["is_joined"] else err_end, failure_end)
            parent = os.getpid()
            self.pid = os.fork()
            if self.pid == 0:
                _execute(request, ends, parent)
            undo.pop_all()
        self.out = _Output(out, HEAD_KEPT, TAIL_KEPT)
        self.err = _Output(err, _ERR_KEPT, 0)
        self.failure = _Output(failure, _ERR_KEPT, 0)

    @property
    def outputs(self) -> tuple[_Output, ...]:
        return self.out, self.err, self.failure

    def kill(self) -> None:
        """Kill the process group, and the process if it has not made its group yet."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)

    def restart_timeout(self) -> None:
        if not self.timed_out:
            self.deadline = time.monotonic() + self._timeout

    def has_ended(self) -> bool:
        """Whether the command itself has ended. Its number and its group stay reserved."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, options) is not None

    def reap(self) -> int:
        """End what it left in its group and return its status."""
        self.kill()
        for output in self.outputs:
            for _ in range(_READS_AT_EXIT):
                if not output.read():
                    break
            os.close(output.descriptor)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def reply(self, status: int | None) -> dict[str, object]:
        if message := self.failure.head:
            return {"id": self.id, "error": message.decode("utf-8", "replace")}
        return {
            "id": self.id,
            "status": status,
            "out": self.out.head.decode("latin-1"),
            "end": self.out.tail.decode("latin-1"),
            "omitted": self.out.omitted,
            "err": self.err.head.decode("latin-1"),
        }


class CommandServer:
    """Runs what is requested until the socket is closed."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._runs: list[_Run] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)
        self._stop_at = inf
        self._woken, wakeup = os.pipe()
        for end in (self._woken, wakeup):
            os.set_blocking(end, False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)

    def serve(self) -> None:
        """Return when the other end of the socket is closed; nothing runs any more then."""
        try:
            while time.monotonic() < self._stop_at and self._turn():
                pass
        finally:
            for run in self._runs:
                run.kill()

    def _turn(self) -> bool:
        """Wait for something to happen and handle it; False if the socket is closed."""
        wakes_at = min([self._stop_at, *(run.deadline for run in self._runs)])
        timeout = None if wakes_at == inf else max(0.0, wakes_at - time.monotonic())
        ready = [key.fileobj for key, _ in self._selector.select(timeout)]
        if time.monotonic() > wakes_at + _GAP:  # the machine was paused, and so were the commands
            for run in self._runs:
                run.restart_timeout()
        for each in ready:
            if each is self._connection:
                if not self._receive():
                    return False
            elif each == self._woken:
                os.read(self._woken, _BLOCK)
            else:
                self._read(each)
        for run in [run for run in self._runs if run.has_ended()]:
            self._finish(run)
        for run in self._runs:
            if run.deadline <= time.monotonic():
                self._time_out(run)
        return True

    def _stop(self, *_: object) -> None:
        """Kill everything and report nothing: the service is being stopped as a whole."""
        self._stop_at = time.monotonic() + _STOP_GRACE
        for run in self._runs:
            run.kill()

    def _receive(self) -> bool:
        data = self._connection.recv(_BLOCK)
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._start(json.loads(line))
        return bool(data)

    def _start(self, request: Mapping[str, Any]) -> None:
        if self._stop_at < inf:
            return
        for run in self._runs:
            if run.name == request["name"]:
                error = f"process {run.pid} of the last run has not ended yet"
                self._send({"id": request["id"], "error": error})
                return
        try:
            run = _Run(request)
        except OSError as failure:
            error = f"cannot start {request['argv'][0]}: {failure.strerror}"
            self._send({"id": request["id"], "error": error})
            return
        self._runs.append(run)
        for output in run.outputs:
            self._selector.register(output.descriptor, selectors.EVENT_READ, output)

    def _read(self, descriptor: object) -> None:
        assert isinstance(descriptor, int)  # noqa: S101 - pipes are registered by number
        output: _Output = self._selector.get_key(descriptor).data
        if output.read() == 0:
            self._selector.unregister(descriptor)

    def _finish(self, run: _Run) -> None:
        self._runs.remove(run)
        for output in run.outputs:
            with suppress(KeyError):  # at its end already
                self._selector.unregister(output.descriptor)
        status = run.reap()
        if not run.has_reply:
            self._send(run.reply(None if run.timed_out else status))

    def _time_out(self, run: _Run) -> None:
        """Kill a run; report it when it is still there a moment later."""
        run.kill()
        if run.timed_out:
            run.deadline, run.has_reply = inf, True
            self._send(run.reply(None))
        else:
            run.deadline, run.timed_out = time.monotonic() + _KILL_GRACE, True

    def _send(self, reply: Mapping[str, object]) -> None:
        if self._stop_at == inf:
            line = json.dumps(reply, ensure_ascii=False).encode()
            self._connection.sendall(line + b"\n")


def _open_pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """Open a pipe; each stack closes one end."""
    read_end, write_end = os.pipe()
    reader.callback(os.close, read_end)
    writer.callback(os.close, write_end)
    return read_end, write_end


def _execute(request: Mapping[str, Any], ends: Sequence[int], parent: int) -> NoReturn:
    """Become the command: in a session of its own, with nothing of ours but its two pipes."""
    out, err, failure = ends
    try:
        os.setsid()
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        null = os.open(os.devnull, os.O_RDONLY)
        for descriptor, standard in ((null, 0), (out, 1), (err, 2)):
            os.dup2(descriptor, standard)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # exec keeps what is ignored
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _replace(request["argv"], request["env"], request["cwd"])
    except (_StartError, OSError) as error:
        message = str(error)
        if isinstance(error, OSError):
            message = f"cannot start {request['argv'][0]}: {error.strerror}"
        os.write(failure, message.encode("utf-8", "replace"))
    finally:
        os._exit(127)


class _StartError(Exception):
    """A command cannot be started. The message says why."""


def _replace(argv: list[str], env: Mapping[str, str], cwd: str) -> NoReturn:
    try:
        os.chdir(cwd)
    except OSError as error:
        raise _StartError(f"cannot enter the directory {cwd}: {error.strerror}") from None
    name = argv[0]
    program = next(_candidates(name, env), None)
    if program is None:
        reason = "no such program in PATH; write its whole path, or set PATH in `env`"
        raise _StartError(f"cannot start {name}: {reason}")
    if denied := _denied_privilege(program):
        raise _StartError(f"cannot start {program}: {denied}")
    try:
        os.execve(program, argv, env)  # noqa: S606 - the user's own program and arguments
    except FileNotFoundError:
        if not Path(program).exists():
            raise
        reason = "the interpreter in its first line does not exist"
        raise _StartError(f"cannot start {program}: {reason}") from None
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            reason = "it is neither a program nor a script whose first line names an interpreter"
            raise _StartError(f"cannot start {program}: {reason}") from None
        raise


def _candidates(name: str, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the files that a name may mean; a name with a slash is a path."""
    if "/" in name:
        yield name
        return
    for folder in env.get("PATH", os.defpath).split(":"):
        path = f"{folder or '.'}/{name}"
        if os.access(path, os.X_OK) and not Path(path).is_dir():
            yield path


def _denied_privilege(program: str) -> str:
    """Return why a program would run without the privileges it is installed with; else nothing."""
    if not _has_no_new_privileges():
        return ""
    found = Path(program).stat()
    is_setuid = found.st_mode & stat.S_ISUID and found.st_uid != os.geteuid()
    is_setgid = found.st_mode & stat.S_ISGID and found.st_gid != os.getegid()
    has_capabilities = False
    with suppress(OSError):
        has_capabilities = bool(os.getxattr(program, "security.capability"))
    if not (is_setuid or is_setgid or has_capabilities):
        return ""
    return "it needs privileges that NoNewPrivileges= denies to this service and all it starts"


def _has_no_new_privileges() -> bool:
    with suppress(OSError):
        return "NoNewPrivs:\t1" in Path("/proc/self/status").read_text()
    return False


def _drop_capabilities() -> None:
    """Give up all capabilities, ambient ones included, unless the user is root."""
    if os.geteuid() == 0:
        return
    _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)  # what exec would keep
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    _LIBC.capset(header, (ctypes.c_uint32 * 6)())


if __name__ == "__main__":
    _drop_capabilities()
    CommandServer(socket.socket(fileno=0)).serve()
