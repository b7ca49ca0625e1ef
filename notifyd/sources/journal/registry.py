"""What is remembered of the journal between two runs, and what of it is still to be committed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.dropped_entries import DroppedCount, DroppedEntries
from notifyd.sources.journal.units import Wanted
from notifyd.sources.records.aggregator import needs_aggregator
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues, StoredFields

PREFIX: Final = "journal:"
READ: Final = PREFIX + "read"
_ARMED: Final = PREFIX + "armed:"
_LANE: Final = PREFIX + "lane:"
_LOST: Final = PREFIX + "lost:"
CARRY: Final = PREFIX + "carry:"


class Armed(NamedTuple):
    """One unit pattern of one trigger."""

    trigger: str
    pattern: str

    def key(self) -> str:
        return f"{_ARMED}{self.trigger}:{self.pattern}"


class CatchUp(NamedTuple):
    """A reading apart from the others, from the journal's beginning up to where they began.

    units, without: which patterns of the trigger it serves, and which were served before.
    """

    trigger: str
    place: Cursor
    until: Cursor
    units: tuple[str, ...]
    without: tuple[str, ...]

    def encode(self) -> str:
        stored = {
            "place": self.place.to_row(),
            "until": self.until.to_row()[:2],
            "units": self.units,
            "without": self.without,
        }
        return json.dumps(stored, separators=(",", ":"))

    @classmethod
    def decode(cls, trigger: str, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        return cls(
            trigger,
            Cursor.from_row(fields, "place"),
            Cursor.from_row(fields, "until"),
            tuple(fields.texts("units")),
            tuple(fields.texts("without")),
        )


class JournalRegistry:
    """read: where the common reading stands; None before it was ever begun.

    lanes: by key. later: what the common reading gives only from some place on. end: where the
    journal ended before this reading began.
    """

    def __init__(
        self, triggers: Mapping[str, LogTriggerConfig], positions: Mapping[str, str]
    ) -> None:
        self._triggers = triggers
        self.read: Cursor | None = None
        self.end = Cursor()
        self.lanes: dict[str, CatchUp] = {}
        self.later: dict[Armed, Cursor] = {}
        self.news: dict[str, str | None] = {}
        """To be committed with the next reading; None forgets."""
        self.refused = RefusedValues("journal")
        self.losses = DroppedEntries(_LOST)
        self._unarmed = {
            armed: armed.key()
            for name, trigger in triggers.items()
            for armed in (Armed(name, pattern) for pattern in trigger.journal)
        }
        patterns = {key: armed for armed, key in self._unarmed.items()}
        for key, value in positions.items():
            if key in patterns:
                self._restore_armed(patterns[key], value)
            elif not self._restore(key, value):
                self.news[key] = None

    def _restore_armed(self, armed: Armed, value: str) -> None:
        del self._unarmed[armed]
        if not value:
            return
        try:
            self.later[armed] = Cursor.decode(value)
        except CheckpointValueError as error:
            self.news[armed.key()] = ""
            self._refuse(
                armed.key(),
                f"start of {armed.pattern} for trigger {armed.trigger}",
                error,
                "its entries count from where reading continues",
            )

    def _restore(self, key: str, value: str) -> bool:
        """Return whether to keep the key: it belongs to a trigger, and its value is usable."""
        if key == READ:
            return self._restore_read(value)
        if key.startswith(_LOST):
            return self._restore_lost(key.removeprefix(_LOST), value)
        if key.startswith(_LANE):
            return self._restore_lane(key, value)
        trigger = key.removeprefix(CARRY).partition(":")[2].partition(":")[0]
        return (
            key.startswith(CARRY)
            and trigger in self._triggers
            and needs_aggregator(self._triggers[trigger])
        )

    def _restore_read(self, value: str) -> bool:
        try:
            self.read = Cursor.decode(value)
        except CheckpointValueError as error:
            self._refuse(READ, "cursor", error, "reading starts at the end of the journal")
            return False
        return True

    def _restore_lost(self, trigger: str, value: str) -> bool:
        if trigger not in self._triggers:
            return False
        try:
            self.losses.restore(trigger, DroppedCount.decode(value))
        except CheckpointValueError as error:
            what = f"count of dropped entries of trigger {trigger}"
            self._refuse(_LOST + trigger, what, error, "the count restarts at 0")
            return False
        return True

    def _restore_lane(self, key: str, value: str) -> bool:
        trigger = key.removeprefix(_LANE).partition(":")[0]
        if trigger not in self._triggers:
            return False
        try:
            lane = CatchUp.decode(trigger, value)
        except CheckpointValueError as error:
            what = f"catch-up position of trigger {trigger}"
            self._refuse(key, what, error, "the earlier entries that it has not read are skipped")
            return False
        units = tuple(unit for unit in lane.units if unit in self._triggers[trigger].journal)
        self.lanes[key] = lane._replace(units=units)
        return bool(units)

    def _refuse(self, key: str, what: str, error: CheckpointValueError, consequence: str) -> None:
        self.refused.add(key, f"journal {what}", error, consequence)

    def arm(self, end: Cursor, back: Callable[[str, Sequence[str]], Cursor]) -> None:
        """Begin to listen, after the journal's last entry: what is new goes by `read_from`.

        back: how far back a trigger may read of some of its units.
        """
        self.end = end
        fresh: dict[str, list[str]] = {}
        for armed in self._unarmed:
            fresh.setdefault(armed.trigger, []).append(armed.pattern)
        lanes = [
            self._lane(name, back(name, patterns), end, patterns)
            for name, patterns in fresh.items()
            if self._triggers[name].read_from == "beginning" and end.cursor
        ]
        if self.read is None:
            self.go(end)
        for armed, key in self._unarmed.items():
            if self.read == end:
                self.news[key] = ""
            else:
                self.later[armed] = end
                self.news[key] = end.encode()
        for lane in lanes:
            self._branch(lane)
        self._unarmed = {}

    def _lane(self, name: str, place: Cursor, until: Cursor, patterns: Sequence[str]) -> CatchUp:
        journal = self._triggers[name].journal
        served = tuple(pattern for pattern in journal if pattern not in patterns)
        return CatchUp(name, place, until, tuple(patterns), served)

    def _branch(self, lane: CatchUp) -> None:
        number = 0
        while (key := f"{_LANE}{lane.trigger}:{number}") in self.lanes:
            number += 1
        self.replace(key, lane)

    def replace(self, key: str, lane: CatchUp) -> None:
        """Have a lane go on from somewhere else."""
        self.lanes[key] = lane
        self.news[key] = lane.encode()

    def go(self, place: Cursor) -> None:
        """Go on from somewhere else than where reading ended."""
        self.read = place
        self.news[READ] = place.encode()

    def wanted(self) -> dict[str, Wanted]:
        """Say what the common reading gives by now."""
        return {
            name: Wanted(tuple(p for p in trigger.journal if Armed(name, p) not in self.later))
            for name, trigger in self._triggers.items()
        }

    def reached(self, place: Cursor) -> Iterator[Armed]:
        """Name what counts from an entry on, as it is behind where listening began."""
        here = place.parsed
        for armed, place_before in list(self.later.items()):
            before = place_before.parsed
            if before is None or here is None or here.after(before):
                yield armed

    def open(self, armed: Armed) -> None:
        del self.later[armed]
        self.news[armed.key()] = ""

    def take(self) -> dict[str, str | None]:
        """Hand over what is to be committed."""
        news, self.news = self.news, {}
        return news
