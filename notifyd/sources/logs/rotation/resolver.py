"""Files that a name led to only while nobody looked."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.path_table import FileIdentity, PathTable
from notifyd.sources.logs.discovery.rotated_files import renamed, rotations, sibling
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import LINGER, ReaderSet
from notifyd.sources.logs.reading.registry import KEPT
from notifyd.sources.logs.rotation.content_match import ContentMatcher
from notifyd.sources.logs.rotation.copytruncate import CopyTracker
from notifyd.sources.logs.rotation.untracked import UntrackedFiles

_TELLING = 64
"""Bytes that must have been read of a file before a copy of it is known anywhere."""
_VAIN = 60.0
"""Seconds for which a copy is not looked for around a log once more where there was none."""


class RotationResolver:
    """`orphaned` are names that lead to another file than before, or to none."""

    def __init__(self, tails: ReaderSet, names: PathTable, catalog: PathScanner) -> None:
        stored = tails.ledger.stored
        self.orphaned = {position.path for position in stored.values()}
        self._likeness = ContentMatcher(tails)
        self.copies = CopyTracker(tails, self._likeness)
        self._strangers = UntrackedFiles(tails, catalog, self._likeness, self.copies)
        self._tails, self._names, self._catalog = tails, names, catalog
        self._doubtful: set[str] = set()
        self._vain: dict[str, float] = {}

    def begin(self) -> None:
        """Find what was renamed before the start."""
        self.find(dict(self._tails.ledger.stored))

    def find(self, lost: Mapping[FileId, Checkpoint]) -> None:
        """Go on with files that are not where they were, wherever they are found."""
        for found in renamed(lost, self._tails.archives):
            position = lost[found.key]
            self._tails.archives.learn(position.path, found.path)
            late = found.status.st_mtime + LINGER > self._tails.wall
            late = late or found.status.st_size != position.offset
            written = found.status.st_mtime_ns > position.modified
            if written or (late and not position.copied):
                self._tails.resume(found)
            elif position.place != found.path:
                self._tails.ledger.store(found.key, replace(position, place=found.path))

    def hear_late_writers(self) -> None:
        """Go on with rotated files that somebody wrote to, though no hint told of it."""
        for key, position in list(self._tails.ledger.stored.items()):
            if position.place and not key.lane:
                with suppress(OSError):
                    status = os.stat(position.place)  # noqa: PTH116 - for many files
                    late = status.st_mtime_ns > position.modified
                    late = late and status.st_size > position.offset
                    if late and (found := sibling(position.place, key)):
                        self._tails.resume(found)

    def settle(self) -> None:
        """Read what came and went under these names since the last file that we know of.

        That is what was written to after it and is named like a rotated file.
        """
        self.copies.release(lambda original: original not in self._tails.by_key)
        unsettled = bool(self.orphaned)
        while self.orphaned or self._tails.replaced or self._doubtful:
            self._settle()
        if unsettled:
            self._tails.oldest_first()

    def _settle(self) -> None:
        replaced: dict[str, list[Checkpoint]] = {}
        for position in self._tails.replaced:
            replaced.setdefault(position.path, []).append(position)
        orphaned, self.orphaned = self.orphaned | replaced.keys(), set()
        self._likeness.ghosts.add(self._tails.replaced)
        self._tails.replaced.clear()
        latest = self._doubted()
        doubted = set(latest)
        for path in orphaned:
            now = self._names.get(path)
            if path not in replaced and self._is_known(now):
                continue  # nothing else had the name meanwhile
            earlier = self._earlier(path, now) or self._rotated(path)
            earlier += replaced.get(path, ()) or self._unmet(path, earlier)
            if earlier:
                latest[path] = max(earlier, key=lambda position: position.modified)
        rotated = rotations(latest.keys(), self._tails.archives.below)
        for path in sorted(latest):
            siblings = rotated.get(path, [])
            for found in siblings:
                self._tails.meet(found)
            gone = self._gone(path)
            known = [*gone.values(), *replaced.get(path, ())]
            missed = path in doubted or not self._is_known(self._names.get(path))
            self._strangers.gather(path, siblings, known, latest[path], missed=missed)
            self._tails.seek_no_more(gone)

    def _doubted(self) -> dict[str, Checkpoint]:
        """Give by name what was last noted of logs of which nobody knows what they held since."""
        found: dict[str, Checkpoint] = {}
        for path in self._doubtful:
            identity = self._names.get(path)
            for tail in self._tails.of(identity) if identity else ():
                if tail.blank and not tail.key.lane:
                    found[path] = tail.last
        self._doubtful = set()
        return found

    def _earlier(self, path: str, now: FileIdentity | None) -> list[Checkpoint]:
        """List what a path named, but for what it names now."""
        return [
            position
            for key, position in self._tails.files_of(path)
            if position.path == path and key[:2] != now and not position.copied
        ]

    def _unmet(self, path: str, earlier: list[Checkpoint]) -> list[Checkpoint]:
        """Give the beginning of a log that came after it was first looked for, if none is known.

        What was read is remembered for some time only, so older files tell nothing.
        """
        armed = self._tails.ledger.armed
        times = {pair[0]: armed[pair] for pair in self._catalog.patterns(path) if pair in armed}
        if earlier or not times:
            return []
        since = max(*times.values(), self._tails.wall - KEPT)
        return [Checkpoint(path, 0, "", since=dict.fromkeys(times, 0), modified=int(since * 1e9))]

    def _rotated(self, path: str) -> list[Checkpoint]:
        """List what is known only by the name that it has since rotation."""
        return [
            position
            for key, position in self._tails.files_of(path)
            if position.path != path and not position.copied and not self._is_fresh(key)
        ]

    def _is_fresh(self, key: FileId) -> bool:
        tail = self._tails.by_key.get(key)
        return tail is not None and tail.fresh

    def retire(self) -> None:
        """Close what lingered long enough; where it ended stays known while it has a name."""
        for tail in self._tails.outlived:
            if not tail.deleted:
                self._tails.park(tail)
                continue
            self.copies.take_over(tail.key, tail.last)
            self._tails.drop(tail)
            siblings = rotations({tail.path}, self._tails.archives.of).get(tail.path, [])
            self._strangers.gather(tail.path, siblings, [tail.last], tail.last, missed=False)

    def _gone(self, path: str) -> dict[FileId, Checkpoint]:
        """List the files of this name that are no more, if no copy of them was looked for yet."""
        return {
            key: position
            for key, position in self._tails.files_of(path)
            if position.path == path
            and not (position.copied or position.sought or self._likeness.is_whole(key, position))
        }

    def doubt(self, path: str, tail: LogReader) -> None:
        """Take note that a log may have been filled, copied and emptied before anybody looked.

        Only where nothing that was read tells: it was empty, or held NUL bytes and nothing else.
        """
        if tail.blank:
            self._doubtful.add(path)

    def reborn(self, tail: LogReader, lost: Checkpoint) -> None:
        """Take note that a file is not what it was when its position was written."""
        self._tails.replaced.append(lost)
        self.orphaned.add(lost.path)
        tail.lost = None

    def truncated(self, tail: LogReader, lost: Checkpoint) -> None:
        """Read what was not read of a file before it was truncated, if there is a copy of it."""
        tail.lost = None
        path, archives = lost.path, self._tails.archives
        siblings = rotations({path}, archives.below).get(path, [])
        unread = lost.offset == 0
        self.copies.take_over(tail.key, lost)
        copied = self._strangers.gather(path, siblings, [lost], lost, missed=unread)
        if not copied and self._may_look_around(path, lost):
            further = rotations({path}, archives.around).get(path, [])
            further = [found for found in further if found.status.st_mtime_ns >= lost.modified]
            if not self._strangers.gather(path, further, [lost], lost, missed=False):
                self._vain = {each: at for each, at in self._vain.items() if self._is_recent(at)}
                self._vain[path] = self._tails.now
        self._likeness.ghosts.add([lost])
        self.copies.release(lambda original: original == tail.key)
        self._tails.note(tail, urgent=True)

    def _may_look_around(self, path: str, lost: Checkpoint) -> bool:
        """Whether a copy in a folder that we do not know could be told from what is like it."""
        return lost.offset >= _TELLING and not self._is_recent(self._vain.get(path, -_VAIN))

    def _is_recent(self, vain: float) -> bool:
        return self._tails.now < vain + _VAIN

    def _is_known(self, now: FileIdentity | None) -> bool:
        """Whether a name leads to a file that was followed before."""
        tails = self._tails.of(now) if now is not None else []
        return bool(tails) and all(tail.known or not tail.fresh for tail in tails)
