"""The journal's export format: chunks of bytes in, whole entries out, in bounded memory.

An entry is a sequence of fields, ended by an empty line. A field is `NAME=value` and LF or, if the
value is not a line of plain text, `NAME`, LF, its length in eight bytes, the value and LF.
https://systemd.io/JOURNAL_EXPORT_FORMATS
"""

from typing import Final

EntryFields = dict[bytes, bytes]

_LF: Final = b"\n"
_LENGTH: Final = 8
_MAX_NAME: Final = 256
"""Bytes that no name reaches: systemd allows 64."""


class ExportParser:
    """max_value: bytes kept of a value; the rest is skipped as it arrives."""

    def __init__(self, max_value: int) -> None:
        self._max_value = max_value
        self._rest = b""
        self._fields: EntryFields = {}
        self._skip_bytes = 0
        self._skip_line = False

    def feed(self, chunk: bytes) -> list[EntryFields]:
        """Parse the next bytes; returns the entries that end in them."""
        data, at = self._rest + chunk, self._skip(chunk)
        entries: list[EntryFields] = []
        while at < len(data):
            if not self._fields and (end := data.find(b"\n\n", at, at + self._max_value)) > at:
                text_entry = _parse_text_entry(data[at:end])
                if text_entry is not None:
                    entries.append(text_entry)
                    at = end + 2
                    continue
            end = data.find(_LF, at)
            if end == at:
                entries += [self._fields] if self._fields else []
                self._fields, at = {}, at + 1
                continue
            after = self._parse_field(data, at, end)
            if after is None:
                break
            at = after
        self._rest = data[at:]
        return entries

    def _skip(self, chunk: bytes) -> int:
        """Skip the rest of a value that is too long; nothing else is kept meanwhile."""
        if self._skip_line:
            end = chunk.find(_LF)
            self._skip_line = end < 0
            return len(chunk) if end < 0 else end + 1
        skipped = min(self._skip_bytes, len(chunk))
        self._skip_bytes -= skipped
        return skipped

    def _parse_field(self, data: bytes, at: int, end: int) -> int | None:
        """Add one field; returns where the next one begins, None if more bytes are needed."""
        if end < 0 and len(data) - at < _MAX_NAME + self._max_value:
            return None
        name, equals, value = data[at : end if end >= 0 else len(data)].partition(b"=")
        if end < 0 or equals:
            self._fields[name[:_MAX_NAME]] = value[: self._max_value]
            self._skip_line = end < 0
            return end + 1 if end >= 0 else len(data)
        start = end + 1 + _LENGTH
        size = int.from_bytes(data[end + 1 : start], "little")
        kept = min(size, self._max_value)
        if len(data) < start + kept:
            return None
        self._fields[name[:_MAX_NAME]] = data[start : start + kept]
        after = start + size + 1
        self._skip_bytes = max(0, after - len(data))
        return min(after, len(data))


def _parse_text_entry(text: bytes) -> EntryFields | None:
    """Parse an entry whose values are all plain text; None for any other."""
    try:
        return dict(line.split(b"=", 1) for line in text.split(_LF))
    except ValueError:  # a line without "=" is the name of a value with a length
        return None
