"""Runs a command as if nobody was between it and its caller, and keeps the end of its output.

Standard output and error are copied through pipes or, where they are a terminal, through a
pseudo-terminal. If both standard input and output are one, the command gets a session with that
pseudo-terminal, and the real one is raw meanwhile. Else it stays in the caller's process group, so
that keys such as Ctrl-C reach it without help.
"""

import errno
import fcntl
import os
import select
import signal
import termios
import threading
import tty
from contextlib import suppress
from time import monotonic

from notifyd.cli.message_end import clip_start

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    from typing import Self

NOT_FOUND, NOT_EXECUTABLE = 127, 126
SIGNALLED = 128
"""Added to the number of the signal by which a command ended."""

_CHUNK = 1 << 16
_KEPT = 64 << 10
"""Bytes at the end of the output that are kept."""
_FORWARDED = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_BY_KERNEL = 0x80
"""`si_code` of a signal that a terminal sent to the whole process group."""
_QUIET_LOOKS, _LOOK = 5, 0.02
"""After the end: an output is complete once so many looks, so far apart, have found nothing."""


class FinishedCommand:
    """How a command ended. status: its exit status, or 128 and the signal.

    seconds: how long it ran. output: the end of what it printed. error: why it did not start; empty
    if it did.
    """

    def __init__(self, status: int, seconds: float, output: str, error: str = "") -> None:
        self.status, self.seconds, self.output, self.error = status, seconds, output, error


class _OutputTail:
    """The end of everything that was printed, in the order in which it was read."""

    def __init__(self) -> None:
        self._lock, self._bytes, self._is_cut = threading.Lock(), bytearray(), False

    def add(self, chunk: bytes) -> None:
        with self._lock:
            self._bytes += chunk
            if len(self._bytes) > 2 * _KEPT:
                del self._bytes[:-_KEPT]
                self._is_cut = True

    def text(self) -> str:
        with self._lock:
            kept = bytes(self._bytes)
        return clip_start(kept) if self._is_cut else kept.decode("utf-8", "replace")


class _Copier(threading.Thread):
    """Copies what the command prints until its end, and closes `source` when nobody reads it."""

    def __init__(self, source: int, sink: int, tail: _OutputTail) -> None:
        super().__init__(daemon=True)
        self._source, self._sink, self._tail = source, sink, tail
        self._is_busy = False

    def run(self) -> None:
        readable = select.poll()
        readable.register(self._source, select.POLLIN)
        try:
            while True:
                readable.poll()
                self._is_busy = True
                chunk = os.read(self._source, _CHUNK)
                if not chunk:
                    return
                self._tail.add(chunk)
                _write_all(self._sink, chunk)
                self._is_busy = False
        except OSError:  # the terminal is closed, or nobody reads what is written
            return
        finally:
            os.close(self._source)  # the command gets SIGPIPE, as it would without this

    def has_more(self) -> bool:
        """Whether something is left to copy. It is in the pipe first, then in this thread."""
        with suppress(OSError, ValueError):
            if select.select([self._source], [], [], 0)[0]:
                return self.is_alive()
        return self._is_busy and self.is_alive()


class _Keyboard(threading.Thread):
    """Copies what is typed at a raw terminal to the command's, until `stop`."""

    def __init__(self, master: int) -> None:
        super().__init__(daemon=True)
        self._master = master
        self._stopped, self._stop = os.pipe()
        self._before = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSADRAIN)

    def run(self) -> None:
        with suppress(OSError):
            while True:
                ready, _, _ = select.select([0, self._stopped], [], [])
                if self._stopped in ready or not (typed := os.read(0, _CHUNK)):
                    return
                _write_all(self._master, typed)

    def stop(self) -> None:
        """Give the terminal back as it was."""
        os.write(self._stop, b"x")
        with suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, self._before)


