"""One reading of the journal: what journalctl gives, folded turn by turn on the scanning thread."""

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import CheckpointUpdates, Event
from notifyd.sources.journal.aggregators import StreamAggregators
from notifyd.sources.journal.batch_scan import EVENTS, MOST, BatchScanner
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import Entry
from notifyd.sources.journal.entry_stream import EntryStream
from notifyd.sources.journal.identity import OwnUnit
from notifyd.sources.journal.registry import READ, CatchUp, JournalRegistry
from notifyd.sources.journal.subscriptions import Subscriptions
from notifyd.sources.journal.units import matches
from notifyd.sources.records.aggregator import SURPLUS
from notifyd.sources.records.scanning import RecordMatcherFor, ScannerLike
from notifyd.sources.records.staleness import StalenessTimer

_FLUSH: Final = 1.0
"""Seconds after which a place is committed though nothing matched."""
_GRACE: Final = 5.0
"""Seconds that journalctl gets to open the journal before its silence means anything."""


@dataclass(frozen=True, slots=True)
class JournalBatch:
    """What one turn brought.

    more: there is more to do at once. wake: monotonic time of the next turn, whatever comes.
    over: why journalctl gives nothing any more, empty if it read all; None while it goes on.
    """

    events: tuple[Event, ...]
    positions: CheckpointUpdates
    more: bool
    wake: float | None
    over: str | None


