"""`journalctl` as a child process that cannot outlive the daemon: only we hold its pipes."""

import fcntl
import os
import re
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final

from notifyd.model.errors import SourceError
from notifyd.sources.journal.access import missing_command
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import OUTPUT_FIELDS

_OPTIONS: Final = ("--quiet", "--no-pager", "--output=export")
_PIPE_SIZE: Final = 1 << 20
_STDERR_KEPT: Final = 4096
_EXIT_TIMEOUT: Final = 1.0
"""Seconds that it may live on after it has closed its output."""


class Journalctl:
    """A running journalctl.

    cursor: where to begin, with the entry there. matches: as journalctl takes them.
    """

    def __init__(
        self, command: Sequence[str], cursor: Cursor, matches: Sequence[str], *, follow: bool
    ) -> None:
        options = [f"--output-fields={OUTPUT_FIELDS}"]
        options += ["--follow", "--no-tail"] if follow else []
        options += [f"--cursor={cursor.text}"] if cursor.text else []
        self._process = start_journalctl(command, [*options, *matches])
        self._stdout = _nonblocking(self._process.stdout)
        self._stderr = _nonblocking(self._process.stderr)
        with suppress(OSError):
            fcntl.fcntl(self._stdout, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._stderr_tail = b""

    @property
    def descriptor(self) -> int:
        """Readable when `read` has something to return."""
        return self._stdout.fileno()

    def read(self) -> bytes | None:
        """Return what is there, at most 1 MiB; empty for nothing yet, None at the end."""
        self._drain_stderr()
        try:
            return os.read(self._stdout.fileno(), _PIPE_SIZE) or None
        except BlockingIOError:
            return b""

    def wait(self) -> str:
        """Wait for the exit after `read` returned None. Returns the failure, empty for none."""
        try:
            status = self._process.wait(_EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._drain_stderr()
        return describe_exit(status, self._stderr_tail) if status else ""

    def kill(self) -> None:
        """Kill the process. May be called while another thread reads."""
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._stdout.close()
        self._stderr.close()

    def _drain_stderr(self) -> None:
        """Keep the end of its error output, so that it never blocks on a full pipe."""
        with suppress(BlockingIOError):
            read = os.read(self._stderr.fileno(), _PIPE_SIZE)
            self._stderr_tail = (self._stderr_tail + read)[-_STDERR_KEPT:]


def start_journalctl(command: Sequence[str], options: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start journalctl with pipes for its output; SourceError if that is impossible."""
    if reason := missing_command(command[0]):
        raise SourceError(reason)
    try:
        return subprocess.Popen(  # noqa: S603 - the options are ours, and no shell reads them
            [*command, *_OPTIONS, *options],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the daemon, which commits first
        )
    except OSError as error:
        raise SourceError(f"journalctl cannot be started: {error.strerror}") from None


def describe_exit(status: int, stderr: bytes) -> str:
    """Return one sentence that ends with the last line of the error output."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
    words = re.sub(r"\s+", " ", lines[-1])[:200] if lines else ""
    return f"journalctl {how}" + (f": {words}" if words else "")


def _environment() -> dict[str, str]:
    """Return an environment without a pager, colours, translations and secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}


def require_pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - Popen was asked for it
    return pipe


def _nonblocking(pipe: IO[bytes] | None) -> IO[bytes]:
    os.set_blocking(require_pipe(pipe).fileno(), False)
    return require_pipe(pipe)
