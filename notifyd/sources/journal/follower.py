"""One reading of the journal: what journalctl gives, folded turn by turn on the scanning thread."""

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from notifyd.config.triggers import LogTrigger
from notifyd.model import Event, Positions
from notifyd.sources.journal.child import Journalctl
from notifyd.sources.journal.cursor import Place
from notifyd.sources.journal.entry import Entry, Identity, Reader
from notifyd.sources.journal.export import Parser
from notifyd.sources.journal.fold import EVENTS, MOST, Fold
from notifyd.sources.journal.ledger import READ, Lane, Ledger
from notifyd.sources.journal.streams import Streams
from notifyd.sources.journal.units import Router, Wanted, matches
from notifyd.sources.records.scanning import JudgeFor, ScannerLike
from notifyd.sources.records.silence import Silence

_FLUSH: Final = 1.0
"""Seconds after which a place is committed though nothing matched."""
_GRACE: Final = 5.0
"""Seconds that journalctl gets to open the journal before its silence means anything."""
_STALLED: Final = "journalctl was ended, because nothing could be stored for too long"
_MORE: Final = 2
"""Bytes kept of a message beyond what patterns see: enough to know that it was cut."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one turn brought.

    more: there is more to do at once. wake: monotonic time of the next turn, whatever comes.
    over: why journalctl gives nothing any more, empty if it read all; None while it goes on.
    """

    events: tuple[Event, ...]
    positions: Positions
    more: bool
    wake: float | None
    over: str | None


