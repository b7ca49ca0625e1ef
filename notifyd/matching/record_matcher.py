"""One trigger's patterns against a whole record of several lines."""

from collections.abc import Mapping

from notifyd.matching.verifier import Hit, PatternSet, Verifier


class RecordMatcher:
    """time_limit: seconds for one pattern on one record."""

    def __init__(self, rule: PatternSet, *, time_limit: float = 0.1) -> None:
        self._decider = Verifier([rule], time_limit)
        self._candidates = [(0, index) for index in range(len(rule.patterns))]

    @property
    def timed_out(self) -> Mapping[str, int]:
        """By trigger, how many records ran out of time. May be read from any thread."""
        return self._decider.undecided

    def reset_time_limits(self) -> None:
        """Restore the time limits of patterns that ran out of them."""
        self._decider.relax()

    def match(self, record: bytes) -> Hit | None:
        """Decide one record, its last LF off. In it every line ends with LF alone."""
        hits = self._decider.hits(record.replace(b"\r\n", b"\n"), 0, self._candidates)
        return hits[0] if hits else None
