"""Matches a log trigger against a file or standard input."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from notifyd.cli.exit_status import UsageError
from notifyd.cli.trigger_matcher import TriggerMatcher
from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.logs.discovery.access import COMPRESSED_SUFFIXES
from notifyd.sources.logs.reading.buffer import COMPRESSED_MAGIC
from notifyd.sources.records.aggregator import SURPLUS
from notifyd.text.visible import LongLine

_BLOCK_SIZE = 1 << 20
_BOM = b"\xef\xbb\xbf"


class FileMatches:
    """The matches of one trigger in a file. name: its path, or - for standard input.

    has_times: events carry their own time.
    """

    has_times = False

    def __init__(self, trigger: str, config: LogTriggerConfig, name: str) -> None:
        self._matcher = TriggerMatcher(trigger, config, "" if name == "-" else name)
        self._file = _open(name)
        self._long_line_limit = 0 if config.raw else config.max_line + SURPLUS

    @property
    def timed_out(self) -> Counter[str]:
        """Count the lines and records that ran out of time."""
        return self._matcher.timed_out

    def close(self) -> None:
        self._file.close()

    def events(self) -> Iterator[tuple[dict[str, object], Event]]:
        """Yield each matching line or record with its line number, from 1."""
        for chunk in _read_lines(self._file, self._long_line_limit):
            for number, event in self._matcher.match(*chunk):
                yield {"number": number}, event
        for number, event in self._matcher.finish():
            yield {"number": number}, event


class _LineBlock(NamedTuple):
    """Whole lines, or the part of an overlong one that counts. number: that of the first line."""

    block: bytearray
    start: int
    end: int
    number: int


def _open(name: str) -> io.RawIOBase:
    if name.endswith(COMPRESSED_SUFFIXES):
        raise UsageError(
            f"{name}: by its name it is compressed, and the daemon does not read compressed files; "
            "decompress it, for example with `zcat FILE | notifyd match TRIGGER -`"
        )
    try:
        return open(0 if name == "-" else name, "rb", buffering=0, closefd=name != "-")
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from None


def _read_lines(file: io.RawIOBase, long_line_limit: int) -> Iterator[_LineBlock]:
    """Yield blocks of whole lines. The last line needs no newline.

    long_line_limit: bytes of visible text that count of a line longer than a block. With 0, the
    beginning of the line counts as it is.
    """
    block, long_line = bytearray(_BLOCK_SIZE), LongLine(0)
    kept, number, is_skipping, is_started = 0, 1, False, False
    while size := _read(file, memoryview(block)[kept:]):
        start, end = 0, kept + size
        if not is_started and end >= len(_BOM):
            is_started = True
            if block.startswith(COMPRESSED_MAGIC):
                raise UsageError(
                    "the input is compressed, and the daemon does not read compressed files; "
                    "decompress it, for example with `zcat FILE | notifyd match TRIGGER -`"
                )
            start = len(_BOM) if block.startswith(_BOM) else 0
        if is_skipping:
            start = block.find(b"\n", 0, end) + 1
            is_skipping = start == 0
            piece = bytes(memoryview(block)[: start - 1 if start else end])
            long_line = long_line.extend(piece, long_line_limit)
            if is_skipping:
                continue
            if long_line_limit:
                text = bytearray(long_line.finish() + b"\n")
                yield _LineBlock(text, 0, len(text), number)
            number += 1
        line_end = block.rfind(b"\n", start, end) + 1
        if not line_end and start == 0 and end == len(block):
            if long_line_limit:
                long_line = LongLine(0).extend(bytes(block), long_line_limit)
            else:
                yield _LineBlock(block, start, end, number)
            kept, is_skipping = 0, True
            continue
        if line_end:
            yield _LineBlock(block, start, line_end, number)
            number += block.count(b"\n", start, line_end)
            start = line_end
        block[: end - start] = block[start:end]
        kept = end - start
    if is_skipping and long_line_limit:
        text = bytearray(long_line.finish())
        yield _LineBlock(text, 0, len(text), number)
    elif kept and not is_skipping:
        yield _LineBlock(block, 0, kept, number)


def _read(file: io.RawIOBase, buffer: memoryview) -> int:
    try:
        return file.readinto(buffer) or 0
    except OSError as error:
        raise UsageError(f"cannot read the input: {error.strerror}") from None
