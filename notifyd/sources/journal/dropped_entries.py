"""Entries that journald's rate limit dropped, counted for the triggers that would have seen them.

journald reports them in an entry of its own, with the unit's next entry that it accepts.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from notifyd.model.health import Problem
from notifyd.sources.journal.entry import JournalEntry
from notifyd.sources.stored_values import StoredFields

_SHOWN_FOR: Final = 86_400.0
"""Seconds for which status shows a count. A report after that begins a new one."""


@dataclass(frozen=True, slots=True)
class DroppedCount:
    """The dropped entries of one trigger.

    unit, realtime: of journald's last report, in microseconds since the epoch. read_at: when that
    report was read, in seconds since the epoch.
    """

    count: int
    unit: str
    realtime: int
    read_at: float

    def encode(self) -> str:
        stored = {
            "count": self.count,
            "unit": self.unit,
            "stamp": self.realtime,
            "noted": self.read_at,
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

    def describe(self, trigger: str) -> str:
        moment = datetime.fromtimestamp(self.realtime / 1e6, tz=UTC).astimezone()
        what = "1 entry" if self.count == 1 else f"{self.count} entries"
        return (
            f"{trigger}: journald's rate limit dropped {what}, the last of "
            f"{self.unit or 'an unknown unit'} before {moment:%Y-%m-%d %H:%M:%S}; raise "
            "LogRateLimitBurst= in the unit, or RateLimitBurst= in journald.conf"
        )


class DroppedEntries:
    """Counts by trigger. A count is committed with the cursor of the reader that read the report.

    key_prefix: of the stored keys.
    """

    def __init__(self, key_prefix: str) -> None:
        self._key_prefix = key_prefix
        self._counts: Mapping[str, DroppedCount] = {}
        self._pending: dict[str, dict[str, DroppedCount]] = {}
        self._messages: list[str] = []

    def restore(self, trigger: str, stored: DroppedCount) -> None:
        self._counts = {**self._counts, trigger: stored}

    def add(self, reader: str, triggers: Iterable[str], entry: JournalEntry, wall: float) -> None:
        """Add an entry if it reports dropped ones. reader: its key."""
        if entry.suppressed is None:
            return
        pending = self._pending.setdefault(reader, {})
        for trigger in triggers:
            before = pending[trigger].count if trigger in pending else 0
            count, unit = before + entry.suppressed.number, entry.suppressed.unit
            pending[trigger] = DroppedCount(count, unit, entry.cursor.realtime, wall)

    def take_changes(self, reader: str) -> dict[str, str]:
        """Return what to commit with the cursor of a reader."""
        changes = {}
        for trigger, new in self._pending.pop(reader, {}).items():
            before = self._counts.get(trigger)
            if before is not None and new.read_at < before.read_at + _SHOWN_FOR:
                total = DroppedCount(before.count + new.count, new.unit, new.realtime, new.read_at)
            else:
                total = new
                self._messages.append(total.describe(trigger))
            # A new dictionary, because other threads iterate over the old one.
            self._counts = {**self._counts, trigger: total}
            changes[self._key_prefix + trigger] = total.encode()
        return changes

    def take_messages(self) -> list[str]:
        """Return the messages for the daemon's log: one when a count begins, none as it grows."""
        messages, self._messages = self._messages, []
        return messages

    def counts(self) -> Counter[str]:
        return Counter({trigger: dropped.count for trigger, dropped in self._counts.items()})

    def problems(self, wall: float) -> list[Problem]:
        return [
            Problem("lost", dropped.describe(trigger), subject=trigger, already_logged=True)
            for trigger, dropped in sorted(self._counts.items())
            if wall < dropped.read_at + _SHOWN_FOR
        ]
