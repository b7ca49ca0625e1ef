"""Logs that are rewritten in place with the text that was read: nothing but their times changes."""

import os
from contextlib import suppress
from typing import Final, NamedTuple

from notifyd.model.health import LISTED_PER_KIND, Problem
from notifyd.sources.logs.checkpoint import FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.reading.log_reader import LogReader, RestStat
from notifyd.sources.logs.reading.reader_set import ReaderSet

_SETTLE_SECONDS: Final = 0.25
"""What writes in place and then sets the times, as rsync does, does both within this time."""


class _Rewrite(NamedTuple):
    """A write after which the file has the size that it had. due: monotonic seconds."""

    due: float
    stat: RestStat


class RewriteDetector:
    """Has a log read again that was rewritten with the same text.

    Proof is that the kernel reported a write, after which the file has another modification time
    than when it was last read to its end, and the same size and content. A change of attributes
    after the write, such as that of its times, is no rewrite. Without these reports, and over a
    restart, a rewrite looks like `touch`: it is a problem, and nothing is counted.
    """

    def __init__(self, readers: ReaderSet) -> None:
        self._readers = readers
        self._rewrites: dict[FileId, _Rewrite] = {}
        self._unproved: dict[str, None] = {}

    def on_written(self, reader: LogReader) -> None:
        """Handle the report of a write."""
        known, found = reader.rest, _stat(reader)
        if known is None or found is None or not known.may_be_rewritten(found):
            return
        pending = self._rewrites.get(reader.key)
        due = self._readers.now + _SETTLE_SECONDS if pending is None else pending.due
        self._rewrites[reader.key] = _Rewrite(due, found)

    def on_attributes_changed(self, reader: LogReader) -> None:
        """Handle the report that times or permissions were changed, after any write."""
        self._rewrites.pop(reader.key, None)
        found = _stat(reader)
        if found is not None and reader.rest is not None and reader.rest.may_be_rewritten(found):
            reader.rest = found

    def on_unproved(self, reader: LogReader, known: RestStat | None) -> None:
        """Report a file that may have been rewritten while the kernel did not say so.

        known: what it was when it was last read to its end.
        """
        found = _stat(reader)
        if known is None or found is None or not known.may_be_rewritten(found):
            return
        if reader.key not in self._rewrites:
            reader.rest = found
            if len(self._unproved) < LISTED_PER_KIND:
                self._unproved[reader.path] = None

    def schedule_rewritten(self) -> None:
        """Schedule the logs that are to be read again from their beginning."""
        due = [key for key, each in self._rewrites.items() if each.due <= self._readers.now]
        for key in due:
            rewrite, reader = self._rewrites.pop(key), self._readers.get(key)
            if reader is None or reader.offset != rewrite.stat.size or reader.file.pinned:
                continue
            found = _stat(reader)
            if found is not None and rewrite.stat.may_be_rewritten(found):  # again, or touched
                self._rewrites[key] = _Rewrite(self._readers.now + _SETTLE_SECONDS, found)
            elif found == rewrite.stat:
                with suppress(OSError, UnreadableFileError):
                    reader.read_again()
                    self._readers.queue.schedule(key)

    @property
    def next_due(self) -> float | None:
        """The monotonic time at which `schedule_rewritten` has something to do."""
        return min((each.due for each in self._rewrites.values()), default=None)

    @property
    def problems(self) -> list[Problem]:
        message = (
            "{} may have been rewritten with the same text; its lines are not counted again; "
            "append to the log instead of rewriting it"
        )
        return [Problem("rewritten", message.format(path), subject=path) for path in self._unproved]


def _stat(reader: LogReader) -> RestStat | None:
    """Return the present size and time of a file that was read to its end; None for others."""
    try:
        status = os.fstat(reader.descriptor)
    except (OSError, UnreadableFileError):
        return None
    is_read = reader.offset == status.st_size > 0 and not reader.is_copy
    return RestStat(status.st_size, status.st_mtime_ns) if is_read else None
