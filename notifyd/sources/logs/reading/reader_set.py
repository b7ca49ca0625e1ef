"""The open files: which are to be read, which only linger, and what is remembered of each."""

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.archive_dirs import ArchiveDirs
from notifyd.sources.logs.discovery.path_table import FileIdentity
from notifyd.sources.logs.discovery.rotated_files import RotatedFile, originals
from notifyd.sources.logs.reading.descriptor_pool import DescriptorPool
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.registry import Registry

LINGER = 60.0
"""Seconds for which a file without a name of ours is read on after its last late line."""

_DAILY = 86400.0


class ReaderSet:
    """`waiting` are those to be read, in this order; `lingering` those without a name.

    `now` is monotonic, `wall` is not; the follower sets both before each turn.
    lanes: the triggers that may read a file apart from the others.
    """

    def __init__(self, ledger: Registry, lanes: Iterable[str], handles: DescriptorPool) -> None:
        self.now = self.wall = 0.0
        self.ledger, self.handles, self.archives = ledger, handles, ArchiveDirs()
        for position in ledger.stored.values():
            self.archives.learn(position.path, position.place)
        self.by_key: dict[FileId, LogReader] = {}
        self.lingering: dict[FileId, float] = {}
        self.waiting: OrderedDict[FileId, None] = OrderedDict()
        self.replaced: list[Checkpoint] = []
        """Of which we know since the last look that they are not what they were."""
        self.held: dict[FileId, FileId] = {}
        """Files that hold nothing but what another begins with, which is followed too."""
        self._lanes = tuple(lanes)
        self._keys: dict[FileIdentity, list[FileId]] = {}

    def of(self, identity: FileIdentity) -> list[LogReader]:
        """List the readings of one file: the common one and its lanes."""
        return [self.by_key[key] for key in self._keys.get(identity, ())]

    def files_of(self, path: str) -> Iterator[tuple[FileId, Checkpoint]]:
        """Go through all files that a path has named, also before rotation, as last noted."""
        for key, position in self._noted(self.ledger.called(path)):
            if self.are_near(path, os.path.dirname(position.path)):  # noqa: PTH120 - strings
                yield key, position

    def relatives(self, path: str) -> Iterator[tuple[FileId, Checkpoint]]:
        """Go through the files of the log that a file at this path may be rotated from.

        A folder that holds the log itself holds the rotated files of no other.
        """
        folder, name = os.path.split(path)
        for base in sorted(originals(name)):
            log = os.path.join(folder, base)  # noqa: PTH118
            home = self.ledger.homes(log)
            keys = self.ledger.called(log) if home else self.ledger.named(base)
            for key, position in self._noted(keys):
                if self.are_near(position.path, folder):
                    yield key, position

    def _noted(self, keys: Iterable[FileId]) -> Iterator[tuple[FileId, Checkpoint]]:
        for key in keys:
            tail = self.by_key.get(key)
            position = self.ledger.stored.get(key) if tail is None else tail.last
            if position is not None:
                yield key, position

    def are_near(self, path: str, folder: str) -> bool:
        """Whether files at a path and in a folder may be of one log."""
        own = os.path.dirname(path)  # noqa: PTH120 - strings throughout
        return own == folder or self.archives.near(path, folder)

    def open(self, path: str, key: FileId, status: os.stat_result) -> LogReader:
        """Open a file and go on where it was left, with every lane; ClosedGateError if it fails."""
        tail = self._add(LogReader(self.handles.open(path, status), key, path))
        position = self.ledger.stored.pop(key, None)
        same = position is None or tail.take_up(position)
        if position is not None:
            tail.path, tail.last = position.path, replace(position, sought=False)
            if not same:
                tail.last = Checkpoint(path, 0, "", modified=position.modified)
                tail.since = dict.fromkeys(position.since, 0) if position.path == path else {}
                tail.lost = position
                tail.path = path
        with suppress(OSError):
            tail.glimpse()
        for lane in self._lanes:
            rest = self.ledger.stored.pop(FileId(*key[:2], lane), None)
            if rest is None:
                continue
            branch = self._add(LogReader(tail.handle.shared(), FileId(*key[:2], lane), path))
            if not same or not branch.take_up(rest):
                self.drop(branch)
        return tail

    def resume(self, found: RotatedFile) -> None:
        """Go on with a file under a name that is not ours, if it is not just the same number.

        Not with a copy, unless it was written to after it was found to be one.
        """
        if self.recognise(found) and found.key not in self.by_key:
            position = self.ledger.stored.get(found.key)
            written = position is not None and found.status.st_mtime_ns > position.modified
            if position is not None and (written or not position.copied):
                with suppress(UnreadableFileError):
                    self.go_on(found)

    def go_on(self, found: RotatedFile) -> LogReader:
        """Open a file that is known, under a name that is not ours; ClosedGateError if it fails."""
        tail = self.open(found.path, found.key, found.status)
        for reading in self.of(found.key[:2]):
            self.linger(reading)
        return tail

    def recognise(self, found: RotatedFile) -> bool:
        """Tell whether this was followed before; what has but its number takes its place."""
        if (open_one := self.by_key.get(found.key)) is not None:
            if open_one.handle.leads(found.path):
                return True
            for reading in self.of(found.key[:2]):
                self.park(reading)
        position = self.ledger.stored.get(found.key)
        if position is None:
            return False
        try:
            tail = self.peek(found)
        except UnreadableFileError:
            return True
        same = tail.take_up(position)
        tail.close()
        if not same:
            self.replaced.append(position)
            self.ledger.drop(found.key)
        return same

    def seek_no_more(self, gone: Mapping[FileId, Checkpoint]) -> None:
        """Remember that copies of files that are no more were looked for."""
        for key, position in gone.items():
            if self.ledger.stored.get(key) == position:
                self.ledger.store(key, replace(position, sought=True))
            tail = self.by_key.get(key)
            if tail is not None and tail.handle.number is None:  # at rest, and not to be found
                tail.sought = True

    def meet(self, found: RotatedFile) -> None:
        """Remember where a file lies that has no name of ours."""
        position = self.ledger.stored.get(found.key)
        if position is not None and found.path not in {position.place, position.path}:
            self.ledger.stored[found.key] = replace(position, place=found.path)

    def peek(self, found: RotatedFile) -> LogReader:
        """Open a file without following it; ClosedGateError if it cannot be."""
        return LogReader(self.handles.open(found.path, found.status), found.key, found.path)

    def adopt(self, tail: LogReader) -> None:
        """Read a file that has no name of ours and never had one."""
        self._add(tail)
        self.note(tail, urgent=True)
        self.linger(tail)

    def hold(self, tail: LogReader, original: LogReader) -> None:
        """Do not read a file as long as it is but a copy; what is read elsewhere is passed over."""
        self.held[tail.key] = original.key
        tail.copy(original.offset)
        self.note(tail, urgent=True)

    def branch(self, tail: LogReader, trigger: str, start: int) -> None:
        """Give a trigger that came late a reading of its own, up to where the others are."""
        key = FileId(*tail.key[:2], trigger)
        branch = self._add(LogReader(tail.handle.shared(), key, tail.path))
        branch.go(start)
        branch.since, branch.until = {trigger: branch.offset}, tail.offset
        self.waiting[key] = None
        self.note(branch)

    def named(self, identity: FileIdentity, path: str) -> None:
        """Take note that a file has a name of ours, and is to be read."""
        for tail in self.of(identity):
            tail.handle.path, tail.handle.kept = path, False
            self.lingering.pop(tail.key, None)
            self.waiting[tail.key] = None

    def linger(self, tail: LogReader) -> None:
        """Read on for a while, for the sake of late writers, and before anything newer."""
        tail.handle.kept = True
        if tail.handle.number is not None and tail.deleted:
            tail.sought = True
            self.note(tail)
        self.archives.learn(tail.path, tail.handle.place)
        self.lingering[tail.key] = self.now + LINGER
        self.waiting[tail.key] = None
        self.waiting.move_to_end(tail.key, last=False)

    def park(self, tail: LogReader) -> None:
        """Close a file and remember where it ended."""
        self.ledger.store(tail.key, tail.position(self.wall))
        self._close(tail.key)

    def oldest_first(self) -> None:
        """Have what has no name any more read in the order in which it was written."""
        for key in sorted(
            self.lingering, key=lambda key: self.by_key[key].last.modified, reverse=True
        ):
            self.waiting[key] = None
            self.waiting.move_to_end(key, last=False)

    @property
    def outlived(self) -> list[LogReader]:
        """What lingered long enough, or too long as there are so many."""
        crowded = len(self.lingering) - self.handles.most // 2
        return [
            self.by_key[key]
            for number, (key, deadline) in enumerate(self.lingering.items())
            if key not in self.waiting and (deadline <= self.now or number < crowded)
        ]

    def note(self, tail: LogReader, *, urgent: bool = False) -> None:
        """Have a tail's position committed with the next reading, or now."""
        self.ledger.note(tail.key, tail.position(self.wall), urgent=urgent)

    def note_alive(self) -> None:
        """Remember once a day that files exist of which nothing else changes."""
        for tail in self.by_key.values():
            if tail.last.seen + _DAILY < self.wall:
                self.note(tail)

    def drop(self, tail: LogReader) -> None:
        """Close a tail of which nothing need be remembered."""
        self.ledger.drop(tail.key)
        self._close(tail.key)

    def close(self) -> None:
        for key in list(self.by_key):
            self._close(key)

    def _add(self, tail: LogReader) -> LogReader:
        self.by_key[tail.key] = tail
        self._keys.setdefault(tail.key[:2], []).append(tail.key)
        return tail

    def _close(self, key: FileId) -> None:
        self.by_key.pop(key).close()
        self._keys[key[:2]].remove(key)
        if not self._keys[key[:2]]:
            del self._keys[key[:2]]
        for kept in (self.lingering, self.waiting, self.held):
            kept.pop(key, None)
