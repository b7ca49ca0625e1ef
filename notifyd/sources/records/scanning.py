"""What logs and the journal ask of a matcher: whole blocks, and whole records, to be matched."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class HitLike(Protocol):
    """offset: where the line begins in the block. pattern: the number of the one that matched.

    Of records it is a first line; a negative `pattern` says that no record can match from there
    to the next hit.
    """

    @property
    def trigger(self) -> str: ...
    @property
    def offset(self) -> int: ...
    @property
    def line(self) -> str: ...
    @property
    def pattern(self) -> int: ...
    @property
    def fields(self) -> Mapping[str, str]: ...


class ScanLike(Protocol):
    """end: how far the block was scanned, behind a whole line."""

    @property
    def hits(self) -> Sequence[HitLike]: ...
    @property
    def end(self) -> int: ...


class ScannerLike(Protocol):
    """What finds the matching lines of whole blocks, until `limit` hits or `room` bytes of text.

    For a trigger with `multiline` these are first lines of records: of each that may match, of
    the one after it, of the first that begins in the block, and of the last.
    """

    @property
    def undecided(self) -> Mapping[str, int]: ...
    def scan(
        self, block: bytearray, start: int, end: int, *, limit: int, room: int
    ) -> ScanLike: ...


class RecordMatcherLike(Protocol):
    """What says of one record, its last LF off, whether it matches."""

    @property
    def undecided(self) -> Mapping[str, int]: ...
    def relax(self) -> None: ...
    def judge(self, record: bytes) -> HitLike | None: ...


ScannerFor = Callable[[tuple[str, ...]], ScannerLike]
"""Makes the scanner for these triggers together; may take seconds."""

RecordMatcherFor = Callable[[str], RecordMatcherLike]
"""Makes what judges the records of one trigger."""
