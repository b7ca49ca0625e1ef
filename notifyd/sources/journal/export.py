"""The journal's export format: chunks of bytes in, whole entries out, in bounded memory.

An entry is a run of fields that ends with an empty line. A field is `NAME=value` and LF or, where
the value is no plain line of text, `NAME`, LF, its length in eight bytes, the value and LF.
https://systemd.io/JOURNAL_EXPORT_FORMATS
"""

from typing import Final

Fields = dict[bytes, bytes]

_LF: Final = b"\n"
_LENGTH: Final = 8
_NAME: Final = 256
"""Bytes that no name reaches: systemd allows 64."""


class Parser:
    """most: how many bytes of a value are kept; what is beyond them is passed over as it comes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = b""
        self._fields: Fields = {}
        self._skip = 0
        """How many bytes are still to be passed over."""
        self._skip_line = False

    def feed(self, chunk: bytes) -> list[Fields]:
        """Take the next bytes, and give the entries that end in them."""
        data, at = self._rest + chunk, self._passed(chunk)
        entries: list[Fields] = []
        while at < len(data):
            if not self._fields and (end := data.find(b"\n\n", at, at + self._most)) > at:
                plain = _plain(data[at:end])
                if plain is not None:
                    entries.append(plain)
                    at = end + 2
                    continue
            end = data.find(_LF, at)
            if end == at:
                entries += [self._fields] if self._fields else []
                self._fields, at = {}, at + 1
                continue
            after = self._field(data, at, end)
            if after is None:
                break
            at = after
        self._rest = data[at:]
        return entries

    def _passed(self, chunk: bytes) -> int:
        """Pass over what is left of a value that is too long; nothing else is held then."""
        if self._skip_line:
            end = chunk.find(_LF)
            self._skip_line = end < 0
            return len(chunk) if end < 0 else end + 1
        passed = min(self._skip, len(chunk))
        self._skip -= passed
        return passed

    def _field(self, data: bytes, at: int, end: int) -> int | None:
        """Take in one field; returns where the next one begins, None if more is needed."""
        if end < 0 and len(data) - at < _NAME + self._most:
            return None
        name, equals, value = data[at : end if end >= 0 else len(data)].partition(b"=")
        if end < 0 or equals:
            self._fields[name[:_NAME]] = value[: self._most]
            self._skip_line = end < 0
            return end + 1 if end >= 0 else len(data)
        start = end + 1 + _LENGTH
        size = int.from_bytes(data[end + 1 : start], "little")
        kept = min(size, self._most)
        if len(data) < start + kept:
            return None
        self._fields[name[:_NAME]] = data[start : start + kept]
        after = start + size + 1
        self._skip = max(0, after - len(data))
        return min(after, len(data))


def _plain(text: bytes) -> Fields | None:
    """Read an entry without lengths in it; None if there is one."""
    try:
        return dict(line.split(b"=", 1) for line in text.split(_LF))
    except ValueError:  # a line without "=" says that a length follows
        return None
