"""What decides whole records, made for a trigger when its first one comes."""

from collections import Counter
from collections.abc import Mapping

from notifyd.model.health import Problem
from notifyd.sources.records.scanning import HitLike, RecordMatcherFor, RecordMatcherLike


class RecordMatchers:
    """One for each trigger."""

    def __init__(self, judge_for: RecordMatcherFor) -> None:
        self._judge_for = judge_for
        self._judges: dict[str, RecordMatcherLike] = {}

    @property
    def undecided(self) -> Counter[str]:
        """Count by trigger the records that ran out of time."""
        late: Counter[str] = Counter()
        for judge in self._judges.values():
            late.update(judge.undecided)
        return late

    def relax(self) -> None:
        for judge in self._judges.values():
            judge.relax()

    def judge(self, trigger: str, record: bytes) -> HitLike | None:
        if trigger not in self._judges:
            self._judges[trigger] = self._judge_for(trigger)
        return self._judges[trigger].judge(record)


def late(undecided: Mapping[str, int]) -> list[Problem]:
    """Say of each trigger how many lines could not be decided."""
    return [
        Problem(
            "undecided",
            f"{trigger}: {count} line{'s' * (count > 1)} could not be decided in time, "
            "because a pattern backtracks without end",
            subject=trigger,
        )
        for trigger, count in sorted(undecided.items())
        if count
    ]
