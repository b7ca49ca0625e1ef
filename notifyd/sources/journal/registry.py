"""What is remembered of the journal between two runs, and what of it is still to be committed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.dropped_entries import DroppedEntries
from notifyd.sources.journal.units import Wanted
from notifyd.sources.records.aggregator import holds

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

    def text(self) -> str:
        until = [self.until.cursor, self.until.stamp]
        place = [self.place.cursor, self.place.stamp, self.place.gone]
        held = {"place": place, "until": until, "units": self.units, "without": self.without}
        return json.dumps(held, separators=(",", ":"))

    @classmethod
    def parse(cls, trigger: str, text: str) -> Self | None:
        """Read what `text` wrote; None for anything else."""
        try:
            held = json.loads(text)
            places = Cursor(*held["place"]), Cursor(*held["until"])
            return cls(trigger, *places, tuple(held["units"]), tuple(held["without"]))
        except (KeyError, TypeError, ValueError):
            return None


class JournalRegistry:
    """read: where the common reading stands; None before it was ever begun.

    lanes: by key. later: what the common reading gives only from some place on. end: where the
    journal ended before this reading began.
    """

    def __init__(
        self, triggers: Mapping[str, LogTriggerConfig], positions: Mapping[str, str]
    ) -> None:
        self._triggers = triggers
        self.read = Cursor.parse(positions[READ]) if READ in positions else None
        self.losses = DroppedEntries(_LOST, triggers, positions)
        self.end = Cursor()
        self.lanes: dict[str, CatchUp] = {}
        self.later: dict[Armed, Cursor] = {}
        self.news: dict[str, str | None] = {}
        """To be committed with the next reading; None forgets."""
        self._unarmed = {
            armed: armed.key()
            for name, trigger in triggers.items()
            for armed in (Armed(name, pattern) for pattern in trigger.journal)
        }
        known = {key: armed for armed, key in self._unarmed.items()}
        for key, value in positions.items():
            if key in known:
                del self._unarmed[known[key]]
                if value and (place := Cursor.parse(value)) is not None:
                    self.later[known[key]] = place
            elif not self._kept(key, value):
                self.news[key] = None

    def _kept(self, key: str, value: str) -> bool:
        """Take in what belongs to a trigger that there still is."""
        if key == READ:
            return True
        if key.startswith(_LOST):
            return key.removeprefix(_LOST) in self._triggers
        if key.startswith(_LANE):
            trigger = key.removeprefix(_LANE).partition(":")[0]
            lane = CatchUp.parse(trigger, value)
            if lane is None or trigger not in self._triggers:
                return False
            units = tuple(unit for unit in lane.units if unit in self._triggers[trigger].journal)
            self.lanes[key] = lane._replace(units=units)
            return bool(units)
        trigger = key.removeprefix(CARRY).partition(":")[2].partition(":")[0]
        return (
            key.startswith(CARRY) and trigger in self._triggers and holds(self._triggers[trigger])
        )

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
                self.news[key] = end.text()
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
        self.news[key] = lane.text()

    def go(self, place: Cursor) -> None:
        """Go on from somewhere else than where reading ended."""
        self.read = place
        self.news[READ] = place.text()

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
