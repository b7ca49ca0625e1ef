"""The journal's checkpoints: restored from the store, and collected until the next commit."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.dropped_entries import DroppedCount, DroppedEntries
from notifyd.sources.journal.units import UnitFilter
from notifyd.sources.records.aggregator import needs_aggregator
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues, StoredFields

_PREFIX: Final = "journal:"
_CURSOR: Final = _PREFIX + "read"
_ARMED: Final = _PREFIX + "armed:"
_CATCH_UP: Final = _PREFIX + "lane:"
_DROPPED: Final = _PREFIX + "lost:"
PENDING_RECORD: Final = _PREFIX + "carry:"
STALLED: Final = _PREFIX + "stalled:"
MAIN_READER: Final = ""
"""The key of the main reader, which reads for all triggers; a catch-up reader's is a stored key."""


class UnitPattern(NamedTuple):
    """One unit pattern of one trigger."""

    trigger: str
    pattern: str

    def key(self) -> str:
        return f"{_ARMED}{self.trigger}:{self.pattern}"


class CatchUp(NamedTuple):
    """What a catch-up reader reads: a trigger's entries from before the main reader's start.

    cursor: how far it has read. until: where the main reader took over. patterns: the trigger's
    unit patterns that it serves. served: those that were served before.
    """

    trigger: str
    cursor: Cursor
    until: Cursor
    patterns: tuple[str, ...]
    served: tuple[str, ...]

    @property
    def unit_filter(self) -> UnitFilter:
        return UnitFilter(self.patterns, self.served)

    def encode(self) -> str:
        stored = {
            "place": self.cursor.to_row(),
            "until": self.until.to_row()[:2],
            "units": self.patterns,
            "without": self.served,
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
    """cursor: of the main reader; None before it ever started. tail: the journal's end then.

    catch_ups: by the key of their reader. inactive: patterns whose entries count in the main
    reader only after a cursor. dropped: counts of dropped entries. refused: unusable checkpoints.
    """

    def __init__(
        self, triggers: Mapping[str, LogTriggerConfig], checkpoints: Mapping[str, str]
    ) -> None:
        self._triggers = triggers
        self.cursor: Cursor | None = None
        self.tail = Cursor()
        self.catch_ups: dict[str, CatchUp] = {}
        self.inactive: dict[UnitPattern, Cursor] = {}
        self.dropped = DroppedEntries(_DROPPED)
        self.refused = RefusedValues("journal")
        self._changes: dict[str, str | None] = {}
        patterns = {
            pattern.key(): pattern
            for name, trigger in triggers.items()
            for pattern in (UnitPattern(name, unit) for unit in trigger.journal)
        }
        self._unarmed = [pattern for key, pattern in patterns.items() if key not in checkpoints]
        for key, value in checkpoints.items():
            if key in patterns:
                self._restore_pattern(patterns[key], value)
            elif not self._restore(key, value):
                self._changes[key] = None

    def _restore_pattern(self, pattern: UnitPattern, value: str) -> None:
        if not value:
            return
        try:
            self.inactive[pattern] = Cursor.decode(value)
        except CheckpointValueError as error:
            self._changes[pattern.key()] = ""
            what = f"start of {pattern.pattern} for trigger {pattern.trigger}"
            consequence = "its entries count from where reading continues"
            self._refuse(pattern.key(), what, error, consequence)

    def _restore(self, key: str, value: str) -> bool:
        """Return whether to keep the key: it belongs to a trigger, and its value is usable."""
        if key == _CURSOR:
            return self._restore_cursor(value)
        if key.startswith(STALLED):  # they are deleted where they are used
            return True
        if key.startswith(_DROPPED):
            return self._restore_dropped(key.removeprefix(_DROPPED), value)
        if key.startswith(_CATCH_UP):
            return self._restore_catch_up(key, value)
        _, _, rest = key.removeprefix(PENDING_RECORD).partition(":")
        trigger = self._triggers.get(rest.partition(":")[0])
        return key.startswith(PENDING_RECORD) and trigger is not None and needs_aggregator(trigger)

    def _restore_cursor(self, value: str) -> bool:
        try:
            self.cursor = Cursor.decode(value)
        except CheckpointValueError as error:
            self._refuse(_CURSOR, "cursor", error, "reading starts at the end of the journal")
            return False
        return True

    def _restore_dropped(self, trigger: str, value: str) -> bool:
        if trigger not in self._triggers:
            return False
        try:
            self.dropped.restore(trigger, DroppedCount.decode(value))
        except CheckpointValueError as error:
            what = f"count of dropped entries of trigger {trigger}"
            self._refuse(_DROPPED + trigger, what, error, "the count restarts at 0")
            return False
        return True

    def _restore_catch_up(self, key: str, value: str) -> bool:
        trigger = key.removeprefix(_CATCH_UP).partition(":")[0]
        if trigger not in self._triggers:
            return False
        try:
            catch_up = CatchUp.decode(trigger, value)
        except CheckpointValueError as error:
            what = f"catch-up position of trigger {trigger}"
            self._refuse(key, what, error, "the earlier entries that it has not read are skipped")
            return False
        units = self._triggers[trigger].journal
        patterns = tuple(pattern for pattern in catch_up.patterns if pattern in units)
        self.catch_ups[key] = catch_up._replace(patterns=patterns)
        return bool(patterns)

    def _refuse(self, key: str, what: str, error: CheckpointValueError, consequence: str) -> None:
        self.refused.add(key, f"journal {what}", error, consequence)

    def arm(self, tail: Cursor, catch_up_start: Callable[[str, Sequence[str]], Cursor]) -> None:
        """Arm new patterns at the journal's end, and catch up where `read_from` says so.

        catch_up_start: returns how far back a trigger may read the entries of some patterns.
        """
        self.tail = tail
        unarmed: dict[str, list[str]] = {}
        for pattern in self._unarmed:
            unarmed.setdefault(pattern.trigger, []).append(pattern.pattern)
        catch_ups = [
            self._new_catch_up(name, catch_up_start(name, patterns), patterns)
            for name, patterns in unarmed.items()
            if self._triggers[name].read_from == "beginning" and tail.text
        ]
        if self.cursor is None:
            self.move_to(tail)
        for pattern in self._unarmed:
            if self.cursor == tail:
                self._changes[pattern.key()] = ""
            else:
                self.inactive[pattern] = tail
                self._changes[pattern.key()] = tail.encode()
        for catch_up in catch_ups:
            self.replace_catch_up(self._new_key(catch_up.trigger), catch_up)
        self._unarmed = []

    def _new_catch_up(self, name: str, start: Cursor, patterns: Sequence[str]) -> CatchUp:
        units = self._triggers[name].journal
        served = tuple(unit for unit in units if unit not in patterns)
        return CatchUp(name, start, self.tail, tuple(patterns), served)

    def _new_key(self, trigger: str) -> str:
        number = 0
        while (key := f"{_CATCH_UP}{trigger}:{number}") in self.catch_ups:
            number += 1
        return key

    def replace_catch_up(self, key: str, catch_up: CatchUp) -> None:
        self.catch_ups[key] = catch_up
        self._changes[key] = catch_up.encode()

    def move_to(self, cursor: Cursor) -> None:
        """Continue the main reader from another cursor."""
        self.cursor = cursor
        self._changes[_CURSOR] = cursor.encode()

    def active_filters(self) -> dict[str, UnitFilter]:
        """Return what the main reader gives each trigger at present."""
        return {
            name: UnitFilter(
                tuple(p for p in trigger.journal if UnitPattern(name, p) not in self.inactive)
            )
            for name, trigger in self._triggers.items()
        }

    def reached(self, cursor: Cursor) -> Iterator[UnitPattern]:
        """Yield the inactive patterns that count from this entry on."""
        here = cursor.parsed
        for pattern, start in list(self.inactive.items()):
            if start.parsed is None or here is None or here.is_after(start.parsed):
                yield pattern

    def activate(self, pattern: UnitPattern) -> None:
        del self.inactive[pattern]
        self._changes[pattern.key()] = ""

    @property
    def has_changes(self) -> bool:
        return bool(self._changes)

    def take_changes(self) -> dict[str, str | None]:
        """Return what to commit; None deletes a key."""
        changes, self._changes = self._changes, {}
        return changes
