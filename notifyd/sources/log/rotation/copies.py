"""Copies of what was read already, and files that are none: rotated ones that nobody has met."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace

from notifyd.sources.log.finding.catalog import Catalog
from notifyd.sources.log.finding.permission import ClosedGateError
from notifyd.sources.log.finding.siblings import Sibling, family, originals, sibling
from notifyd.sources.log.position import Key, Position
from notifyd.sources.log.reading.tail import Tail
from notifyd.sources.log.reading.tails import Tails


Known = tuple[Key | None, Position]
"""A file as it was last noted; without a key if it is no more, as another has its number."""


class Copies:
    """A copy of a file that is whole is held; of one that is not, it is read on from there."""

    def __init__(self, tails: Tails, catalog: Catalog) -> None:
        self._tails, self._catalog = tails, catalog

    def holds(self, tail: Tail) -> bool:
        """Whether a file of which nothing was given yet is a copy, so that it is not to be read."""
        if not tail.fresh or tail.key.lane:
            return False
        gone, held_by = [], self._tails.held.get(tail.key)
        for key, position in self._most_read(self._originals(tail)):
            original = None if key is None else self._tails.by_key.get(key)
            intact = original is not None and whole(original)
            if key is None or original is None or intact is None:
                gone.append(position)
            elif not intact:
                self._tails.waiting[key] = None  # it will be found to be truncated, and copies too
                self._tails.held[tail.key] = key
                return True
            elif tail.begins(original):
                self._tails.hold(tail, original)
                return True
        if self._goes_on(tail, gone):
            return False
        original = self._tails.by_key.get(held_by) if held_by is not None else None
        if self._is_spent(tail):
            tail.pass_over()
            self._tails.note(tail, urgent=True)
        elif tail.copied and original is not None and whole(original):
            if tail.begins(original):
                tail.pass_over()
                self._tails.note(tail, urgent=True)
            elif not original.fresh:
                del self._tails.held[tail.key]
                tail.is_no_copy()
        return False

    def _most_read(self, files: Iterable[Known]) -> list[Known]:
        """Bring those first of which most was read: a copy may begin like another copy too."""
        return sorted(files, key=lambda each: each[1].offset, reverse=True)

    def take_over(self, original: Key, lost: Position) -> None:
        """Go on in copies that are held, as their original is no more what it was."""
        for key in [key for key, held_by in self._tails.held.items() if held_by == original]:
            copy = self._tails.by_key[key]
            with suppress(ClosedGateError, OSError):
                went_on = self._goes_on(copy, [lost])
                if not went_on and copy.copied and holds_nothing_new(copy, [lost]):
                    copy.pass_over()
                    self._tails.note(copy, urgent=True)

    def release(self, of: Callable[[Key], bool]) -> None:
        """Have copies looked at again, as their originals are not what they were."""
        for key in [key for key, original in self._tails.held.items() if of(original)]:
            del self._tails.held[key]
            self._tails.waiting[key] = None

    def is_whole(self, key: Key, position: Position) -> bool:
        """Whether a file that is remembered still holds what was read of it."""
        return any(True for _ in self._whole(key, position))

    def gather(
        self,
        path: str,
        siblings: list[Sibling],
        gone: list[Position],
        last: Position,
        *,
        missed: bool = True,
    ) -> bool:
        """Read copies of what is gone from where that was read to; tells whether there was one.

        What is later than the last file that we know, and no copy, is read too if there was one,
        or if it may have been missed.
        """
        strangers, copied = [], False
        for found in siblings:
            if self._tails.knows(found):
                self._tails.meet(found)
                copied |= self._continued(found, gone)
                if missed and found.status.st_mtime_ns >= last.modified:
                    self._share(found, last)
            else:
                strangers.append(found)
        later = []
        for found in strangers:
            with suppress(ClosedGateError, OSError), ExitStack() as stack:
                tail = stack.enter_context(closing(self._tails.peek(found)))
                tail.path = path
                late = found.status.st_mtime_ns >= last.modified
                fits = self._follows(tail, gone)
                if (fits or late) and self._remembered(tail, last):
                    continue
                if fits:
                    copied = True
                    self._tails.archives.learn(path, found.path)
                    self._tails.adopt(tail)
                    stack.pop_all()
                elif since := self._nameless(found, last):
                    tail.since = dict.fromkeys(since, 0)
                    if late:
                        later.append(tail)
                        stack.pop_all()
                    else:
                        self._let_be(tail)
        for tail in later:
            if missed or copied:
                self._tails.adopt(tail)
            else:
                tail.close()
        return copied

    def _nameless(self, found: Sibling, last: Position) -> set[str]:
        """List the triggers of a log that do not meet its rotated file by a name of their own."""
        return last.since.keys() - {trigger for trigger, _ in self._catalog.patterns(found.path)}

    def _share(self, found: Sibling, last: Position) -> None:
        """Let all triggers of a log have a rotated file that some of them met by its name."""
        tail = self._tails.by_key.get(found.key)
        if tail is not None and tail.fresh and not tail.copied:
            for trigger in self._nameless(found, last) - tail.since.keys():
                tail.since[trigger] = tail.offset

    def _originals(self, tail: Tail) -> Iterator[Known]:
        """Go through the files that a file may be a rotated copy of."""
        for key, position in self._relatives(tail):
            if not (position.copied or position.sought or key in self._tails.held):
                yield key, position

    def _relatives(self, tail: Tail) -> Iterator[Known]:
        """Go through the files of the log that a file was rotated from, by its name and theirs.

        Of what is no more, as another file has its number, there is only the position.
        """
        folder, name = os.path.split(tail.handle.path)
        bases = originals(name)
        for position in (*self._tails.ghosts, *self._tails.replaced):
            akin = not bases.isdisjoint(family(position.path))
            if akin and self._tails.are_near(position.path, folder):
                yield None, position
        for key, position in self._tails.relatives(tail.handle.path):
            if key != tail.key:
                yield key, position

    def _continued(self, found: Sibling, gone: list[Position]) -> bool:
        """Read on in a copy that is known as one, if its original is gone."""
        tail, stored = self._tails.by_key.get(found.key), self._tails.ledger.stored.get(found.key)
        with suppress(ClosedGateError, OSError):
            if tail is not None and tail.fresh and not self._is_held(tail):
                if self._goes_on(tail, gone):
                    return True
                if tail.copied and holds_nothing_new(tail, gone):
                    tail.pass_over()
                    self._tails.note(tail, urgent=True)
            elif tail is None and stored is not None and stored.copied:
                with closing(self._tails.peek(found)) as copy:
                    copy.path = stored.path
                    if self._is_held(copy) or not copy.continues(stored):
                        return False
                    if self._follows(copy, gone):
                        return self._goes_on(self._tails.go_on(found), gone)
                    if holds_nothing_new(copy, gone):
                        copy.pass_over()
                        self._tails.ledger.store(found.key, copy.position(self._tails.wall))
        return False

    def _is_held(self, copy: Tail) -> bool:
        """Whether another file of the same log is whole and begins with all of this one.

        Of two rotated files of which nothing was read neither holds the other up.
        """
        return self._original(copy, unread=False) is not None

    def _follows(self, copy: Tail, gone: list[Position]) -> bool:
        """Have a copy go on where the file was left that it has most of, if that is gone.

        What was read elsewhere of what is known as a copy stays so.
        """
        read = copy.offset if copy.copied else 0
        known = [(position, True) for position in gone]
        for _, position in self._relatives(copy) if gone else ():
            if not (position.copied or position in gone):
                known.append((position, False))
        known.sort(key=lambda each: (each[0].offset, each[1]), reverse=True)
        for position, is_gone in known:
            if position.check and position.offset >= read and copy.fits(position):
                return is_gone and may_hold_more(copy, position) and copy.resume(position)
        return False

    def _goes_on(self, tail: Tail, gone: list[Position]) -> bool:
        """Read a file on from where the one was left that it is a copy of."""
        before = tail.since
        if not self._follows(tail, gone):
            return False
        self._tails.held.pop(tail.key, None)
        for trigger in before.keys() - tail.since.keys():  # it did not have the original
            self._tails.branch(tail, trigger, before[trigger])
            tail.since[trigger] = tail.offset
        self._tails.waiting[tail.key] = None
        self._tails.note(tail, urgent=True)
        return True

    def _remembered(self, tail: Tail, last: Position) -> bool:
        """Remember a file that holds nothing but what another held, and do not read it."""
        read = self._original(tail)
        if read is not None:
            tail.copy(read)
        elif self._is_spent(tail):
            tail.pass_over()
        else:
            return False
        tail.since = dict.fromkeys(last.since, 0)
        self._store(tail)
        return True

    def _let_be(self, tail: Tail) -> None:
        """Remember a file that is older than all that we know, so that it is never read."""
        tail.pass_over()
        self._store(tail)

    def _store(self, tail: Tail) -> None:
        position = replace(tail.position(self._tails.wall), place=tail.handle.path)
        self._tails.ledger.store(tail.key, position)

    def _is_spent(self, copy: Tail) -> bool:
        """Whether a file is what another was that is no more and was read to its end."""
        size = copy.size
        return any(
            position.check and position.offset == size and copy.fits(position)
            for _, position in self._relatives(copy)
            if not position.copied
        )

    def _original(self, copy: Tail, *, unread: bool = True) -> int | None:
        """Tell how far the file was read that this is a copy of, if it is whole.

        unread: also if nothing was read yet of that one, and it is a rotated one.
        """
        for key, position in self._originals(copy):
            other = None if key is None else self._tails.by_key.get(key)
            if not unread and other is not None and other.fresh and originals(name_of(other)):
                continue
            for original in self._whole(key, position) if key is not None else ():
                if copy.begins(original):
                    return original.offset
        return None

    def _whole(self, key: Key, position: Position) -> Iterator[Tail]:
        """Give a file that still holds what was read of it, at the end of that."""
        with suppress(ClosedGateError, OSError):
            if (tail := self._tails.by_key.get(key)) is not None:
                if tail.intact:
                    yield tail
            elif found := sibling(position.place or position.path, key):
                with closing(self._tails.peek(found)) as tail:
                    if tail.continues(position):
                        yield tail


def name_of(tail: Tail) -> str:
    return os.path.basename(tail.handle.path)  # noqa: PTH119 - strings throughout


def may_hold_more(copy: Tail, position: Position) -> bool:
    """Whether a copy may hold what was not read of its original: it is no older than that was."""
    return copy.modified >= position.modified


def holds_nothing_new(copy: Tail, gone: Iterable[Position]) -> bool:
    """Whether a copy is shorter than what was read of its original, which is gone."""
    return any(copy.size <= position.offset for position in gone)


def whole(tail: Tail) -> bool | None:
    """Whether a file still holds what was read of it; None if it cannot be had."""
    try:
        return tail.intact
    except (OSError, ClosedGateError):
        return None
