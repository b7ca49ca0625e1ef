"""What a log trigger finds in a file or in standard input."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from notifyd.cli import UsageError
from notifyd.cli.findings import Findings
from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event

_BLOCK = 1 << 20
_BOM = b"\xef\xbb\xbf"


class Lines:
    """name: - for standard input."""

    def __init__(self, trigger: str, config: LogTriggerConfig, name: str) -> None:
        self._findings = Findings(trigger, config, "" if name == "-" else name)
        self._file = _opened(name)

    @property
    def undecided(self) -> Counter[str]:
        """Count the lines and records that ran out of time."""
        return self._findings.undecided

    def close(self) -> None:
        self._file.close()

    def events(self) -> Iterator[tuple[dict[str, object], Event]]:
        """Yield each matching line or record with its number in the file, from 1."""
        for piece in _pieces(self._file):
            for number, event in self._findings.of(*piece):
                yield {"number": number}, event
        for number, event in self._findings.rest():
            yield {"number": number}, event


def _opened(name: str) -> io.RawIOBase:
    try:
        return open(0 if name == "-" else name, "rb", buffering=0, closefd=name != "-")
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None


class _Piece(NamedTuple):
    """Whole lines, or the head of one too long; `number` is that of the first."""

    block: bytearray
    start: int
    end: int
    number: int


def _pieces(file: io.RawIOBase) -> Iterator[_Piece]:
    """Cut what comes into whole lines; the last one needs no newline."""
    block = bytearray(_BLOCK)
    kept, number, skipping, begun = 0, 1, False, False
    while got := _read(file, memoryview(block)[kept:]):
        start, end = 0, kept + got
        if not begun and end >= len(_BOM):
            begun = True
            start = len(_BOM) if block.startswith(_BOM) else 0
        if skipping:
            start = block.find(b"\n", 0, end) + 1
            skipping = start == 0
            if skipping:
                continue
            number += 1
        cut = block.rfind(b"\n", start, end) + 1
        if not cut and start == 0 and end == len(block):
            yield _Piece(block, start, end, number)
            kept, skipping = 0, True
            continue
        if cut:
            yield _Piece(block, start, cut, number)
            number += block.count(b"\n", start, cut)
            start = cut
        block[: end - start] = block[start:end]
        kept = end - start
    if kept and not skipping:
        yield _Piece(block, 0, kept, number)


def _read(file: io.RawIOBase, into: memoryview) -> int:
    try:
        return file.readinto(into) or 0
    except OSError as error:
        raise UsageError(f"reading failed: {error.strerror}") from None
