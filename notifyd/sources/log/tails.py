"""The open files: which are to be read, which only linger, and what is remembered of each."""

import os
from collections.abc import Collection, Iterable
from contextlib import suppress

from notifyd.sources.log.names import Identity
from notifyd.sources.log.permission import ClosedGateError, opened
from notifyd.sources.log.position import Key, Position
from notifyd.sources.log.positions import Ledger
from notifyd.sources.log.siblings import Sibling
from notifyd.sources.log.tail import Tail

LINGER = 60.0
"""Seconds for which a file without a name of ours is read on after its last late line."""

_DAILY = 86400.0


class Tails:
    """`waiting` are those to be read, in this order; `lingering` those without a name.

    `now` is monotonic, `wall` is not; the follower sets both before each turn.
    lanes: the triggers that may read a file apart from the others.
    """

    def __init__(self, ledger: Ledger, lanes: Iterable[str]) -> None:
        self.now = self.wall = 0.0
        self.ledger = ledger
        self.by_key: dict[Key, Tail] = {}
        self.lingering: dict[Key, float] = {}
        self.waiting: dict[Key, None] = {}
        self.replaced: list[tuple[Key, Position]] = []
        """Of which we know since the last look that they are not what they were."""
        self._lanes = tuple(lanes)
        self._keys: dict[Identity, list[Key]] = {}

    def of(self, identity: Identity) -> list[Tail]:
        """List the readings of one file: the common one and its lanes."""
        return [self.by_key[key] for key in self._keys.get(identity, ())]

    def generations(self, paths: Collection[str]) -> dict[str, list[tuple[Key, Position]]]:
        """List by path all files that it has named, as far as they are remembered."""
        found: dict[str, list[tuple[Key, Position]]] = {path: [] for path in paths}
        current = [(key, tail.last) for key, tail in self.by_key.items()]
        for key, position in (*current, *self.ledger.stored.items(), *self.replaced):
            if not key.lane and position.path in found:
                found[position.path].append((key, position))
        return found

    def open(self, path: str, key: Key, status: os.stat_result) -> Tail:
        """Open a file and go on where it was left, with every lane; ClosedGateError if it fails."""
        tail = self._add(Tail(opened(path, status), key, path))
        position = self.ledger.stored.pop(key, None)
        same = position is None or tail.resume(position)
        if position is not None:
            tail.path, tail.last = position.path, position
            if not same:
                tail.since = dict.fromkeys(position.since, 0)
                tail.lost = position
        for lane in self._lanes:
            rest = self.ledger.stored.pop(Key(*key[:2], lane), None)
            if rest is None:
                continue
            branch = self._add(Tail(os.dup(tail.descriptor), Key(*key[:2], lane), path))
            if not same or not branch.resume(rest):
                self.drop(branch)
        return tail

    def resume(self, found: Sibling) -> None:
        """Go on with a file under a name that is not ours, if it is not just the same number."""
        if self.knows(found) and found.key not in self.by_key:
            with suppress(ClosedGateError):
                self.open(found.path, found.key, found.status)
                for tail in self.of(found.key[:2]):
                    self.linger(tail)

    def knows(self, found: Sibling) -> bool:
        """Whether this was followed before; what is only of the same number replaces what was."""
        if found.key in self.by_key:
            return True
        position = self.ledger.stored.get(found.key)
        if position is None:
            return False
        try:
            tail = Tail(opened(found.path, found.status), found.key, found.path)
        except ClosedGateError:
            return True
        same = tail.resume(position)
        tail.close()
        if not same:
            self.replaced.append((found.key, self.ledger.stored.pop(found.key)))
            self.ledger.forget(found.key.text())
        return same

    def adopt(self, tail: Tail) -> None:
        """Read a file that has no name of ours and never had one."""
        self._add(tail)
        self.note(tail, urgent=True)
        self.linger(tail)

    def branch(self, tail: Tail, trigger: str, start: int) -> None:
        """Give a trigger that came late a reading of its own, up to where the others are."""
        key = Key(*tail.key[:2], trigger)
        branch = self._add(Tail(os.dup(tail.descriptor), key, tail.path))
        branch.go(start)
        branch.since, branch.until = {trigger: branch.offset}, tail.offset
        self.waiting[key] = None
        self.note(branch)

    def named(self, identity: Identity) -> None:
        """Take note that a file has a name of ours, and is to be read."""
        for tail in self.of(identity):
            self.lingering.pop(tail.key, None)
            self.waiting[tail.key] = None

    def linger(self, tail: Tail) -> None:
        """Read on for a while, for the sake of late writers, and before anything newer."""
        self.lingering[tail.key] = self.now + LINGER
        self.waiting = {tail.key: None} | self.waiting

    def oldest_first(self) -> None:
        """Have what has no name any more read in the order in which it was written."""
        nameless = sorted(self.lingering, key=lambda key: self.by_key[key].last.modified)
        self.waiting = dict.fromkeys(nameless) | self.waiting

    def expire(self) -> None:
        """Close what lingered long enough; where it ended stays known while it has a name."""
        for key, deadline in list(self.lingering.items()):
            if deadline > self.now or key in self.waiting:
                continue
            tail = self.by_key[key]
            if tail.deleted:
                self.drop(tail)
            else:
                self.ledger.store(key, tail.position(self.wall))
                self._close(key)

    def note(self, tail: Tail, *, urgent: bool = False) -> None:
        """Have a tail's position committed with the next reading, or now."""
        self.ledger.note(tail.key, tail.position(self.wall), urgent=urgent)

    def note_alive(self) -> None:
        """Remember once a day that files exist of which nothing else changes."""
        for tail in self.by_key.values():
            if tail.last.seen + _DAILY < self.wall:
                self.note(tail)

    def drop(self, tail: Tail) -> None:
        """Close a tail of which nothing need be remembered."""
        self.ledger.forget(tail.key.text())
        self._close(tail.key)

    def close(self) -> None:
        for key in list(self.by_key):
            self._close(key)

    def _add(self, tail: Tail) -> Tail:
        self.by_key[tail.key] = tail
        self._keys.setdefault(tail.key[:2], []).append(tail.key)
        return tail

    def _close(self, key: Key) -> None:
        self.by_key.pop(key).close()
        self._keys[key[:2]].remove(key)
        if not self._keys[key[:2]]:
            del self._keys[key[:2]]
        self.lingering.pop(key, None)
        self.waiting.pop(key, None)
