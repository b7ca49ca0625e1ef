"""The last lines that a run of a unit wrote to the journal."""

import asyncio
import os
import select
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from typing import IO, Final, NamedTuple

from notifyd.model.errors import SourceError
from notifyd.sources.journal.export import EntryFields, ExportParser
from notifyd.sources.journal.journalctl import require_pipe, start_journalctl
from notifyd.sources.journal.units import journalctl_matches
from notifyd.sources.units.status import UnitStatus
from notifyd.text.visible import visible_lines

_TIMEOUT: Final = 3.0
"""Seconds for journalctl; a report does not wait longer for the lines."""
_EXIT_TIMEOUT: Final = 1.0
_BLOCK: Final = 64 << 10
_LOOKS: Final = 6
_LATE_LOOKS: Final = 3
"""Looks after systemd's own entries are there: those of the process may come later."""
_LOOK_INTERVAL: Final = 0.3
"""Seconds between two looks: journald may be behind."""
_START_LAG: Final = 0.05
"""Seconds after its first line at which systemd may note the start of a process; its shortest pause
before a restart is 0.1 s by default, so the lines of the run before are not taken."""
_MANAGER_ENTRIES: Final = 10
"""Entries of systemd itself about one run, at most."""
_FIELDS: Final = ("MESSAGE", "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT")
_MAX_VALUE: Final = 4096
_CLIP: Final = 350
"""Characters of each line, so that several fit into a notification."""


class _LogRead(NamedTuple):
    """lines: of the unit. is_current: the journal has what systemd says of the run's end."""

    lines: list[str]
    is_current: bool


class UnitLog:
    """command: starts journalctl. uid: whose units besides the system's."""

    def __init__(self, command: Sequence[str], uid: int) -> None:
        self._command, self._uid = command, uid

    async def last_lines(self, status: UnitStatus, number: int) -> list[str]:
        """Return the last visible lines of a unit's last run; none if the journal shows none.

        Entries of a process that has just ended may lack the id of the run, so they are found by
        their unit and time.
        """
        matches = journalctl_matches([status.unit], self._uid)
        if not (number and matches and status.started_wall):
            return []
        read = partial(self._read, matches, status, number)
        late_looks = 0
        for _ in range(_LOOKS):
            found = await asyncio.to_thread(read)
            if found is None:
                return []
            if found.lines or late_looks == _LATE_LOOKS:
                return found.lines
            late_looks += found.is_current
            await asyncio.sleep(_LOOK_INTERVAL)
        return []

    def _read(self, matches: Sequence[str], status: UnitStatus, number: int) -> _LogRead | None:
        """Look once, in bounded memory; None if journalctl does not answer."""
        options = [
            f"--output-fields={','.join(_FIELDS)}",
            f"--lines={number + _MANAGER_ENTRIES}",
            f"--since=@{status.started_wall - _START_LAG:.6f}",
        ]
        try:
            process = start_journalctl(self._command, [*options, *matches])
        except SourceError:
            return None
        with process:
            try:
                entries = _read_entries(require_pipe(process.stdout))
                process.wait(_EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                return None
        own = [entry for entry in entries if _is_of(entry, status.unit.encode())]
        has_failed = process.returncode != 0
        return _LogRead(_lines(own)[-number:], is_current=has_failed or len(own) < len(entries))


def _read_entries(output: IO[bytes]) -> list[EntryFields]:
    """Read to the end; subprocess.TimeoutExpired if that takes too long."""
    parser, entries = ExportParser(_MAX_VALUE), list[EntryFields]()
    readable = select.poll()
    readable.register(output, select.POLLIN)
    deadline = time.monotonic() + _TIMEOUT
    while (left := deadline - time.monotonic()) > 0 and readable.poll(left * 1000):
        data = os.read(output.fileno(), _BLOCK)
        if not data:
            return entries
        entries += parser.feed(data)
    raise subprocess.TimeoutExpired("journalctl", _TIMEOUT)


def _is_of(entry: EntryFields, unit: bytes) -> bool:
    """Whether the unit itself wrote an entry, and not systemd about it."""
    return unit in (entry.get(b"_SYSTEMD_UNIT"), entry.get(b"_SYSTEMD_USER_UNIT"))


def _lines(entries: Sequence[EntryFields]) -> list[str]:
    messages = b"\n".join(entry.get(b"MESSAGE", b"") for entry in entries)
    text = visible_lines(messages).decode("utf-8", "replace")
    found = [line.rstrip() for line in text.split("\n") if line.strip()]
    return [line if len(line) <= _CLIP else f"{line[:_CLIP]}…" for line in found]
