"""Where reading starts, and whether entries are missing that were not read."""

from collections.abc import Sequence
from datetime import UTC, datetime

from notifyd.model.errors import SourceError
from notifyd.model.health import Problem
from notifyd.sources.journal.access import access_problem
from notifyd.sources.journal.cursor import Cursor, ParsedCursor
from notifyd.sources.journal.entry import EntryDecoder
from notifyd.sources.journal.options import JournalSourceOptions
from notifyd.sources.journal.query import JournalQuery
from notifyd.sources.journal.registry import JournalRegistry
from notifyd.sources.journal.units import journalctl_matches, matches_any


class StartPosition:
    """failure: why the journal cannot be read, or empty. gap: what is missing, or empty."""

    def __init__(
        self, options: JournalSourceOptions, registry: JournalRegistry, query: JournalQuery
    ) -> None:
        self._options, self._registry, self._query = options, registry, query
        self._decoder = EntryDecoder(options.identity)
        self._access_problem = ""
        self.failure = self.gap = ""

    @property
    def problems(self) -> list[Problem]:
        problems = (
            Problem("journal", self.failure or self._access_problem),
            Problem("gap", self.gap, already_logged=True),
        )
        return [problem for problem in problems if problem.message]

    def find(self) -> bool:
        """Set the registry's cursors; returns whether the journal can be read. Takes seconds."""
        self._access_problem = access_problem(self._options.roots)
        try:
            last_entry = Cursor.of_entry(self._query.last_entry())
            tail = last_entry or Cursor("", int(self._options.wall() * 1e6))
            self._find_gaps(tail)
            self._registry.arm(tail, lambda name, units: self._catch_up_start(tail, name, units))
        except SourceError as error:
            self.failure = self._access_problem or str(error)
            return False
        self.failure = ""
        return True

    def _find_gaps(self, tail: Cursor) -> None:
        """Report, once, that entries are missing which a reader had not reached."""
        registry = self._registry
        for key, catch_up in registry.catch_ups.items():
            exists, moved = self._check(catch_up.cursor)
            if moved is not None:
                cursor = moved if exists else catch_up.until
                registry.replace_catch_up(key, catch_up._replace(cursor=cursor))
        stored = registry.cursor or Cursor()
        exists, moved = self._check(stored)
        if moved is not None and stored.parsed is not None:
            registry.move_to(moved if exists else self._restart_cursor(stored.parsed, tail))

    def _check(self, stored: Cursor) -> tuple[bool, Cursor | None]:
        """Look up the entry that was read last, or the one after a gap that was reported.

        Returns whether it or a later one exists, and another cursor if there is a new gap.
        """
        last_read = stored.parsed
        if last_read is None:
            return False, None
        entry = Cursor.of_entry(self._query.entry_at(stored))
        found, gap_end = entry.parsed if entry else None, ParsedCursor.parse(stored.gap_end)
        if found is not None and (
            found.is_same_entry(last_read)
            or found.is_next_to(last_read)
            or (gap_end is not None and found.is_same_entry(gap_end))
        ):
            return True, None
        self.gap = _describe_gap(stored, gap_end or last_read, found, was_read=gap_end is None)
        moved = Cursor(stored.text, stored.realtime, entry.text if entry else "")
        return found is not None, moved

    def _restart_cursor(self, last_read: ParsedCursor, tail: Cursor) -> Cursor:
        """Return where to continue if neither the last entry nor a later one exists.

        If the last entry was of another boot, the journal is a new one and its clock is behind:
        this boot's entries have not been read. Otherwise it is an older state of the journal, all
        of which has been read.
        """
        end = tail.parsed
        if end is None or end.boot == last_read.boot:
            return tail
        return Cursor.of_entry(self._query.last_entry_of_previous_boot()) or Cursor()

    def _catch_up_start(self, tail: Cursor, name: str, units: Sequence[str]) -> Cursor:
        """Go back from the journal's end until a trigger's `catch_up` is full of messages."""
        trigger = self._options.triggers[name]
        left = trigger.catch_up
        matches = journalctl_matches(units, self._options.identity.uid)
        for fields in self._query.read_backward(tail, matches, trigger.max_line):
            entry = self._decoder.decode(fields)
            if entry is not None and entry.message and matches_any(units, entry.sender.units):
                left -= len(entry.message) + 1
                if left < 0:
                    return entry.cursor
        return Cursor()


def _describe_gap(
    stored: Cursor, before: ParsedCursor, found: ParsedCursor | None, *, was_read: bool
) -> str:
    """Return a sentence. was_read: the entry before the gap was read."""
    moment = datetime.fromtimestamp(stored.realtime / 1e6, tz=UTC).astimezone()
    last = f"the last entry that was read, of {moment:%Y-%m-%d %H:%M:%S}"
    if found is not None and found.sequence == before.sequence and found.number > before.number:
        count = found.number - before.number - was_read
        later = "1 later entry was" if count == 1 else f"{count} later entries were"
        return (
            f"the journal no longer contains {last}: {later} deleted, of any unit, before notifyd "
            "could read them; raise SystemMaxUse= in journald.conf"
        )
    return (
        f"the journal does not contain {last}: it was replaced, or a part of it was deleted; "
        "entries that only that part contained were not read"
    )
