"""The record matchers of a reader's triggers, made when a trigger's first record ends."""

from collections import Counter
from collections.abc import Mapping

from notifyd.model.health import Problem
from notifyd.sources.records.scanning import HitLike, RecordMatcherFor, RecordMatcherLike


class RecordMatchers:
    """One matcher for each trigger."""

    def __init__(self, record_matcher_for: RecordMatcherFor) -> None:
        self._record_matcher_for = record_matcher_for
        self._matchers: dict[str, RecordMatcherLike] = {}

    @property
    def timed_out(self) -> Counter[str]:
        """By trigger, the number of records that no pattern decided within the time limit."""
        timed_out: Counter[str] = Counter()
        for matcher in self._matchers.values():
            timed_out.update(matcher.timed_out)
        return timed_out

    def reset_time_limits(self) -> None:
        for matcher in self._matchers.values():
            matcher.reset_time_limits()

    def match(self, trigger: str, record: bytes) -> HitLike | None:
        if trigger not in self._matchers:
            self._matchers[trigger] = self._record_matcher_for(trigger)
        return self._matchers[trigger].match(record)


def timed_out_problems(timed_out: Mapping[str, int]) -> list[Problem]:
    """Return a problem for each trigger with lines that no pattern decided in time."""
    return [
        Problem(
            "undecided",
            f"{trigger}: {count} line{'s' * (count > 1)} could not be decided in time, "
            "because a pattern backtracks without end; rewrite it without a repeat inside a repeat",
            subject=trigger,
        )
        for trigger, count in sorted(timed_out.items())
        if count
    ]
