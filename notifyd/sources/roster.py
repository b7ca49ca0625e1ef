"""Which files are followed, under which names, for which triggers and from where on."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from notifyd.config.triggers import LogTrigger
from notifyd.sources.catalog import Catalog
from notifyd.sources.gate import ClosedGateError, examined, opened, unreadable
from notifyd.sources.names import Identity, Names
from notifyd.sources.position import PREFIX, Key, Position, armed_key
from notifyd.sources.siblings import renamed
from notifyd.sources.tail import Tail

LINGER = 60.0
"""Seconds for which a file without a name of ours is read on after its last late line."""

_KEPT = 30 * 86400.0
_DAILY = 86400.0
_STRANGERS = 10_000

Named = list[tuple[str, str]]
"""Triggers, each with the path pattern by which it names a file."""


class Roster:
    """`look` and `survey` compare names with what they name; `waiting` are tails to be read.

    `now` is monotonic, `wall` is not; the follower sets both before each turn.
    """

    def __init__(
        self, triggers: Mapping[str, LogTrigger], catalog: Catalog, positions: Mapping[str, str]
    ) -> None:
        self.now = self.wall = 0.0
        self.tails: dict[Key, Tail] = {}
        self.lingering: dict[Key, float] = {}
        self.waiting: dict[Key, None] = {}
        self.problems: dict[str, str] = {}
        self.names = Names()
        self.news: dict[str, str | None] = {}
        """Positions that changed and are to be committed; None forgets one."""
        self.urgent = False
        """Whether they must be committed before anything else is read."""
        self._triggers, self._catalog = triggers, catalog
        self._keys: dict[Identity, list[Key]] = {}
        self._lanes = ("", *triggers)
        self._strangers: set[str] = set()
        self._stored: dict[Key, Position] = {}
        pairs = [(name, pattern) for name, config in triggers.items() for pattern in config.paths]
        markers = {armed_key(*pair): pair for pair in pairs}
        self._unarmed = {pair for marker, pair in markers.items() if marker not in positions}
        self._begun = False
        for text, value in positions.items():
            if not self._restored(text, value) and text not in markers and text.startswith(PREFIX):
                self.news[text] = None

    def _restored(self, text: str, value: str) -> bool:
        """Take over one stored position, less the triggers that are no more."""
        key, position = Key.parse(text), Position.parse(value)
        if key is None or position is None or key.lane not in self._lanes:
            return False
        since = {name: at for name, at in position.since.items() if name in self._triggers}
        if since:
            self._stored[key] = replace(position, since=since)
        return bool(since)

    # --- names

    def survey(self, paths: Iterable[str]) -> None:
        """Look at all paths that exist, and at all names that may have gone."""
        for path in sorted({*paths, *self.names}):
            self.look(path)
        if not self._begun:
            self._begun = True
            for path, key, status in renamed(dict(self._stored)):
                self._resumed(path, key, status)
            self.urgent |= bool(self._unarmed)
            self.news |= {armed_key(*pair): repr(self.wall) for pair in self._unarmed}
            self._unarmed = set()
        self.waiting.update(dict.fromkeys(self.lingering))
        for key, position in list(self._stored.items()):
            if position.seen + _KEPT < self.wall:
                self.news[key.text()] = None
                del self._stored[key]
        for tail in self.tails.values():
            if tail.seen + _DAILY < self.wall:
                self.note(tail)

    def look(self, path: str) -> None:
        """Compare a name with what it names now."""
        self._strangers.discard(path)
        self.problems.pop(path, None)
        patterns = self._catalog.patterns(path)
        if not patterns and self.names.get(path) is None:
            return
        try:
            status = examined(path)
        except ClosedGateError as refusal:
            self.problems[path] = str(refusal)
            status = None
        identity = (status.st_dev, status.st_ino) if status else None
        if status is None or self.names.get(path) != identity:
            self._leave(path)
            if patterns and os.path.lexists(path):
                self.names.expect(path)
                if status is not None:
                    self._enter(path, status, patterns)
            return
        stamp = (status.st_size, status.st_mtime_ns)
        for tail in self._of((status.st_dev, status.st_ino)):
            if tail.stamp != stamp:
                tail.stamp = stamp
                self.waiting[tail.key] = None

    def written(self, path: str) -> None:
        """Take the hint that there is something new to read under this path."""
        for name in self.names.concerned(path):
            if identity := self.names.get(name) or self._nameless(name):
                self.waiting.update((tail.key, None) for tail in self._of(identity))

    def _leave(self, path: str) -> None:
        if nameless := self.names.leave(path):
            for tail in self._of(nameless):
                self.linger(tail)

    # --- files

    def _enter(self, path: str, status: os.stat_result, patterns: Named) -> None:
        key = Key(status.st_dev, status.st_ino)
        tail = self.tails.get(key)
        if tail is None:
            try:
                tail = self._opened(path, key, status)
            except ClosedGateError as refusal:
                self.problems[path] = str(refusal)
                self._reserve(path, key, status, patterns)
                return
        tail.path = path
        tail.stamp = (status.st_size, status.st_mtime_ns)
        self.names.enter(path, key[:2])
        for each in self._of(key[:2]):
            self.lingering.pop(each.key, None)
            self.waiting[each.key] = None
        self._join(tail, status.st_size, patterns)

    def _opened(self, path: str, key: Key, status: os.stat_result) -> Tail:
        """Open a file and go on where it was left, with every lane of it."""
        tail = self._add(Tail(opened(path, status), key, path))
        position = self._stored.pop(key, None)
        same = position is None or tail.resume(position)
        if position is not None and not same:
            tail.since = dict.fromkeys(position.since, 0)
            self.note(tail, urgent=True)
        for lane in self._lanes[1:]:
            rest = self._stored.pop(Key(*key[:2], lane), None)
            if rest is None:
                continue
            branch = self._add(Tail(os.dup(tail.descriptor), Key(*key[:2], lane), path))
            if not same or not branch.resume(rest):
                self.drop(branch)
        return tail

    def _join(self, tail: Tail, size: int, patterns: Named) -> None:
        """Let the triggers that do not have this file yet have it, each from where it should."""
        starts: dict[str, int] = {}
        for trigger, pattern in patterns:
            if trigger not in tail.since:
                config = self._triggers[trigger]
                start = max(0, size - config.catch_up)
                if (trigger, pattern) in self._unarmed and config.read_from == "end":
                    start = tail.last_line(size)
                starts[trigger] = min(start, starts.get(trigger, start))
        if not starts:
            return
        if not tail.since:
            tail.go(min(starts.values()))
            if tail.offset < min(starts.values()):  # it was truncated in this very moment
                starts = dict.fromkeys(starts, 0)
        for trigger, start in starts.items():
            if start >= tail.offset or self._branched(tail, trigger, start):
                tail.since[trigger] = max(start, tail.offset)
        self.note(tail, urgent=True)  # until then it could be renamed and never found again

    def _branched(self, tail: Tail, trigger: str, start: int) -> bool:
        """Give a trigger that came late a reading of its own, up to where the others are."""
        try:
            descriptor = os.dup(tail.descriptor)
        except OSError as error:
            self.problems[tail.path] = unreadable(tail.path, error)
            return False
        branch = self._add(Tail(descriptor, Key(*tail.key[:2], trigger), tail.path))
        branch.go(start)
        branch.since, branch.until = {trigger: branch.offset}, tail.offset
        self.waiting[branch.key] = None
        self.note(branch)
        return True

    def _reserve(self, path: str, key: Key, status: os.stat_result, patterns: Named) -> None:
        """Remember the end of a file that existed when it was first looked for, unreadable."""
        since = {
            trigger: status.st_size
            for trigger, pattern in patterns
            if (trigger, pattern) in self._unarmed and self._triggers[trigger].read_from == "end"
        }
        if since and key not in self._stored:
            position = Position(path, status.st_size, "", since=since, seen=self.wall)
            self._stored[key] = position
            self.news[key.text()] = position.text()

    # --- files without a name

    def linger(self, tail: Tail) -> None:
        """Read on for a while, for the sake of late writers."""
        self.lingering[tail.key] = self.now + LINGER
        self.waiting = {tail.key: None} | self.waiting

    def expire(self) -> None:
        """Close what lingered long enough; where it ended stays known while it has a name."""
        for key, deadline in list(self.lingering.items()):
            if deadline > self.now or key in self.waiting:
                continue
            tail = self.tails[key]
            if tail.deleted:
                self.drop(tail)
            else:
                self._stored[key] = tail.position(self.wall)
                self.note(tail)
                self._close(key)

    def _nameless(self, path: str) -> Identity | None:
        """See whether a file that we have no name for is one that was followed before."""
        if path in self._strangers:
            return None
        with suppress(ClosedGateError):
            status = examined(path)
            key = Key(status.st_dev, status.st_ino) if status else None
            if status and key in self._stored:
                self._resumed(path, key, status)
            if key in self.tails:
                return key[:2]
        if len(self._strangers) >= _STRANGERS:
            self._strangers.clear()
        self._strangers.add(path)
        return None

    def _resumed(self, path: str, key: Key, status: os.stat_result) -> None:
        """Go on with a file under a name that is not ours, if it is not just the same number."""
        try:
            tail = Tail(opened(path, status), key, path)
        except ClosedGateError:
            return
        same = tail.resume(self._stored[key])
        tail.close()
        if not same:
            return
        self._opened(path, key, status)
        for each in self._of(key[:2]):
            self.linger(each)

    # --- positions

    def note(self, tail: Tail, *, urgent: bool = False) -> None:
        """Have a tail's position committed with the next reading, or now."""
        self.urgent |= urgent
        tail.restarted = False
        tail.seen = self.wall
        self.news[tail.key.text()] = tail.position(self.wall).text()

    def drop(self, tail: Tail) -> None:
        """Close a tail of which nothing need be remembered."""
        self.news[tail.key.text()] = None
        self._close(tail.key)

    def _close(self, key: Key) -> None:
        self.tails.pop(key).close()
        self._keys[key[:2]].remove(key)
        if not self._keys[key[:2]]:
            del self._keys[key[:2]]
        self.lingering.pop(key, None)
        self.waiting.pop(key, None)

    def _of(self, identity: Identity) -> list[Tail]:
        return [self.tails[key] for key in self._keys.get(identity, ())]

    def _add(self, tail: Tail) -> Tail:
        self.tails[tail.key] = tail
        self._keys.setdefault(tail.key[:2], []).append(tail.key)
        return tail

    def close(self) -> None:
        for key in list(self.tails):
            self._close(key)
