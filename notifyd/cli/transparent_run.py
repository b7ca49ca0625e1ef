"""Runs a command as if nobody was between it and its caller, and keeps the end of its output.

Standard output and error are copied through pipes or, where they are a terminal, through a
pseudo-terminal. If both standard input and output are one, the command gets a session with that
pseudo-terminal, and the real one is raw meanwhile. Else it stays in the caller's process group, so
that keys such as Ctrl-C reach it without help.
"""

import errno
import os
import signal
from contextlib import suppress
from time import monotonic

from notifyd.cli.command_streams import CommandStreams, Keyboard, OutputCopier, OutputTail

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    from typing import Self

NOT_FOUND, NOT_EXECUTABLE = 127, 126
SIGNALLED = 128
"""Added to the number of the signal by which a command ended."""

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
    streams = CommandStreams() if keeps_output else None
    started = monotonic()
    try:
        pid = _spawn(argv, streams, signals.before)
    except OSError as error:
        status = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
        reason = "not found" if status == NOT_FOUND else (error.strerror or "cannot start").lower()
        return FinishedCommand(status, 0.0, "", reason)
    status, output = _attend(pid, streams, signals.awaited)
    return FinishedCommand(status, monotonic() - started, output)


def _attend(
    pid: int, streams: CommandStreams | None, awaited: set[signal.Signals]
) -> tuple[int, str]:
    """Copy and forward until the command has ended; return its status and its output."""
    tail = OutputTail()
    if streams is None:
        return _wait(pid, streams, awaited), ""
    streams.close_ends()
    copiers = [OutputCopier(source, sink, tail) for source, sink in streams.copies]
    keyboard = Keyboard(streams.master) if streams.is_interactive else None
    try:
        for thread in (*copiers, keyboard):
            if thread is not None:
                thread.start()
        status = _wait(pid, streams, awaited)
        _finish(copiers)
    finally:
        if keyboard is not None:
            keyboard.stop()
    return status, tail.text()


def _wait(pid: int, streams: CommandStreams | None, awaited: set[signal.Signals]) -> int:
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


def _finish(copiers: list[OutputCopier]) -> None:
    """Wait for the rest of the output, but not for what background processes may still print."""
    for copier in copiers:
        copier.ignore_later_output()
    quiet = 0
    while quiet < _QUIET_LOOKS and any(copier.is_alive() for copier in copiers):
        quiet = 0 if any(copier.has_more() for copier in copiers) else quiet + 1
        for copier in copiers:
            copier.join(_LOOK)


def _spawn(argv: list[str], streams: CommandStreams | None, mask: set[signal.Signals | int]) -> int:
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
