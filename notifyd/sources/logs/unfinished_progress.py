"""Reads the numbers in unfinished last lines of logs, such as progress bars."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.logs.checkpoint import FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.records.progress import PROGRESS, Place, ProgressTimer
from notifyd.sources.records.scanning import HitLike
from notifyd.text.visible import visible_lines

_INTERVAL: Final = 1.0
"""Seconds between two looks at one file."""
_BLOCK: Final = 64 << 10
"""Bytes of the end of a file that are looked at."""

MatchRecord = Callable[[str, bytes], HitLike | None]
"""Matches the patterns of a trigger against a text."""


@dataclass(slots=True)
class _Look:
    """end: the file's size at the last look. at: when the last look was, in monotonic seconds.

    is_due: the file has grown since. is_first: nothing is known of its end yet.
    """

    end: int = -1
    at: float = float("-inf")
    is_due: bool = False
    is_first: bool = True


class UnfinishedProgress:
    """Looks at the last line of files that grew, at most once a second each.

    What is at the end of a file when the source starts is only where its number is, not a movement.
    """

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        timer: ProgressTimer,
        match_record: MatchRecord,
    ) -> None:
        self._triggers, self._timer, self._match_record = triggers, timer, match_record
        self._names = {name for name in timer.triggers if not triggers[name].wrapping_formats}
        self._looks: dict[FileId, _Look] = {}
        self._is_started = False

    def observe(self, reader: LogReader) -> None:
        """Note the end of a file that was read to its last LF."""
        if not self._names.intersection(reader.start_offsets) or reader.key.catch_up_trigger:
            return
        look = self._looks.setdefault(reader.key, _Look(is_first=not self._is_started))
        with suppress(OSError, UnreadableFileError):
            look.is_due = look.is_due or reader.size != look.end

    def look(self, readers: ReaderSet, now: float) -> None:
        """Look at all files that are due."""
        for key in [key for key in self._looks if key not in readers]:
            del self._looks[key]
        for key, look in self._looks.items():
            if look.is_due and look.at + _INTERVAL <= now and key not in readers.queue:
                self._look(readers[key], look, now)
        self._is_started = True

    def next_look(self) -> float | None:
        """Return when the next file is due; None if no file is."""
        times = (look.at + _INTERVAL for look in self._looks.values() if look.is_due)
        return min(times, default=None)

    def _look(self, reader: LogReader, look: _Look, now: float) -> None:
        try:
            look.end = reader.size
            start = max(look.end - _BLOCK, 0)
            data = os.pread(reader.descriptor, look.end - start, start)
        except (OSError, UnreadableFileError):
            data = b""
        is_new, look.is_first = not look.is_first, False
        look.at, look.is_due = now, False
        text = data[data.rfind(b"\n") + 1 :]
        if not text:
            return
        for name in self._names.intersection(reader.start_offsets):
            line = text if self._triggers[name].raw else visible_lines(text)
            hit = self._match_record(name, line)
            if hit is not None and hit.fields.get(PROGRESS):
                place = Place(name, reader.path)
                self._timer.observe(place, hit.fields, hit.line, now, is_new=is_new)
