"""Last lines without an LF, and when they are matched as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.logs.checkpoint import FileId
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet


@dataclass(slots=True)
class _PartialLine:
    """end: its end in the file. since: when it was first found to be so long.

    matched: the triggers that have matched it as it is.
    """

    end: int
    since: float
    matched: set[str] = field(default_factory=set)


class PartialLineTimer:
    """Only for triggers with `flush_partial`. Times are monotonic seconds, not kept at a stop."""

    def __init__(self, triggers: Mapping[str, LogTriggerConfig]) -> None:
        self._delays = {
            name: trigger.flush_partial
            for name, trigger in triggers.items()
            if trigger.flush_partial is not None
        }
        self._lines: dict[FileId, _PartialLine] = {}

    def observe(self, reader: LogReader, now: float) -> None:
        """Record the partial line of a file that was read to its last LF."""
        if not self._delays or not any(name in self._delays for name in reader.start_offsets):
            return
        end = reader.offset + reader.partial_line_len
        known = self._lines.get(reader.key)
        if end == reader.line_start or reader.key.catch_up_trigger:
            self._lines.pop(reader.key, None)
        elif known is None or known.end != end:
            self._lines[reader.key] = _PartialLine(end, now)

    def readers(self, readers: ReaderSet) -> list[LogReader]:
        """List the open files with a partial line, and forget those that are closed."""
        for key in [key for key in self._lines if key not in readers]:
            del self._lines[key]
        return [readers[key] for key in self._lines]

    def due(self, reader: LogReader, now: float) -> set[str]:
        """Return the triggers that match the partial line of a file now, each once."""
        line = self._lines[reader.key]
        due = {
            name
            for name in self._waiting(line, reader)
            if line.since + self._delays[name] <= now
            and reader.start_offsets[name] <= reader.line_start
        }
        line.matched |= due
        return due

    def next_due(self, reader: LogReader) -> float | None:
        """Return when the next trigger matches the partial line of a file; None if none does."""
        line = self._lines[reader.key]
        times = (line.since + self._delays[name] for name in self._waiting(line, reader))
        return min(times, default=None)

    def _waiting(self, line: _PartialLine, reader: LogReader) -> list[str]:
        triggers = reader.start_offsets
        return [name for name in triggers if name in self._delays and name not in line.matched]
