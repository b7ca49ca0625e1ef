"""What logs and the journal have in common: their options, and what they need of a matcher."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from notifyd.config.triggers import LogTriggerConfig


class HitLike(Protocol):
    """offset: where the line begins in the block. pattern: the index of the one that matched.

    In records, a hit is a first line. A negative `pattern` says that no record can match from there
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
    """end: the end of what was scanned, always after a whole line."""

    @property
    def hits(self) -> Sequence[HitLike]: ...
    @property
    def end(self) -> int: ...


class ScannerLike(Protocol):
    """Finds the matching lines of a block, until there are `limit` hits or `room` bytes of text.

    For a trigger with `multiline`, the hits are first lines of records: of each that can match, of
    the one after it, of the first that begins in the block, and of the last.
    timed_out: by trigger, the number of lines that no pattern decided within the time limit.
    """

    @property
    def timed_out(self) -> Mapping[str, int]: ...
    def scan(
        self, block: bytearray, start: int, end: int, *, limit: int, room: int
    ) -> ScanLike: ...


class RecordMatcherLike(Protocol):
    """Matches one record, without its last LF."""

    @property
    def timed_out(self) -> Mapping[str, int]: ...
    def reset_time_limits(self) -> None: ...
    def match(self, record: bytes) -> HitLike | None: ...


ScannerFor = Callable[[tuple[str, ...]], ScannerLike]
"""Makes a scanner for several triggers. Blocking: compiling the patterns can take seconds."""

RecordMatcherFor = Callable[[str], RecordMatcherLike]
"""Makes the record matcher of one trigger."""


@dataclass(frozen=True, slots=True)
class LineSourceOptions:
    """wall: returns seconds since the epoch."""

    triggers: Mapping[str, LogTriggerConfig]
    scanner_for: ScannerFor
    record_matcher_for: RecordMatcherFor
    wall: Callable[[], float]
