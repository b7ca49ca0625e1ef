"""Context lines: the lines before a match, which are remembered, and those after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from notifyd.model.events import Event

MAX_LINE: Final = 400
"""Characters of a context line: enough to recognise it."""
_MAX_CONTEXT: Final = 2_000
"""Characters of context on either side: a notification has no room for more."""
_MAX_PENDING: Final = 256 << 10
"""Characters of pending events. Beyond that, the oldest is released with the lines it has."""
_LF: Final = 0x0A


@dataclass(slots=True)
class PendingEvent:
    """An event that waits for the lines after it."""

    event: Event
    lines_after: list[str]

    def release(self) -> Event:
        """Return the event with the lines after it."""
        if not self.lines_after:
            return self.event
        facts = dict(self.event.facts) | {"after": "\n".join(self.lines_after)[:_MAX_CONTEXT]}
        return self.event._replace(facts=facts)

    def size(self) -> int:
        texts = (self.event.line, *self.event.fields.values(), *self.event.facts.values())
        return sum(map(len, texts)) + sum(map(len, self.lines_after))


class ContextLines:
    """Adds context lines to events while blocks of whole lines come in.

    before, after: numbers of lines around a match. `recent_lines` and `pending_events` are all that
    is kept of earlier blocks.
    """

    def __init__(self, before: int, after: int, encoding: str) -> None:
        self._before, self._after, self._encoding = before, after, encoding
        self.recent_lines: list[str] = []
        self.pending_events: list[PendingEvent] = []

    def lines_before(self, block: bytearray, start: int, at: int) -> list[str]:
        """Return the lines before the one at `at`: from the block, and from earlier blocks."""
        found = list(self._backward(block, start, at, self._before))[::-1]
        missing = self._before - len(found)
        return self.recent_lines[-missing:] + found if missing > 0 else found

    def extend_pending(self, block: bytearray, start: int, end: int) -> None:
        """Add the first lines of a block to the events that wait for them."""
        if self.pending_events:
            lines = list(self._forward(block, start, end, self._after))
            for pending in self.pending_events:
                pending.lines_after += lines[: self._after - len(pending.lines_after)]

    def add_event(
        self, event: Event, lines_before: list[str], block: bytearray, at: int, end: int
    ) -> None:
        """Add an event. at: where the lines after it begin."""
        if lines_before:
            text = "\n".join(lines_before)[-_MAX_CONTEXT:]
            event = event._replace(facts=dict(event.facts) | {"before": text})
        lines_after = list(self._forward(block, at, end, self._after))
        self.pending_events.append(PendingEvent(event, lines_after))

    def remember_lines(self, block: bytearray, start: int, end: int) -> None:
        """Keep the last lines of a block, for matches in the next one."""
        if self._before:
            self.recent_lines = self.lines_before(block, start, end)

    def release_complete(self) -> list[Event]:
        """Return the events that have all their lines; some that do not if too much is pending."""
        count = 0
        while (
            count < len(self.pending_events)
            and len(self.pending_events[count].lines_after) >= self._after
        ):
            count += 1
        size = sum(pending.size() for pending in self.pending_events[count:])
        while size > _MAX_PENDING:
            size -= self.pending_events[count].size()
            count += 1
        return self._release(count)

    def release_all(self) -> list[Event]:
        return self._release(len(self.pending_events))

    def _release(self, count: int) -> list[Event]:
        released, self.pending_events = self.pending_events[:count], self.pending_events[count:]
        return [pending.release() for pending in released]

    def _backward(self, block: bytearray, start: int, at: int, count: int) -> Iterator[str]:
        while count > 0 and at > start:
            stop = at - (block[at - 1] == _LF)
            at = block.rfind(b"\n", start, stop) + 1 or start
            yield self._decode(block, at, stop)
            count -= 1

    def _forward(self, block: bytearray, at: int, end: int, count: int) -> Iterator[str]:
        while count > 0 and at < end:
            stop = block.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            yield self._decode(block, at, stop)
            at, count = stop + 1, count - 1

    def _decode(self, block: bytearray, start: int, stop: int) -> str:
        raw = bytes(memoryview(block)[start : min(stop, start + 4 * MAX_LINE)])
        line = raw.removesuffix(b"\r").decode(self._encoding, "replace")
        return line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…"
