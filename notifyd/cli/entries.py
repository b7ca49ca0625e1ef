"""What a log trigger finds in the journal as it is now: the daemon's own reading, to its end."""

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
from notifyd.sources.journal import access
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.identity import own
from notifyd.sources.journal.registry import CatchUp, JournalRegistry
from notifyd.sources.journal.tailer import JournalTailer

_LANE = "match"
_PATIENCE = 1.0
"""Seconds between two turns though nothing comes."""


class Entries:
    def __init__(self, name: str, config: LogTriggerConfig) -> None:
        triggers = {name: config}
        self._ledger = ledger = JournalRegistry(triggers, {})
        ledger.lanes[_LANE] = CatchUp(name, Cursor(), Cursor(), tuple(config.journal), ())
        self._trouble, self._units = access.trouble(), config.journal
        self._scanner = Scanner([pattern_set(name, config)], cache=None)
        self._follower = JournalTailer(
            triggers,
            {},
            ledger,
            _LANE,
            command=(access.COMMAND,),
            identity=own(),
            scanner_for=lambda _: self._scanner,
            record_matcher_for=lambda _: RecordMatcher(pattern_set(name, config, records=True)),
            wall=time.time,
        )

    @property
    def undecided(self) -> Counter[str]:
        """Count the entries that ran out of time."""
        return Counter(self._scanner.timed_out) + self._follower.timed_out

    def close(self) -> None:
        self._follower.close()

    def events(self) -> Iterator[tuple[dict[str, object], Event]]:
        """Yield what matches, oldest first, with its time and unit: entries have no numbers.

        SourceError if the journal cannot be read.
        """
        while True:
            batch = self._follower.turn(time.monotonic())
            for event in batch.events:
                moment = datetime.fromtimestamp(event.wall, UTC).astimezone()
                told = moment.isoformat(timespec="milliseconds")
                yield {"time": told, "unit": event.facts.get("unit", "")}, event
            if batch.over:
                raise SourceError(self._trouble or batch.over)
            if batch.over is not None:
                break
            if not batch.more:
                select.select([self._follower.descriptor], [], [], _PATIENCE)
        lost = (problem.message for problem in self._ledger.losses.problems(time.time()))
        for said in (*lost, self._nothing(), self._trouble):
            if said:
                print(said, file=sys.stderr)

    def _nothing(self) -> str:
        """Say so if there was nothing to look at, which a mistaken name looks like."""
        if self._follower.heard or self._trouble:
            return ""
        return (
            f"the journal has no entry of {' or '.join(self._units)}; "
            "journalctl --field=_SYSTEMD_UNIT lists the units that wrote any"
        )
