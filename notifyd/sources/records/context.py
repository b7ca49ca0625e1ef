"""Lines around a match: those before it that are remembered, those after it that are owed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from notifyd.model.events import Event

LONGEST: Final = 400
"""Characters of a context line: it only has to be recognised."""
_MOST: Final = 2_000
"""Characters of context on either side: more does not fit a notification."""
_HELD: Final = 256 << 10
"""Characters of owed events; beyond them the oldest is given with what it has."""
_LF = 0x0A


@dataclass(slots=True)
class Owed:
    """An event that waits for the lines after it."""

    event: Event
    after: list[str]

    def told(self) -> Event:
        if not self.after:
            return self.event
        facts = dict(self.event.facts) | {"after": "\n".join(self.after)[:_MOST]}
        return self.event._replace(facts=facts)

    def size(self) -> int:
        texts = (self.event.line, *self.event.fields.values(), *self.event.facts.values())
        return sum(map(len, texts)) + sum(map(len, self.after))


class Context:
    """Folds blocks of whole lines. `previous` and `owed` are all that it knows of earlier ones.

    before, after: numbers of lines.
    """

    def __init__(self, before: int, after: int, encoding: str) -> None:
        self._before, self._after, self._encoding = before, after, encoding
        self.previous: list[str] = []
        self.owed: list[Owed] = []

    def preceding(self, block: bytearray, start: int, at: int) -> list[str]:
        """List the lines before a line's begin, from the block and from before it."""
        found = list(self._backwards(block, start, at, self._before))[::-1]
        missing = self._before - len(found)
        return self.previous[-missing:] + found if missing > 0 else found

    def serve(self, block: bytearray, start: int, end: int) -> None:
        """Give the lines of a block to whom they are owed."""
        if self.owed:
            lines = list(self._forwards(block, start, end, self._after))
            for owed in self.owed:
                owed.after += lines[: self._after - len(owed.after)]

    def add(self, event: Event, before: list[str], block: bytearray, at: int, end: int) -> None:
        """Take in a new event: its lines after it begin at `at`."""
        if before:
            text = "\n".join(before)[-_MOST:]
            event = event._replace(facts=dict(event.facts) | {"before": text})
        self.owed.append(Owed(event, list(self._forwards(block, at, end, self._after))))

    def keep(self, block: bytearray, start: int, end: int) -> None:
        """Remember the last lines of a block that is done with."""
        if self._before:
            self.previous = self.preceding(block, start, end)

    def take(self) -> list[Event]:
        """Hand over the events that have all their lines."""
        due = 0
        while due < len(self.owed) and len(self.owed[due].after) >= self._after:
            due += 1
        left = sum(owed.size() for owed in self.owed[due:])
        while left > _HELD:
            left -= self.owed[due].size()
            due += 1
        return self._given(due)

    def flush(self) -> list[Event]:
        """Hand over all events, as nothing more comes."""
        return self._given(len(self.owed))

    def _given(self, number: int) -> list[Event]:
        given, self.owed = self.owed[:number], self.owed[number:]
        return [owed.told() for owed in given]

    def _backwards(self, block: bytearray, start: int, at: int, number: int) -> Iterator[str]:
        while number > 0 and at > start:
            stop = at - (block[at - 1] == _LF)
            at = block.rfind(b"\n", start, stop) + 1 or start
            yield self._text(block, at, stop)
            number -= 1

    def _forwards(self, block: bytearray, at: int, end: int, number: int) -> Iterator[str]:
        while number > 0 and at < end:
            stop = block.find(b"\n", at, end)
            stop = end if stop < 0 else stop
            yield self._text(block, at, stop)
            at, number = stop + 1, number - 1

    def _text(self, block: bytearray, start: int, stop: int) -> str:
        raw = bytes(memoryview(block)[start : min(stop, start + 4 * LONGEST)])
        line = raw.removesuffix(b"\r").decode(self._encoding, "replace")
        return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
