"""What journald dropped because a unit wrote too much: counted for who listens to it, and told.

journald says so in an entry of its own, with the next one that it lets through.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from notifyd.model.health import Problem
from notifyd.sources.journal.entry import Entry
from notifyd.sources.stored_values import StoredFields

_TOLD: Final = 86_400.0
"""Seconds for which status tells a loss; one that comes later begins a new count."""


@dataclass(frozen=True, slots=True)
class DroppedCount:
    """What one trigger lost. unit, stamp: of the last report, as an entry has them.

    noted: when it was read, in seconds since the epoch.
    """

    count: int
    unit: str
    stamp: int
    noted: float

    def encode(self) -> str:
        stored = {
            "count": self.count,
            "unit": self.unit,
            "stamp": self.stamp,
            "noted": self.noted,
        }
        return json.dumps(stored, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        return cls(
            fields.integer("count"),
            fields.text("unit"),
            fields.microseconds("stamp"),
            fields.seconds("noted"),
        )

    def sentence(self, trigger: str) -> str:
        moment = datetime.fromtimestamp(self.stamp / 1e6, tz=UTC).astimezone()
        what = "1 entry" if self.count == 1 else f"{self.count} entries"
        return (
            f"{trigger}: journald dropped {what}, the last of {self.unit or 'an unknown unit'} "
            f"before {moment:%Y-%m-%d %H:%M:%S}, because more came at once than it lets through; "
            "LogRateLimitBurst= in the unit or RateLimitBurst= in journald.conf allows more"
        )


class DroppedEntries:
    """By trigger. A loss is committed with the place of the reading that met it."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._known: Mapping[str, DroppedCount] = {}
        self._pending: dict[str, dict[str, DroppedCount]] = {}
        self._news: list[str] = []

    def restore(self, trigger: str, stored: DroppedCount) -> None:
        self._known = {**self._known, trigger: stored}

    def note(self, reading: str, triggers: Iterable[str], entry: Entry, wall: float) -> None:
        """Take note of an entry that reports a loss."""
        if entry.lost is None:
            return
        pending = self._pending.setdefault(reading, {})
        for trigger in triggers:
            before = pending[trigger].count if trigger in pending else 0
            count, unit = before + entry.lost.number, entry.lost.unit
            pending[trigger] = DroppedCount(count, unit, entry.place.stamp, wall)

    def take(self, reading: str) -> dict[str, str]:
        """Hand over what is to be committed with the place of a reading."""
        texts = {}
        for trigger, loss in self._pending.pop(reading, {}).items():
            before = self._known.get(trigger)
            if before is not None and loss.noted < before.noted + _TOLD:
                total = DroppedCount(before.count + loss.count, loss.unit, loss.stamp, loss.noted)
            else:
                total = loss
                self._news.append(total.sentence(trigger))
            self._known = {**self._known, trigger: total}  # anew: other threads iterate over it
            texts[self._prefix + trigger] = total.encode()
        return texts

    def news(self) -> list[str]:
        """Hand over for the daemon's log what began to be lost: that goes on is no news."""
        news, self._news = self._news, []
        return news

    def counts(self) -> Counter[str]:
        return Counter({trigger: loss.count for trigger, loss in self._known.items()})

    def problems(self, wall: float) -> list[Problem]:
        """Say in a sentence for each trigger what it lost lately."""
        known = sorted(self._known.items())
        return [
            Problem("lost", loss.sentence(trigger), subject=trigger, already_logged=True)
            for trigger, loss in known
            if wall < loss.noted + _TOLD
        ]
