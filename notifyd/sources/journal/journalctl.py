"""`journalctl`, as a child that dies with the daemon: its output is a pipe that only we hold."""

import fcntl
import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final

from notifyd.model.errors import SourceError
from notifyd.sources.journal.access import missing
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import FIELDS

_WORDS: Final = ("--quiet", "--no-pager", "--output=export")
_PIPE: Final = 1 << 20
_SAID: Final = 4096
_PARTING: Final = 1.0
"""Seconds that it may go on for after it closed its output."""


class Journalctl:
    """A running one. place: from where on, with the entry there. matches: journalctl's own."""

    def __init__(
        self, command: Sequence[str], place: Cursor, matches: Sequence[str], *, follow: bool
    ) -> None:
        words = [f"--output-fields={FIELDS}"]
        words += ["--follow", "--no-tail"] if follow else []
        words += [f"--cursor={place.cursor}"] if place.cursor else []
        self._process = started(command, [*words, *matches])
        self._out, self._errors = _ours(self._process.stdout), _ours(self._process.stderr)
        with suppress(OSError):
            fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE)
        self._said = b""

    @property
    def descriptor(self) -> int:
        """What can be read when there is something to read."""
        return self._out.fileno()

    def read(self) -> bytes | None:
        """Take what is there, at most 1 MiB; empty for nothing, None at the end."""
        self._listen()
        try:
            return os.read(self._out.fileno(), _PIPE) or None
        except BlockingIOError:
            return b""

    def ended(self) -> str:
        """Wait for the end after `read` told of it; say why, or nothing if all was read."""
        try:
            status = self._process.wait(_PARTING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._listen()
        return ended(status, self._said) if status else ""

    def kill(self) -> None:
        """End it at once; may be called while another thread reads."""
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._errors.close()

    def _listen(self) -> None:
        """Keep its last words, so that it never waits for somebody to hear them."""
        with suppress(BlockingIOError):
            self._said = (self._said + os.read(self._errors.fileno(), _PIPE))[-_SAID:]


def started(command: Sequence[str], words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start journalctl, with pipes to what it writes; SourceError if it is not there."""
    if reason := missing(command[0]):
        raise SourceError(reason)
    try:
        return subprocess.Popen(  # noqa: S603 - its words are ours, and no shell reads them
            [*command, *_WORDS, *words],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the daemon, which commits first
        )
    except OSError as error:
        raise SourceError(f"journalctl cannot be started: {error.strerror}") from None


def ended(status: int, said: bytes) -> str:
    """Say in one sentence how it ended, with its own last words."""
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    how = f"by signal {-status}" if status < 0 else f"with status {status}"
    words = re.sub(r"\s+", " ", lines[-1])[:200] if lines else ""
    return f"journalctl ended {how}" + (f": {words}" if words else "")


def _environment() -> dict[str, str]:
    """No pager, no colours, no translation, and no secret of ours."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def plain(pipe: IO[bytes] | None) -> IO[bytes]:
    """Take a pipe that was asked for."""
    assert pipe is not None  # noqa: S101 - it was asked for
    return pipe


def _ours(pipe: IO[bytes] | None) -> IO[bytes]:
    os.set_blocking(plain(pipe).fileno(), False)
    return plain(pipe)