class Follower:
    """lane: its key, empty for the common reading, which follows and never ends by itself."""

    def __init__(
        self,
        triggers: Mapping[str, LogTrigger],
        positions: Mapping[str, str],
        ledger: Ledger,
        lane: str,
        *,
        command: Sequence[str],
        identity: Identity,
        scanner_for: Callable[[tuple[str, ...]], ScannerLike],
        judge_for: JudgeFor,
        wall: Callable[[], float],
    ) -> None:
        self._triggers, self._ledger, self._key, self._wall = triggers, ledger, lane, wall
        self._lane: Lane | None = ledger.lanes[lane] if lane else None
        self._place = self._lane.place if self._lane else ledger.read or Place()
        self._silence = None if self._lane else Silence(triggers)
        self._streams = Streams(triggers, positions, lane=_number(lane), judge_for=judge_for)
        self._fold = Fold(triggers, self._streams, self._silence, scanner_for, self._time)
        self._router = self._routed()
        most = max(trigger.max_line for trigger in triggers.values()) + _MORE
        self._parser, self._reader = Parser(most), Reader(identity)
        units = [unit for wanted in self._all().values() for unit in wanted.units]
        self._words = (command, matches(units, os.geteuid()))
        self._following = False
        self._asked: Place | None
        """Where journalctl begins, until its first entry came: that may be the very one."""
        self.child = self._journalctl(self._place)
        self._entries: deque[Entry] = deque()
        self._heard: float | None = None
        self._started: float | None = None
        self._unsaved: float | None = None
        self._moved = False
        self._over: str | None = None
        self._stalled = False
        self._reached = False
        """Whether a lane came to where the common reading began."""

    def _journalctl(self, place: Place) -> Journalctl:
        command, words = self._words
        child = Journalctl(command, place, words, follow=self._following)
        self._asked = place
        return child

    def close(self) -> None:
        self.child.close()

    def give_up(self) -> None:
        """End journalctl because nothing can be committed; from another thread."""
        self._stalled = True
        self.child.kill()

    @property
    def undecided(self) -> Counter[str]:
        return self._streams.judges.undecided

    def turn(self, now: float) -> Batch:
        """Read what is there and fold a bounded part of it. now: monotonic seconds."""
        self._started = now if self._started is None else self._started
        if self._silence is not None:
            self._silence.turn(now)
        dry = self._read(now) if len(self._entries) < EVENTS and self._over is None else False
        events = self._folded(now)
        idle = not self._entries and (dry or self._over is not None)
        if idle and (self._heard is not None or now > self._started + _GRACE):
            events += self._streams.flush(now)
        if self._lane is not None and self._over is not None and not self._entries:
            events += self._end()
        if self._silence is not None:
            events += self._silence.overdue(events, now, self._wall(), more=not idle)
        if self._unsaved is None and (self._moved or self._streams.dirty or self._ledger.news):
            self._unsaved = now
        positions: Positions = {}
        done = idle and self._over is not None
        if events or done or (self._unsaved is not None and now >= self._unsaved + _FLUSH):
            positions, self._unsaved = self._positions(), None
        return Batch(
            tuple(events),
            positions,
            more=not idle,
            wake=self._wake(now),
            over=self._over if done else None,
        )

    def _read(self, now: float) -> bool:
        """Take in what journalctl wrote; says whether there is nothing more at the moment."""
        chunk = self.child.read()
        if chunk is None:
            return self._ended(now)
        if not chunk:
            return True
        self._heard = now
        for fields in self._parser.feed(chunk):
            entry = self._reader.entry(fields)
            if entry is not None and not self._behind(entry):
                self._entries.append(entry)
        return False

    def _ended(self, now: float) -> bool:
        """Go over from what was there to what comes; says whether there was nothing to go over to.

        At first all is read that there is, because to follow means to see nothing of earlier boots.
        """
        over = _STALLED if self._stalled else self.child.ended()
        if over or self._lane is not None or self._following:
            self._over = over
            return True
        self.child.close()
        self._following, self._started, self._heard = True, now, None
        self.child = self._journalctl(self._entries[-1].place if self._entries else self._place)
        return False

    def _behind(self, entry: Entry) -> bool:
        """Whether an entry was given before, or is not this reading's any more."""
        asked, self._asked = self._asked, None
        before, here = asked.parsed if asked else None, entry.place.parsed
        if before is not None and here is not None and here.same(before):
            return True
        until = self._lane.until.parsed if self._lane else None
        if until is None or here is None or not here.after(until):
            return False
        if not self._reached:
            self._reached = True
            self.child.kill()  # what comes now is for the common reading
        return True

    def _folded(self, now: float) -> list[Event]:
        entries = list(islice(self._entries, MOST))
        if self._lane is None and self._ledger.later:
            entries = self._opened(entries)
        if not entries:
            return []
        end, events = self._fold.take(entries, self._router, now)
        for _ in range(end):
            self._entries.popleft()
        self._place = entries[end - 1].place
        self._moved = self._moved or any(not entry.sender.own for entry in entries[:end])
        return events

    def _opened(self, entries: list[Entry]) -> list[Entry]:
        """Take entries only up to one from which on more counts than before."""
        for number, entry in enumerate(entries):
            fresh = list(self._ledger.reached(entry.place))
            if fresh and number:
                return entries[:number]
            for armed in fresh:
                self._ledger.open(armed)
                self._router = self._routed()
        return entries

    def _routed(self) -> Router:
        if self._lane is not None:
            return Router(self._triggers, self._all())
        return Router(self._triggers, self._ledger.wanted())

    def _all(self) -> dict[str, Wanted]:
        """Say what this reading gives, sooner or later."""
        if self._lane is not None:
            return {self._lane.trigger: Wanted(self._lane.units, self._lane.without)}
        return {name: Wanted(tuple(trigger.journal)) for name, trigger in self._triggers.items()}

    def _end(self) -> list[Event]:
        """Finish a lane: the common reading has all that comes after it."""
        if self._over and not self._reached:
            return []
        self._over = ""
        events = self._streams.flush(None)
        self._streams.forget()
        self._lane = None
        return events

    def _positions(self) -> Positions:
        self._moved = False
        positions = self._streams.take()
        if self._key:
            lane = self._lane and self._lane._replace(place=self._place).text()
            return positions | {self._key: lane or None}
        self._ledger.read = self._place
        return positions | self._ledger.take() | {READ: self._place.text()}

    def _wake(self, now: float) -> float | None:
        times = [self._streams.wake(now)]
        if self._silence is not None:
            times.append(self._silence.wake())
        if self._unsaved is not None:
            times.append(self._unsaved + _FLUSH)
        return min((time for time in times if time is not None), default=None)

    def _time(self, entry: Entry) -> float:
        return min(entry.place.stamp / 1e6, self._wall())


def _number(lane: str) -> str:
    """Shorten a lane's key to what tells its carries from others: its number."""
    return lane.rpartition(":")[2]