class JournalTailer:
    """lane: its key, empty for the common reading, which follows and never ends by itself."""

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        positions: Mapping[str, str],
        ledger: JournalRegistry,
        lane: str,
        *,
        command: Sequence[str],
        identity: OwnUnit,
        scanner_for: Callable[[tuple[str, ...]], ScannerLike],
        record_matcher_for: RecordMatcherFor,
        wall: Callable[[], float],
    ) -> None:
        self._triggers, self._ledger, self._key, self._wall = triggers, ledger, lane, wall
        self._lane: CatchUp | None = ledger.lanes[lane] if lane else None
        self._place = self._lane.place if self._lane else ledger.read or Cursor()
        self._silence = None if self._lane else StalenessTimer(triggers)
        self._streams = StreamAggregators(
            triggers,
            positions,
            lane=_number(lane),
            record_matcher_for=record_matcher_for,
            refused=ledger.refused,
        )
        self._fold = BatchScanner(triggers, self._streams, self._silence, scanner_for, self._time)
        self._routes = Subscriptions(triggers, ledger, self._lane)
        self._supply = EntryStream(
            command,
            self._place,
            matches(self._routes.units, os.geteuid()),
            follow=self._lane is None,
            most=max(trigger.max_line for trigger in triggers.values()) + SURPLUS,
            identity=identity,
        )
        self._entries: deque[Entry] = deque()
        self._heard: float | None = None
        self._started: float | None = None
        self._unsaved: float | None = None
        self._moved = False
        self._since = 0.0
        """When the place moved last, or was asked for as it did not."""
        self._beyond: Cursor | None = None
        """Where the place goes once all that was read is folded."""
        self._reached = False
        """Whether a lane came to where the common reading began."""

    def close(self) -> None:
        self._supply.close()

    def give_up(self) -> None:
        """End journalctl because nothing can be committed; from another thread."""
        self._supply.give_up()

    @property
    def descriptor(self) -> int:
        """What can be read when there is something to do."""
        return self._supply.descriptor

    @property
    def wanted(self) -> Sequence[str]:
        """Say what journalctl was asked for, in its own words."""
        return self._supply.wanted

    @property
    def following(self) -> bool:
        """Whether all was read that there was at the start."""
        return self._supply.following

    @property
    def heard(self) -> bool:
        """Whether any entry was for a trigger, whatever its patterns say."""
        return self._fold.heard

    def resting(self, now: float, least: float) -> Cursor | None:
        """Say where this reading stands if all is folded and nothing came for so long."""
        if not self.following or self._entries or now < self._since + least:
            return None
        self._since = now
        return self._place

    def advance(self, end: Cursor) -> None:
        """Move the place to an entry once what was read is folded: nothing else lies before it."""
        self._beyond = end

    @property
    def timed_out(self) -> Counter[str]:
        return self._streams.judges.timed_out

    def turn(self, now: float) -> JournalBatch:
        """Read what is there and fold a bounded part of it. now: monotonic seconds."""
        self._started = now if self._started is None else self._started
        if self._silence is not None:
            self._silence.begin_poll(now)
        dry = len(self._entries) < EVENTS and self._supply.over is None and self._read(now)
        events = self._folded(now)
        idle = not self._entries and (dry or self._supply.over is not None)
        if idle and (self._heard is not None or now > self._started + _GRACE):
            events += self._streams.flush(now)
        if self._lane is not None and self._supply.over is not None and not self._entries:
            events += self._end()
        if self._silence is not None:
            events += self._silence.evaluate(events, now, self._wall(), has_more=not idle)
        if idle and self._beyond is not None:
            self._advanced(self._beyond)
        if self._unsaved is None and (self._moved or self._streams.dirty or self._ledger.news):
            self._unsaved = now
        positions: CheckpointUpdates = {}
        done = idle and self._supply.over is not None
        if events or done or (self._unsaved is not None and now >= self._unsaved + _FLUSH):
            positions, self._unsaved = self._positions(), None
        return JournalBatch(
            tuple(events),
            positions,
            more=not idle,
            wake=self._wake(now),
            over=self._supply.over if done else None,
        )

    def _read(self, now: float) -> bool:
        """Take in what journalctl wrote; says whether there is nothing more at the moment."""
        following = self.following
        entries = self._supply.take()
        if following != self.following:
            self._started, self._heard, self._since = now, None, now
            self.advance(self._ledger.end)
        elif entries is not None:
            self._heard = now
        self._entries += self._due(entries or ())
        return entries is None

    def _due(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Leave out what is not this reading's any more, but the common one's."""
        until = self._lane.until if self._lane else Cursor()
        if until.parsed is None:
            return entries
        due = [entry for entry in entries if not entry.place.after(until)]
        if len(due) < len(entries) and not self._reached:
            self._reached = True
            self._supply.kill()
        return due

    def _folded(self, now: float) -> list[Event]:
        entries = self._routes.opened(list(islice(self._entries, MOST)))
        if not entries:
            return []
        end, events = self._fold.take(entries, self._routes.router, now)
        for _ in range(end):
            entry = self._entries.popleft()
            if entry.lost is not None:
                lines, records = self._routes.router.route((entry.lost.unit,))
                self._ledger.losses.note(self._key, lines + records, entry, self._wall())
        self._place, self._since = entries[end - 1].place, now
        self._moved = self._moved or any(not entry.sender.own for entry in entries[:end])
        return events

    def _advanced(self, end: Cursor) -> None:
        self._beyond = None
        if end.after(self._place):
            self._place = end
        if self._place != self._ledger.read:
            self._moved = True  # also past entries of our own, for which nothing is committed

    def _end(self) -> list[Event]:
        """Finish a lane: the common reading has all that comes after it."""
        if self._supply.over and not self._reached:
            return []
        self._supply.over = ""
        events = self._streams.flush(None)
        self._streams.forget()
        self._lane = None
        return events

    def _positions(self) -> CheckpointUpdates:
        self._moved = False
        positions = self._streams.take() | self._ledger.losses.take(self._key)
        if self._key:
            lane = self._lane and self._lane._replace(place=self._place).encode()
            return positions | {self._key: lane or None}
        self._ledger.read = self._place
        return positions | self._ledger.take() | {READ: self._place.encode()}

    def _wake(self, now: float) -> float | None:
        times = [self._streams.wake(now)]
        if self._silence is not None:
            times.append(self._silence.next_poll())
        if self._unsaved is not None:
            times.append(self._unsaved + _FLUSH)
        return min((time for time in times if time is not None), default=None)

    def _time(self, entry: Entry) -> float:
        return min(entry.place.stamp / 1e6, self._wall())


def _number(lane: str) -> str:
    """Shorten a lane's key to what tells its carries from others: its number."""
    return lane.rpartition(":")[2]
