"""Conditions of triggers with `stalled`: the number in the group `progress` stands still."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import AlertState, Event
from notifyd.sources.stored_values import (
    CheckpointValueError,
    RefusedValues,
    StoredFields,
    escape_path,
    unescape_path,
)
from notifyd.text.durations import format_duration

PROGRESS: Final = "progress"
_TOTAL: Final = "total"
_DONE: Final = "done"
_GAP: Final = 30.0
"""Seconds between two polls after which numbers may have been unable to arrive."""
_POLL_INTERVAL: Final = 15.0
"""Seconds between two polls, so that a gap is noticed."""
_MOST_PLACES: Final = 1000
"""Files or units of one trigger that are watched at once; the oldest give way."""
_CLIP: Final = 350
"""Characters kept of a line."""
_WHOLE: Final = re.compile(r"\s*(?:(%)|/\s*([0-9][0-9.,_]*[kKMGT]?))")
_IN_NUMBER: Final = "0123456789.,"
_THOUSANDS: Final = re.compile(r",(?=[0-9]{3}(?![0-9]))")


def is_watched(config: LogTriggerConfig, event: Event) -> bool:
    """Whether a trigger only watches the number of a line, which is no match then."""
    return config.stalled is not None and bool(event.fields.get(PROGRESS))


class Place(NamedTuple):
    """Where a trigger watches a number: a file, or a unit of the journal."""

    trigger: str
    name: str


@dataclass(slots=True)
class WatchedNumber:
    """The last number of one place, as text.

    shown: the number with what follows it, such as "42%" or "7/10". deadline: monotonic seconds.
    """

    number: str
    shown: str = ""
    line: str = ""
    deadline: float = inf
    is_stalled: bool = False

    def encode(self) -> str:
        stored = {
            "stalled": self.is_stalled,
            "number": self.number,
            "shown": self.shown,
            "line": self.line,
        }
        return json.dumps(stored, ensure_ascii=False)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        is_stalled = fields.boolean("stalled")
        return cls(
            fields.text("number"),
            fields.text("shown", ""),
            fields.text("line", ""),
            is_stalled=is_stalled,
        )


class ProgressTimer:
    """Emits FIRING once where a number stands still, and RESOLVED once it moves or is complete.

    A number is awaited from when it first moves, until it is complete: 100%, `10/10`, equal to the
    group `total`, or a line with the group `done` comes. Any other number counts as movement, also
    a lower one, as at the start of an epoch. Times are monotonic seconds.

    prefix: of the stored keys, which end with trigger, colon and place. refused: receives stored
    values that are not usable.
    """

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        stored: Mapping[str, str],
        *,
        prefix: str,
        refused: RefusedValues,
    ) -> None:
        self._triggers = {
            name: (trigger, trigger.stalled)
            for name, trigger in triggers.items()
            if trigger.stalled is not None
        }
        self._prefix = prefix
        self._watched: dict[Place, WatchedNumber] = {}
        self._changed: dict[str, str | None] = {}
        self._moved: set[Place] = set()
        self._resolved: list[tuple[Place, WatchedNumber]] = []
        self._unreported = set(self._triggers)
        """Triggers that may have been stalled before the start, though nothing stored shows it."""
        self._polled_at: float | None = None
        for key, value in stored.items():
            if key.startswith(prefix):
                self._restore(key, value, refused)

    def _restore(self, key: str, value: str, refused: RefusedValues) -> None:
        trigger, _, name = key.removeprefix(self._prefix).partition(":")
        if trigger not in self._triggers:
            self._changed[key] = None
            return
        try:
            self._watched[Place(trigger, unescape_path(name))] = WatchedNumber.decode(value)
        except CheckpointValueError as error:
            self._changed[key] = None
            what = f"progress of trigger {trigger} in {name}"
            refused.add(key, what, error, "it is watched again once its number moves")

    @property
    def triggers(self) -> set[str]:
        return set(self._triggers)

    def begin_poll(self, now: float) -> None:
        """Begin a poll. After a gap between polls, as after the start, all waits restart."""
        if self._polled_at is None or now > self._polled_at + _GAP:
            for place, watched in self._watched.items():
                if not watched.is_stalled:
                    watched.deadline = now + self._triggers[place.trigger][1]
        self._polled_at = now

    def take(self, events: Iterable[Event], now: float) -> list[Event]:
        """Observe the events with a number; return the others, which are matches."""
        if not self._triggers:
            return list(events)
        matches = []
        for event in events:
            if event.trigger not in self._triggers or event.alert_state is not AlertState.NONE:
                matches.append(event)
                continue
            place = Place(event.trigger, event.path or event.facts.get("unit", ""))
            if event.fields.get(_DONE):
                self._finish(place)
            if is_watched(self._triggers[event.trigger][0], event):
                self.observe(place, event.fields, event.line, now)
            else:
                matches.append(event)
        return matches

    def observe(
        self,
        place: Place,
        fields: Mapping[str, str],
        line: str,
        now: float,
        *,
        is_new: bool = True,
    ) -> None:
        """Observe a number. is_new: it was written since the last look, so somebody works there."""
        number = fields[PROGRESS]
        shown, is_complete = _position(number, fields.get(_TOTAL) or "", line)
        known = self._watched.get(place)
        if is_complete:
            self._finish(place, shown)
        elif known is None:
            if is_new:
                self._watch(place, WatchedNumber(number, shown, line[:_CLIP]), now)
        elif known.number == number:
            known.shown, known.line = shown, line[:_CLIP]
        else:
            was_stalled, known.is_stalled = known.is_stalled, False
            self._moved.add(place)
            known.number, known.shown, known.line = number, shown, line[:_CLIP]
            known.deadline = now + self._triggers[place.trigger][1]
            if was_stalled:
                self._store(place, known)
            self._mark_moved(place, known, was_stalled=was_stalled)

    def _watch(self, place: Place, watched: WatchedNumber, now: float) -> None:
        watched.deadline = now + self._triggers[place.trigger][1]
        others = [other for other in self._watched if other.trigger == place.trigger]
        if len(others) >= _MOST_PLACES:
            self._finish(others[0])
        self._watched[place] = watched
        self._store(place, watched)
        self._mark_moved(place, watched, was_stalled=False)

    def _finish(self, place: Place, shown: str = "") -> None:
        """Stop watching a number that is complete, until it starts over."""
        watched = self._watched.pop(place, None)
        if watched is None:
            return
        self._moved.discard(place)
        self._changed[self._key(place)] = None
        watched.shown = shown or watched.shown
        self._mark_moved(place, watched, was_stalled=watched.is_stalled)

    def _mark_moved(self, place: Place, watched: WatchedNumber, *, was_stalled: bool) -> None:
        if was_stalled or place.trigger in self._unreported:
            self._resolved.append((place, watched))
        self._unreported.discard(place.trigger)

    def evaluate(self, now: float, wall: float, *, has_more: bool) -> list[Event]:
        """Return the changed conditions. has_more: input is left to read, so nothing is stalled."""
        events = [
            self._event(place, watched, wall, AlertState.RESOLVED)
            for place, watched in self._resolved
            if not self._is_stalled_elsewhere(place)
        ]
        self._resolved.clear()
        due = [
            place
            for place, watched in self._watched.items()
            if not watched.is_stalled and watched.deadline <= now and not has_more
        ]
        for place in due:
            watched = self._watched[place]
            if not self._is_stalled_elsewhere(place):
                events.append(self._event(place, watched, wall, AlertState.FIRING))
            watched.is_stalled = True
            self._store(place, watched)
        return events

    def _is_stalled_elsewhere(self, place: Place) -> bool:
        """Whether another place keeps the condition of the trigger's only group."""
        groups = self._triggers[place.trigger][0].group_by or ()
        if {"path", "unit"}.intersection(groups):
            return False
        return any(
            watched.is_stalled and other.trigger == place.trigger and other != place
            for other, watched in self._watched.items()
        )

    def next_poll(self) -> float | None:
        """Return when the next poll is due; None if nothing can stall."""
        deadlines = [
            watched.deadline for watched in self._watched.values() if not watched.is_stalled
        ]
        if not deadlines or self._polled_at is None:
            return None
        return min(self._polled_at + _POLL_INTERVAL, *deadlines)

    @property
    def has_changes(self) -> bool:
        return bool(self._changed)

    def take_changes(self) -> dict[str, str | None]:
        """Return what is to be committed with the events, by stored key, once.

        A number that has only moved is stored with whatever else is, and causes no commit.
        """
        for place in self._moved:
            self._store(place, self._watched[place])
        self._moved.clear()
        changes, self._changed = self._changed, {}
        return changes

    def _store(self, place: Place, watched: WatchedNumber) -> None:
        self._changed[self._key(place)] = watched.encode()

    def _key(self, place: Place) -> str:
        return f"{self._prefix}{place.trigger}:{escape_path(place.name)}"

    def _event(self, place: Place, watched: WatchedNumber, wall: float, state: AlertState) -> Event:
        trigger, stalled = self._triggers[place.trigger]
        at = f" at {watched.shown}" if watched.shown else ""
        if state is AlertState.FIRING:
            line = f"stalled{at} for {format_duration(stalled)} in {place.name}"
        else:
            line = f"moving again{at} in {place.name}"
        facts = {"event": "stalled", "value": watched.shown, "after": watched.line}
        path = place.name if trigger.paths else ""
        if not trigger.paths:
            facts["unit"] = place.name
        return Event(place.trigger, wall, line, path, facts=facts, alert_state=state)


def _position(number: str, total: str, line: str) -> tuple[str, bool]:
    """Return a number with its whole, as far as that is known, and whether it is complete."""
    if total:
        return f"{number}/{total}", _has_reached(number, total)
    found = _find_whole(number, line)
    if found is None:
        return number, False
    if found[1]:
        return f"{number}%", _has_reached(number, "100")
    return f"{number}/{found[2]}", _has_reached(number, found[2])


def _find_whole(number: str, line: str) -> re.Match[str] | None:
    """Find what follows a number in its line: `%`, or `/` and the whole."""
    start = line.find(number)
    while start >= 0:
        end = start + len(number)
        is_entire = start == 0 or line[start - 1] not in _IN_NUMBER
        if is_entire and (found := _WHOLE.match(line, end)) is not None:
            return found
        start = line.find(number, end)
    return None


def _has_reached(number: str, total: str) -> bool:
    try:
        return _to_float(number) >= _to_float(total)
    except ValueError:
        return number == total


def _to_float(number: str) -> float:
    """Read a number whose comma separates thousands or, as in much of Europe, decimals."""
    return float(_THOUSANDS.sub("", number).replace(",", "."))
