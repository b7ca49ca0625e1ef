"""The lines of a chunk as triggers see them: as they are in the file, or their visible text."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Self

from notifyd.sources.logs.reading.buffer import Chunk
from notifyd.text.containers import MessageJoiner
from notifyd.text.visible import LongLine, has_invisible_text, visible_lines


class MessageSpan(NamedTuple):
    """offset: in the file, where the first line of a message begins. raw_end: end of its last.

    start: where the message begins in the block. entry: the JSON object that it comes from, if any.
    """

    offset: int
    raw_end: int
    start: int
    entry: bytes


class LineView(NamedTuple):
    """The lines `block[start:end]`, which show `raw[raw_start:raw_end]`, line by line.

    base: the offset in the file of index 0 of `raw`. first_offset: the one at which the first line
    begins, which may be before `raw_start`. messages: where unwrapped messages come from; without
    them, each line shows one line.
    """

    block: bytearray
    start: int
    end: int
    raw: bytearray
    raw_start: int
    raw_end: int
    base: int
    first_offset: int
    messages: Sequence[MessageSpan] | None = None

    @classmethod
    def of_raw(cls, raw: bytearray, chunk: Chunk, long_line: LongLine | None) -> Self | None:
        """View the lines as they are, without the rest of a long line; None if none are left."""
        start = chunk.start
        if long_line is not None:
            start = raw.find(b"\n", start, chunk.end) + 1
            if start in (0, chunk.end):
                return None
        return cls(raw, start, chunk.end, raw, start, chunk.end, chunk.base, chunk.base + start)

    @classmethod
    def of_visible(cls, raw: bytearray, chunk: Chunk, long_line: LongLine | None) -> Self:
        """View the visible text of the lines, of which the first may continue a long line."""
        start, end, base = chunk.start, chunk.end, chunk.base
        if long_line is None and not has_invisible_text(raw, start, end):
            return cls(raw, start, end, raw, start, end, base, base + start)
        head, first_offset, rest = b"", base + start, start
        if long_line is not None:
            rest = raw.find(b"\n", start, end)
            rest = end if rest < 0 else rest
            head = _finish(long_line, bytes(memoryview(raw)[start:rest]))
            first_offset = long_line.start
        text = visible_lines(bytes(memoryview(raw)[rest:end]))
        block = bytearray(head + text)
        return cls(block, 0, len(block), raw, start, end, base, first_offset)

    @classmethod
    def of_messages(
        cls, raw: bytearray, chunk: Chunk, long_line: LongLine | None, joiner: MessageJoiner
    ) -> Self:
        """View the messages that the lines of a chunk end. The joiner keeps what is pending."""
        start, end, base = chunk.start, chunk.end, chunk.base
        block, spans, at = bytearray(), [], start
        for line in bytes(memoryview(raw)[start:end]).removesuffix(b"\n").split(b"\n"):
            following, offset, text = at + len(line) + 1, base + at, line
            if long_line is not None and at == start:
                offset, text = long_line.start, _finish(long_line, line)
            if (message := joiner.feed(text, offset)) is not None:
                raw_end = min(following, end)
                spans.append(MessageSpan(message.offset, raw_end, len(block), message.entry))
                block += message.text + b"\n"
            at = following
        return cls(block, 0, len(block), raw, start, end, base, base + start, spans)

    def until(self, raw_end: int) -> Self:
        """Return the lines up to the end of a line in `raw`."""
        if raw_end == self.raw_end:
            return self
        end = raw_end
        if self.messages is not None:
            count = sum(span.raw_end <= raw_end for span in self.messages)
            end = _skip_lines(self.block, self.start, self.end, count)
        elif self.block is not self.raw:
            count = self.raw.count(b"\n", self.raw_start, raw_end)
            end = _skip_lines(self.block, self.start, self.end, count)
        return self._replace(end=end, raw_end=raw_end)

    def entry_at(self, start: int) -> bytes:
        """Return the JSON object from which the message comes that begins at `start`, if any."""
        if self.messages is None:
            return b""
        return self.messages[bisect_right(self.messages, start, key=_span_start) - 1].entry

    def to_raw_end(self, end: int) -> int:
        """Return where the line ends in `raw` that ends at `end` in the block."""
        if end == self.end:
            return self.raw_end
        if self.block is self.raw:
            return end
        count = self.block.count(b"\n", self.start, end)
        if self.messages is not None:
            return self.messages[count - 1].raw_end
        return _skip_lines(self.raw, self.raw_start, self.raw_end, count)

    def first_line_from(self, offset: int) -> int:
        """Return where the first line is that starts at or after an offset of the file."""
        if self.messages is not None:
            count = sum(span.offset < offset for span in self.messages)
            return _skip_lines(self.block, self.start, self.end, count)
        if offset <= self.first_offset:
            return self.start
        at = min(max(offset - self.base, self.raw_start), self.raw_end)
        if at == self.raw_end:
            return self.end
        if self.block is self.raw:
            return self.raw.find(b"\n", at - 1, self.end) + 1 or self.end
        count = self.raw.count(b"\n", self.raw_start, max(at - 1, self.raw_start)) + 1
        return _skip_lines(self.block, self.start, self.end, count)

    def first_line_past(self, offset: int) -> int:
        """Return where the first line is that ends after an offset of the file."""
        at = offset - self.base
        if self.messages is not None:
            count = sum(span.raw_end <= at for span in self.messages)
            return _skip_lines(self.block, self.start, self.end, count)
        if at <= self.raw_start:
            return self.start
        if at >= self.raw_end:
            return self.end
        if self.block is self.raw:
            return self.raw.rfind(b"\n", self.start, at) + 1 or self.start
        count = self.raw.count(b"\n", self.raw_start, at)
        return _skip_lines(self.block, self.start, self.end, count)


def _span_start(span: MessageSpan) -> int:
    return span.start


def _finish(long_line: LongLine, rest: bytes) -> bytes:
    """Return the visible text of a long line that ends with these bytes."""
    limit = len(long_line.text) + len(long_line.undecided) + len(rest)
    return long_line.extend(rest, limit).finish()


def _skip_lines(block: bytearray, start: int, end: int, count: int) -> int:
    """Return where a number of lines ends, or the block's end if there are fewer."""
    for _ in range(count):
        start = block.find(b"\n", start, end) + 1
        if not start:
            return end
    return start
