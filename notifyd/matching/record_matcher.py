"""Matches the patterns of one trigger against whole records of several lines."""

from collections.abc import Mapping

from notifyd.matching.verifier import Hit, PatternSet, Verifier


class RecordMatcher:
    """time_limit: seconds for one pattern on one record."""

    def __init__(self, pattern_set: PatternSet, *, time_limit: float = 0.1) -> None:
        self._verifier = Verifier([pattern_set], time_limit)
        self._candidates = [(0, index) for index in range(len(pattern_set.patterns))]

    @property
    def timed_out(self) -> Mapping[str, int]:
        """Count the records that ran out of time, by trigger. May be read from any thread."""
        return self._verifier.timed_out

    def reset_time_limits(self) -> None:
        """Restore the limits of patterns that ran out of time."""
        self._verifier.reset_time_limits()

    def match(self, record: bytes) -> Hit | None:
        """Match one record, without its last LF. CRLF inside it counts as LF."""
        hits = self._verifier.verify(record.replace(b"\r\n", b"\n"), 0, self._candidates)
        return hits[0] if hits else None
