"""Records out of single pages of a database file, where its tables can no longer be walked.

Source: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (record format).
Reads index b-tree pages, in which tables WITHOUT ROWID are kept, inner ones as well as leaves.
"""

import struct
from collections.abc import Iterator
from itertools import count

Value = str | int | float | bytes | None
Record = tuple[Value, ...]

_INNER, _LEAF = 2, 10
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""Bytes of a value by its serial type, below the types of blobs and texts."""
_SMALLEST, _USUAL = 512, 4096
"""Bytes of a page."""
_RESERVED = 32
"""Fewer bytes than this may be kept free at the end of each page."""
_LOW = 0x7F
_VARINT = 8
"""Bytes of the longest number before its last one, which counts whole."""
_FLOAT, _ZERO, _ONE, _BLOB = 7, 8, 9, 12


class Pages:
    """data: the whole file, with what its -wal held written into it."""

    def __init__(self, data: bytes) -> None:
        size = int.from_bytes(data[16:18], "big")
        self._data = memoryview(data)
        self._size = {1: 65536}.get(size, size)
        if self._size < _SMALLEST or self._size & (self._size - 1):
            self._size = _USUAL
        reserved = int.from_bytes(data[20:21], "big")
        self._usable = self._size - (reserved if reserved < _RESERVED else 0)

    def records(self, columns: int) -> Iterator[Record]:
        """Give what looks like a record of so many columns, free pages left out."""
        free = self._free()
        for number in range(2, len(self._data) // self._size + 1):
            if number in free:
                continue
            for cell in self._cells(self._page(number)):
                try:
                    record = self._record(cell)
                except (IndexError, ValueError):
                    continue
                if len(record) == columns:
                    yield record

    def _page(self, number: int) -> memoryview:
        return self._data[(number - 1) * self._size : number * self._size]

    def _free(self) -> set[int]:
        """Follow the list of free pages: what they hold was deleted."""
        free: set[int] = set()
        trunk = int.from_bytes(self._data[32:36], "big")
        while trunk > 1 and trunk not in free and len(page := self._page(trunk)) == self._size:
            free.add(trunk)
            length = min(int.from_bytes(page[4:8], "big"), self._size // 4 - 2)
            free.update(
                int.from_bytes(page[at : at + 4], "big") for at in range(8, 8 + 4 * length, 4)
            )
            trunk = int.from_bytes(page[:4], "big")
        return free

    def _cells(self, page: memoryview) -> Iterator[memoryview]:
        kind = page[0]
        if kind not in (_INNER, _LEAF):
            return
        first = 12 if kind == _INNER else 8
        for number in range(int.from_bytes(page[3:5], "big")):
            at = first + 2 * number
            start = int.from_bytes(page[at : at + 2], "big") + (4 if kind == _INNER else 0)
            if first < start < self._usable:
                yield page[start : self._usable]

    def _record(self, cell: memoryview) -> Record:
        length, at = _varint(cell, 0)
        payload = self._payload(cell, length, at)
        head, at = _varint(payload, 0)
        types = []
        while at < head:
            kind, at = _varint(payload, at)
            types.append(kind)
        values = []
        for kind in types:
            size = (kind - _BLOB) // 2 if kind >= _BLOB else _SIZES[kind]
            if at + size > len(payload):
                raise ValueError(size)
            values.append(_value(kind, bytes(payload[at : at + size])))
            at += size
        return tuple(values)

    def _payload(self, cell: memoryview, length: int, at: int) -> memoryview:
        """Put together what lies in the cell and, if it is long, on its chain of further pages."""
        most = (self._usable - 12) * 64 // 255 - 23
        if length <= most:
            return cell[at : at + length]
        if length > len(self._data):
            raise ValueError(length)
        least = (self._usable - 12) * 32 // 255 - 23
        here = least + (length - least) % (self._usable - 4)
        here = here if here <= most else least
        parts = bytearray(cell[at : at + here])
        number = int.from_bytes(cell[at + here : at + here + 4], "big")
        while number and len(parts) < length:
            page = self._page(number)
            if len(page) < self._size:
                raise ValueError(number)
            parts += page[4 : min(self._usable, 4 + length - len(parts))]
            number = int.from_bytes(page[:4], "big")
        if len(parts) < length:
            raise ValueError(length)
        return memoryview(bytes(parts))


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read a number of one to nine bytes; returns it and where it ends."""
    value = 0
    for place in count(at):
        byte = data[place]
        if place - at == _VARINT:
            return value << 8 | byte, place + 1
        value = value << 7 | byte & _LOW
        if byte <= _LOW:
            return value, place + 1
    raise ValueError(at)


def _value(kind: int, raw: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (_ZERO, _ONE):
        return kind - _ZERO
    if kind == _FLOAT:
        return float(struct.unpack(">d", raw)[0])
    if kind < _FLOAT:
        return int.from_bytes(raw, "big", signed=True)
    if kind < _BLOB:
        raise ValueError(kind)
    return raw.decode(errors="replace") if kind % 2 else raw