class _Streams:
    """The command's standard streams.

    actions: for posix_spawn. copies: what is read and where it goes. master: of the
    pseudo-terminal, if there is one; slave: its other end. terminal: the real one. is_interactive:
    whether the command gets a session of its own with the pseudo-terminal.
    """

    def __init__(self) -> None:
        self.actions: list[tuple[object, ...]] = []
        self.copies: list[tuple[int, int]] = []
        self.to_close: list[int] = []
        self.terminal = next((fd for fd in (1, 2) if os.isatty(fd)), None)
        self.master, self.slave = -1, -1
        self.is_interactive = os.isatty(0) and os.isatty(1) and _is_foreground()
        if self.terminal is not None:
            self._open_terminal(self.terminal)
        pipe_of: dict[tuple[int, int], int] = {}
        for fd in (1, 2):
            if os.isatty(fd):
                end = 0 if self.is_interactive else self.slave
                self.actions.append((os.POSIX_SPAWN_DUP2, end, fd))
                continue
            status = os.fstat(fd)
            place = status.st_dev, status.st_ino
            if place not in pipe_of:
                source, pipe_of[place] = os.pipe()
                self.copies.append((source, fd))
                self.to_close.append(pipe_of[place])
            self.actions.append((os.POSIX_SPAWN_DUP2, pipe_of[place], fd))

    def _open_terminal(self, terminal: int) -> None:
        self.master, self.slave = os.openpty()
        self.to_close.append(self.slave)
        self.copies.append((os.dup(self.master), terminal))
        attributes = termios.tcgetattr(terminal)
        if self.is_interactive:
            opened = (os.POSIX_SPAWN_OPEN, 0, os.ttyname(self.slave), os.O_RDWR, 0)
            self.actions.append(opened)
        else:
            attributes[1] &= ~termios.OPOST  # the real terminal does that
        termios.tcsetattr(self.slave, termios.TCSANOW, attributes)
        self.copy_size()

    def copy_size(self) -> None:
        """Give the command's terminal the size of the real one."""
        if self.terminal is not None:
            with suppress(OSError):
                size = fcntl.ioctl(self.terminal, termios.TIOCGWINSZ, b"\0" * 8)
                fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def close_ends(self) -> None:
        """Close the command's ends, which it has now."""
        for fd in self.to_close:
            os.close(fd)


class HeldSignals:
    """Holds back the signals that a command should get, until what follows it is done as well.

    The end of the terminal ends the command, and must not keep its notification from being sent.
    """

    def __init__(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.awaited = {each for each in _FORWARDED if signal.getsignal(each) != signal.SIG_IGN}
        self.awaited |= {signal.SIGCHLD, signal.SIGWINCH}

    def __enter__(self) -> "Self":
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, self.awaited)
        return self

    def __exit__(self, *_: object) -> None:
        while signal.sigtimedwait(self.awaited, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)


def run_command(argv: list[str], signals: HeldSignals, *, keeps_output: bool) -> FinishedCommand:
    """Run a command to its end. Signals that arrive meanwhile are the command's.

    keeps_output: whether output is copied; else the command inherits all three streams.
    """
    _open_closed_streams()
    streams = _Streams() if keeps_output else None
    started = monotonic()
    try:
        pid = _spawn(argv, streams, signals.before)
    except OSError as error:
        status = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
        reason = "not found" if status == NOT_FOUND else (error.strerror or "cannot start").lower()
        return FinishedCommand(status, 0.0, "", reason)
    status, output = _attend(pid, streams, signals.awaited)
    return FinishedCommand(status, monotonic() - started, output)


def _attend(pid: int, streams: _Streams | None, awaited: set[signal.Signals]) -> tuple[int, str]:
    """Copy and forward until the command has ended; return its status and its output."""
    tail = _OutputTail()
    if streams is None:
        return _wait(pid, streams, awaited), ""
    streams.close_ends()
    copiers = [_Copier(source, sink, tail) for source, sink in streams.copies]
    keyboard = _Keyboard(streams.master) if streams.is_interactive else None
    for thread in (*copiers, keyboard):
        if thread is not None:
            thread.start()
    try:
        status = _wait(pid, streams, awaited)
        _finish(copiers)
    finally:
        if keyboard is not None:
            keyboard.stop()
    return status, tail.text()


def _wait(pid: int, streams: _Streams | None, awaited: set[signal.Signals]) -> int:
    """Forward signals until the command has ended; return its status."""
    has_session = streams is not None and streams.is_interactive
    while True:
        received = signal.sigwaitinfo(awaited)
        number = received.si_signo
        if number == signal.SIGCHLD:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else SIGNALLED - code
        elif number == signal.SIGWINCH:
            if streams is not None:
                streams.copy_size()
        elif has_session or received.si_code != _BY_KERNEL:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _finish(copiers: list[_Copier]) -> None:
    """Wait for the rest of the output, but not for what background processes may still print."""
    quiet = 0
    while quiet < _QUIET_LOOKS and any(copier.is_alive() for copier in copiers):
        quiet = 0 if any(copier.has_more() for copier in copiers) else quiet + 1
        for copier in copiers:
            copier.join(_LOOK)


def _spawn(argv: list[str], streams: _Streams | None, mask: set[signal.Signals | int]) -> int:
    """Start the command, a script without an interpreter by the shell."""
    is_interactive = streams is not None and streams.is_interactive
    actions = streams.actions if streams is not None else []

    def spawn(words: list[str]) -> int:
        return os.posix_spawnp(
            words[0],
            words,
            os.environ,
            file_actions=actions,
            setsigmask=mask,
            setsigdef=_IGNORED_BY_PYTHON,
            setsid=is_interactive,
        )

    try:
        return spawn(argv)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    import shutil  # noqa: PLC0415 - only for such scripts

    return spawn(["/bin/sh", shutil.which(argv[0]) or argv[0], *argv[1:]])


def _open_closed_streams() -> None:
    """Let no pipe take the number of a standard stream that the caller has closed."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _is_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
