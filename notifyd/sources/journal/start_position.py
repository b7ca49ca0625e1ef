"""Where reading begins, found out before it does; and what is gone of what was not read."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.errors import SourceError
from notifyd.model.health import Problem
from notifyd.sources.journal import access
from notifyd.sources.journal.cursor import Cursor, ParsedCursor
from notifyd.sources.journal.entry import Reader
from notifyd.sources.journal.identity import OwnUnit
from notifyd.sources.journal.query import JournalQuery
from notifyd.sources.journal.registry import JournalRegistry
from notifyd.sources.journal.units import listed, matches


class StartPosition:
    """dead: why the journal cannot be read, if so. gap: what is gone unread, if anything.

    All of it may take seconds.
    """

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        ledger: JournalRegistry,
        inquiry: JournalQuery,
        *,
        identity: OwnUnit,
        roots: tuple[Path, ...],
        wall: Callable[[], float],
    ) -> None:
        self._triggers, self._ledger, self._inquiry = triggers, ledger, inquiry
        self._identity, self._roots, self._wall = identity, roots, wall
        self._reader = Reader(identity)
        self._trouble = ""
        self.dead = self.gap = ""

    @property
    def problems(self) -> list[Problem]:
        """Tell what is wrong, and what was: a gap is never over."""
        found = (
            Problem("journal", self.dead or self._trouble),
            Problem("gap", self.gap, already_logged=True),
        )
        return [problem for problem in found if problem.message]

    def ready(self) -> bool:
        """Find out where to begin; says whether the journal answers."""
        self._trouble = access.trouble(self._roots)
        try:
            end = Cursor.of(self._inquiry.last()) or Cursor("", int(self._wall() * 1e6))
            self._check(end)
            self._ledger.arm(end, lambda name, units: self._back(end, name, units))
        except SourceError as error:
            self.dead = self._trouble or str(error)
            return False
        self.dead = ""
        return True

    def _check(self, end: Cursor) -> None:
        """Say so, once, if entries are gone that a reading had not come to."""
        ledger = self._ledger
        for key, lane in ledger.lanes.items():
            found, later = self._looked(lane.place)
            if later is not None:
                ledger.replace(key, lane._replace(place=later if found else lane.until))
        stored = ledger.read or Cursor()
        found, later = self._looked(stored)
        if later is not None and stored.parsed is not None:
            ledger.go(later if found else self._elsewhere(stored.parsed, end))

    def _looked(self, stored: Cursor) -> tuple[bool, Cursor | None]:
        """Look whether the entry that was read last is there, or one that was told to be the next.

        Says whether that or a later one is there, and the place from now on if it is another one.
        """
        before = stored.parsed
        if before is None:
            return False, None
        found = Cursor.of(self._inquiry.first(stored))
        here, told = found.parsed if found else None, ParsedCursor.parse(stored.gone)
        if here is not None and (
            here.same(before) or here.next_to(before) or (told is not None and here.same(told))
        ):
            return True, None
        self.gap = _gap(stored, told or before, here, known=told is None)
        return here is not None, Cursor(stored.cursor, stored.stamp, found.cursor if found else "")

    def _elsewhere(self, before: ParsedCursor, end: Cursor) -> Cursor:
        """Choose where to go on if neither the last entry is there nor anything later.

        What this boot wrote was not read before, if that was in another one: the journal began
        anew, and the clock was behind. Else it is an older state of what was read already.
        """
        now = end.parsed
        if now is None or now.boot == before.boot:
            return end
        return Cursor.of(self._inquiry.before_boot()) or Cursor()

    def _back(self, end: Cursor, name: str, units: Sequence[str]) -> Cursor:
        """Go back from the journal's end until a trigger's `catch_up` is full of messages."""
        trigger = self._triggers[name]
        left = trigger.catch_up
        words = matches(units, self._identity.uid)
        for fields in self._inquiry.backwards(end, words, trigger.max_line):
            entry = self._reader.entry(fields)
            if entry is not None and entry.message and listed(units, entry.sender.units):
                left -= len(entry.message) + 1
                if left < 0:
                    return entry.place
        return Cursor()


def _gap(stored: Cursor, before: ParsedCursor, here: ParsedCursor | None, *, known: bool) -> str:
    """Write the sentence. known: that the entry before those that are gone was read."""
    moment = datetime.fromtimestamp(stored.stamp / 1e6, tz=UTC).astimezone()
    last = f"of {moment:%Y-%m-%d %H:%M:%S}"
    if here is not None and here.sequence == before.sequence and here.number > before.number:
        count = here.number - before.number - known
        later = "1 later entry" if count == 1 else f"{count} later entries"
        return (
            f"the journal no longer has the entry that was read last, {last}: {later}, of whatever "
            "unit, went before notifyd could look; SystemMaxUse= in journald.conf keeps more"
        )
    return (
        f"the journal has no entry like the one that was read last, {last}: it is another journal, "
        "or a part of it was removed, and what was only in that part was not seen"
    )
