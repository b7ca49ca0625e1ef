"""Last lines without a newline, and when they count all the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.logs.checkpoint import FileId
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet


@dataclass(slots=True)
class _Partial:
    """end: the file's offset behind it. since: monotonic time at which it was first met so long.

    tried: the triggers that looked at it, as it is.
    """

    end: int
    since: float
    tried: set[str] = field(default_factory=set)


class PartialLineTimer:
    """Only of triggers with `flush_partial`. Times are monotonic and start anew with the daemon."""

    def __init__(self, triggers: Mapping[str, LogTriggerConfig]) -> None:
        self._after = {
            name: trigger.flush_partial
            for name, trigger in triggers.items()
            if trigger.flush_partial is not None
        }
        self._partials: dict[FileId, _Partial] = {}

    def observe(self, tail: LogReader, now: float) -> None:
        """Take note that a file was read up to its last newline."""
        if not self._after or not any(name in self._after for name in tail.start_offsets):
            return
        end = tail.offset + tail.partial_line_len
        known = self._partials.get(tail.key)
        if end == tail.offset or tail.key.catch_up_trigger:
            self._partials.pop(tail.key, None)
        elif known is None or known.end != end:
            self._partials[tail.key] = _Partial(end, now)

    def readers(self, readers: ReaderSet) -> list[LogReader]:
        """List the open files that end in an unfinished line, and forget those that are closed."""
        for key in [key for key in self._partials if key not in readers]:
            del self._partials[key]
        return [readers[key] for key in self._partials]

    def due(self, tail: LogReader, now: float) -> set[str]:
        """List the triggers for which a file's unfinished line counts now, each only once."""
        known = self._partials[tail.key]
        due = {
            name
            for name in self._open(known, tail)
            if known.since + self._after[name] <= now and tail.start_offsets[name] <= tail.offset
        }
        known.tried |= due
        return due

    def next_due(self, tail: LogReader) -> float | None:
        """Tell when a file's unfinished line counts for the next trigger."""
        known = self._partials[tail.key]
        return min(
            (known.since + self._after[name] for name in self._open(known, tail)), default=None
        )

    def _open(self, known: _Partial, tail: LogReader) -> list[str]:
        return [
            name for name in tail.start_offsets if name in self._after and name not in known.tried
        ]
