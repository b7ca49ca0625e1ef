"""The visible text of lines: what a terminal shows of them.

LF alone ends a line. The CRs before it are dropped, then everything up to the last CR that is
left. A sequence that puts the cursor into the first column is like a CR. Terminal escape sequences
are removed: CSI, OSC and other control strings with their text, charset selection. Of an
unterminated sequence only its introducer is removed.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

_MAX_SEQUENCE: Final = 64 << 10
"""Bytes of the longest escape sequence. A longer one counts as unterminated."""
_REPEAT: Final = b"{0,%d}+" % _MAX_SEQUENCE

_CSI: Final = rb"\[(?:[0-?]#[ -/]#[@-~])?"
_CONTROL_STRING: Final = rb"[\]PX^_](?:[^\x07\x1b\n]#(?:\x07|\x1b\\))?"
_CHARSET: Final = rb"[ -/](?:[ -/]#[0-~])?"
_SINGLE: Final = rb"[78=>cM\\]"


def _compile(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern.replace(b"#", _REPEAT))


_SEQUENCE: Final = _compile(
    rb"\x1b(?:" + b"|".join([_CSI, _CONTROL_STRING, _CHARSET, _SINGLE]) + b")?"
)
_UNFINISHED: Final = _compile(rb"\x1b(?:\[[0-?]#[ -/]#|[\]PX^_][^\x07\x1b\n]#|[ -/][ -/]#)?")
_UNFINISHED_STRING: Final = _compile(rb"\x1b[\]PX^_][^\x07\x1b\n]#\x1b")
_TO_FIRST_COLUMN: Final = re.compile(rb"\x1b\[(?:[01]?[G`]|[0-9]{2,8}[09]D)")
"""Also a move to the left by more columns than a terminal has."""
_FIRST_COLUMN_ENDS: Final = (b"G", b"`", b"D")
"""Without any of these there is no such sequence, and they are quicker to find."""
_CR: Final = 0x0D
_LONE_CR: Final = re.compile(rb"\r(?=[^\n])")


def has_invisible_text(block: bytearray, start: int, end: int) -> bool:
    """Return whether a block has an escape sequence, or a CR other than one before each LF."""
    if block.find(b"\x1b", start, end) >= 0:
        return True
    if block.find(b"\r", start, end) < 0:
        return False
    return block.count(b"\r", start, end) != block.count(b"\r\n", start, end)


def visible_lines(data: bytes) -> bytes:
    """Return the visible text of each line. The number of LFs stays the same."""
    has_sequences = b"\x1b" in data
    if has_sequences:
        data = _first_column_as_cr(data)
    if b"\r" in data:
        data = _after_last_cr(data)
    return _SEQUENCE.sub(b"", data) if has_sequences else data


def cut_lines(block: bytearray, start: int, end: int, limit: int) -> Iterator[int]:
    """Yield the starts of the lines with more than `limit` bytes before their line end."""
    while end - start > limit:
        line_end = block.rfind(b"\n", start, start + limit + 1)
        if line_end < 0:
            line_end = block.find(b"\n", start + limit + 1, end)
            line_end = end if line_end < 0 else line_end
            if line_end - start - (block[line_end - 1] == _CR) > limit:
                yield start
        start = line_end + 1


def visible_text(text: str) -> str:
    """Return the visible text of each line of a message."""
    if "\x1b" not in text and "\r" not in text:
        return text
    return visible_lines(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _first_column_as_cr(data: bytes) -> bytes:
    if any(end in data for end in _FIRST_COLUMN_ENDS):
        return _TO_FIRST_COLUMN.sub(b"\r", data)
    return data


def _after_last_cr(data: bytes) -> bytes:
    parts, at = [], 0
    while (lone := _LONE_CR.search(data, at)) is not None:
        start = data.rfind(b"\n", at, lone.start()) + 1 or at
        end = data.find(b"\n", lone.end())
        end = len(data) if end < 0 else end
        line = data[start:end].rstrip(b"\r")
        parts += [data[at:start], line[line.rfind(b"\r") + 1 :]]
        at = end
    rest = data[at:].replace(b"\r\n", b"\n").removesuffix(b"\r")
    if not parts:
        return rest
    return b"".join(parts).replace(b"\r\n", b"\n") + rest


class LongLine(NamedTuple):
    """A line that is read in pieces.

    start: the offset at which it begins. text: the beginning of its visible text so far.
    undecided: bytes after that whose meaning depends on the next piece: a CR, an unfinished escape
    sequence, or both.
    """

    start: int
    text: bytes = b""
    undecided: bytes = b""

    def extend(self, piece: bytes, limit: int) -> Self:
        """Add a piece without LF. limit: bytes of text to keep."""
        data = _first_column_as_cr(self.undecided + piece)
        start = data.rfind(b"\r") + 1
        start += _unfinished_start(data[start:])
        data, undecided = data[:start], data[start:]  # which may become a CR
        if data.endswith(b"\r"):
            data, undecided = data.rstrip(b"\r"), b"\r" + undecided
        last_cr = data.rfind(b"\r")
        text, data = (b"", data[last_cr + 1 :]) if last_cr >= 0 else (self.text, data)
        text += visible_lines(data)
        return self._replace(text=text[:limit], undecided=undecided)

    def finish(self) -> bytes:
        """Return the visible text of the line if it ends here."""
        is_overwritten = self.undecided.rstrip(b"\r").startswith(b"\r")
        return (b"" if is_overwritten else self.text) + visible_lines(self.undecided)


def _unfinished_start(data: bytes) -> int:
    """Return where an escape sequence starts that the end of the data cuts; else its length."""
    last = data.rfind(b"\x1b")
    if last < 0:
        return len(data)
    if last == len(data) - 1:
        previous = data.rfind(b"\x1b", 0, last)
        if previous >= 0 and _UNFINISHED_STRING.fullmatch(data, previous):
            return previous
    return last if _UNFINISHED.fullmatch(data, last) else len(data)
