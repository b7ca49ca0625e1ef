"""Records read from single pages of a database file, for tables whose b-tree is damaged.

Source: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (record format).
Reads index b-tree pages, interior and leaf, which hold the tables WITHOUT ROWID.
"""

import struct
from collections.abc import Iterator
from itertools import count

Value = str | int | float | bytes | None
Record = tuple[Value, ...]

_INTERIOR, _LEAF = 2, 10
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
"""Bytes of a value by its serial type, below the types of blobs and texts."""
_MIN_PAGE_SIZE, _DEFAULT_PAGE_SIZE = 512, 4096
_MAX_RESERVED = 32
"""Reserved bytes at the end of each page; a header that says more is damaged."""
_LOW_BITS = 0x7F
_VARINT_LAST = 8
"""Index of a varint's ninth byte, which contributes all of its bits."""
_FLOAT, _ZERO, _ONE, _BLOB = 7, 8, 9, 12


class DatabasePages:
    """data: the whole file, with the frames of its write-ahead log written into it."""

    def __init__(self, data: bytes) -> None:
        size = int.from_bytes(data[16:18], "big")
        self._data = memoryview(data)
        self._page_size = {1: 65536}.get(size, size)
        if self._page_size < _MIN_PAGE_SIZE or self._page_size & (self._page_size - 1):
            self._page_size = _DEFAULT_PAGE_SIZE
        reserved = int.from_bytes(data[20:21], "big")
        self._usable = self._page_size - (reserved if reserved < _MAX_RESERVED else 0)

    def records(self, columns: int) -> Iterator[Record]:
        """Yield what looks like a record with this number of columns; skip free pages."""
        free = self._free_pages()
        for number in range(2, len(self._data) // self._page_size + 1):
            if number in free:
                continue
            for cell in self._cells(self._page(number)):
                try:
                    record = self._parse_record(cell)
                except (IndexError, ValueError):
                    continue
                if len(record) == columns:
                    yield record

    def _page(self, number: int) -> memoryview:
        return self._data[(number - 1) * self._page_size : number * self._page_size]

    def _free_pages(self) -> set[int]:
        """Follow the list of free pages, which hold deleted records."""
        free: set[int] = set()
        trunk = int.from_bytes(self._data[32:36], "big")
        while trunk > 1 and trunk not in free and len(page := self._page(trunk)) == self._page_size:
            free.add(trunk)
            length = min(int.from_bytes(page[4:8], "big"), self._page_size // 4 - 2)
            free.update(
                int.from_bytes(page[at : at + 4], "big") for at in range(8, 8 + 4 * length, 4)
            )
            trunk = int.from_bytes(page[:4], "big")
        return free

    def _cells(self, page: memoryview) -> Iterator[memoryview]:
        kind = page[0]
        if kind not in (_INTERIOR, _LEAF):
            return
        first = 12 if kind == _INTERIOR else 8
        for number in range(int.from_bytes(page[3:5], "big")):
            at = first + 2 * number
            start = int.from_bytes(page[at : at + 2], "big") + (4 if kind == _INTERIOR else 0)
            if first < start < self._usable:
                yield page[start : self._usable]

    def _parse_record(self, cell: memoryview) -> Record:
        length, at = _varint(cell, 0)
        payload = self._payload(cell, length, at)
        header_end, at = _varint(payload, 0)
        types = []
        while at < header_end:
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
        """Join the part in the cell and, if the payload is long, its chain of overflow pages."""
        max_local = (self._usable - 12) * 64 // 255 - 23
        if length <= max_local:
            return cell[at : at + length]
        if length > len(self._data):
            raise ValueError(length)
        min_local = (self._usable - 12) * 32 // 255 - 23
        local = min_local + (length - min_local) % (self._usable - 4)
        local = local if local <= max_local else min_local
        parts = bytearray(cell[at : at + local])
        number = int.from_bytes(cell[at + local : at + local + 4], "big")
        while number and len(parts) < length:
            page = self._page(number)
            if len(page) < self._page_size:
                raise ValueError(number)
            parts += page[4 : min(self._usable, 4 + length - len(parts))]
            number = int.from_bytes(page[:4], "big")
        if len(parts) < length:
            raise ValueError(length)
        return memoryview(bytes(parts))


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Read a number of one to nine bytes; return it and the offset behind it."""
    value = 0
    for index in count(at):
        byte = data[index]
        if index - at == _VARINT_LAST:
            return value << 8 | byte, index + 1
        value = value << 7 | byte & _LOW_BITS
        if byte <= _LOW_BITS:
            return value, index + 1
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
