"""Matches a log trigger against the journal, read to its end as the daemon reads it."""

import select
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from notifyd.config.triggers import LogTriggerConfig
from notifyd.engine.sources import pattern_set
from notifyd.matching import RecordMatcher, Scanner
from notifyd.model.errors import SourceError
from notifyd.model.events import Event
from notifyd.sources.journal.access import access_problem
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.options import JournalSourceOptions
from notifyd.sources.journal.registry import CatchUp, JournalRegistry
from notifyd.sources.journal.tailer import JournalTailer

_READER = "match"
"""The key of the catch-up reader, which reads from the first entry to the end."""
_POLL_TIMEOUT = 1.0
"""Seconds to wait for output of journalctl."""


class JournalMatches:
    """The matches of one trigger in the journal. has_times: events carry their own time."""

    has_times = True

    def __init__(self, name: str, config: LogTriggerConfig) -> None:
        self._units = config.journal
        self._access_problem = access_problem()
        self._scanner = Scanner([pattern_set(name, config)], cache=None)
        options = JournalSourceOptions(
            {name: config},
            scanner_for=lambda _: self._scanner,
            record_matcher_for=lambda _: RecordMatcher(pattern_set(name, config, records=True)),
            wall=time.time,
        )
        self._registry = JournalRegistry(options.triggers, {})
        everything = CatchUp(name, Cursor(), Cursor(), tuple(config.journal), ())
        self._registry.catch_ups[_READER] = everything
        self._tailer = JournalTailer(options, {}, self._registry, _READER)

    @property
    def timed_out(self) -> Counter[str]:
        """Count the entries that ran out of time."""
        return Counter(self._scanner.timed_out) + self._tailer.timed_out

    def close(self) -> None:
        self._tailer.close()

    def events(self) -> Iterator[tuple[dict[str, object], Event]]:
        """Yield each matching entry or record, oldest first, with its time and unit.

        Raise SourceError if the journal cannot be read.
        """
        while True:
            batch = self._tailer.poll(time.monotonic())
            for event in batch.events:
                moment = datetime.fromtimestamp(event.wall, UTC).astimezone()
                text = moment.isoformat(timespec="milliseconds")
                yield {"time": text, "unit": event.facts.get("unit", "")}, event
            if batch.end_reason:
                raise SourceError(self._access_problem or batch.end_reason)
            if batch.end_reason is not None:
                break
            if not batch.more:
                select.select([self._tailer.descriptor], [], [], _POLL_TIMEOUT)
        dropped = (problem.message for problem in self._registry.dropped.problems(time.time()))
        for warning in (*dropped, self._no_entries(), self._access_problem):
            if warning:
                print(warning, file=sys.stderr)

    def _no_entries(self) -> str:
        """Return a warning if there was no entry at all, as with a misspelt unit."""
        if self._tailer.has_routed or self._access_problem:
            return ""
        return (
            f"the journal has no entries of {' or '.join(self._units)}; "
            "`journalctl --field=_SYSTEMD_UNIT` lists the units that have some"
        )
