"""Files that a name led to only while nobody looked."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.path_table import FileIdentity, PathTable
from notifyd.sources.logs.discovery.rotated_files import find_renamed, find_rotated, rotated_file_at
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import DRAIN_SECONDS, ReaderSet
from notifyd.sources.logs.reading.registry import CHECKPOINT_TTL
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
        self._moved_paths = {position.path for _, position in tails.registry.closed_files()}
        self._likeness = ContentMatcher(tails)
        self.copies = CopyTracker(tails, self._likeness)
        self._strangers = UntrackedFiles(tails, catalog, self._likeness, self.copies)
        self._tails, self._names, self._catalog = tails, names, catalog
        self._doubtful: set[str] = set()
        self._vain: dict[str, float] = {}

    def mark_moved(self, path: str) -> None:
        """Record that a path leads to another file than before, or to none."""
        self._moved_paths.add(path)

    def resume_all_renamed(self) -> None:
        """Find what was renamed before the start."""
        self.resume_renamed(dict(self._tails.registry.closed_files()))

    def resume_renamed(self, lost: Mapping[FileId, Checkpoint]) -> None:
        """Go on with files that are not where they were, wherever they are found."""
        for found in find_renamed(lost, self._tails.archive_dirs):
            position = lost[found.key]
            self._tails.archive_dirs.add(position.path, found.path)
            late = found.status.st_mtime + DRAIN_SECONDS > self._tails.wall
            late = late or found.status.st_size != position.offset
            written = found.status.st_mtime_ns > position.modified_ns
            if written or (late and not position.is_copy):
                self._tails.resume(found)
            elif position.archived_path != found.path:
                self._tails.registry.store_closed(
                    found.key, replace(position, archived_path=found.path)
                )

    def resume_written(self) -> None:
        """Go on with rotated files that somebody wrote to, though no hint told of it."""
        for key, position in self._tails.registry.closed_files():
            if position.archived_path and not key.catch_up_trigger:
                with suppress(OSError):
                    status = os.stat(position.archived_path)  # noqa: PTH116 - for many files
                    late = status.st_mtime_ns > position.modified_ns
                    late = late and status.st_size > position.offset
                    if late and (found := rotated_file_at(position.archived_path, key)):
                        self._tails.resume(found)

    def resolve(self) -> None:
        """Read what came and went under these names since the last file that we know of.

        That is what was written to after it and is named like a rotated file.
        """
        self.copies.release(lambda original: original not in self._tails)
        unsettled = bool(self._moved_paths)
        while self._moved_paths or self._tails.has_replaced or self._doubtful:
            self._resolve_once()
        if unsettled:
            self._tails.schedule_oldest_first()

    def _resolve_once(self) -> None:
        replaced: dict[str, list[Checkpoint]] = {}
        gone_positions = self._tails.take_replaced()
        for position in gone_positions:
            replaced.setdefault(position.path, []).append(position)
        orphaned, self._moved_paths = self._moved_paths | replaced.keys(), set()
        self._likeness.ghosts.add(gone_positions)
        latest = self._doubted()
        doubted = set(latest)
        for path in orphaned:
            now = self._names.get(path)
            if path not in replaced and self._is_known(now):
                continue  # nothing else had the name meanwhile
            earlier = self._earlier(path, now) or self._rotated(path)
            earlier += replaced.get(path, ()) or self._unmet(path, earlier)
            if earlier:
                latest[path] = max(earlier, key=lambda position: position.modified_ns)
        rotated = find_rotated(latest.keys(), self._tails.archive_dirs.known_and_child_dirs)
        for path in sorted(latest):
            siblings = rotated.get(path, [])
            for found in siblings:
                self._tails.registry.set_archived_path(found.key, found.path)
            gone = self._gone(path)
            known = [*gone.values(), *replaced.get(path, ())]
            missed = path in doubted or not self._is_known(self._names.get(path))
            self._strangers.gather(path, siblings, known, latest[path], missed=missed)
            self._tails.mark_copy_search_done(gone)

    def _doubted(self) -> dict[str, Checkpoint]:
        """Give by name what was last noted of logs of which nobody knows what they held since."""
        found: dict[str, Checkpoint] = {}
        for path in self._doubtful:
            identity = self._names.get(path)
            for tail in self._tails.readers_of(identity) if identity else ():
                if tail.only_nul and not tail.key.catch_up_trigger:
                    found[path] = tail.last_checkpoint
        self._doubtful = set()
        return found

    def _earlier(self, path: str, now: FileIdentity | None) -> list[Checkpoint]:
        """List what a path named, but for what it names now."""
        return [
            position
            for key, position in self._tails.known_files(path)
            if position.path == path and key.identity != now and not position.is_copy
        ]

    def _unmet(self, path: str, earlier: list[Checkpoint]) -> list[Checkpoint]:
        """Give the beginning of a log that came after it was first looked for, if none is known.

        What was read is remembered for some time only, so older files tell nothing.
        """
        first_scan = self._tails.registry.first_scan
        times = {
            pair[0]: seconds
            for pair in self._catalog.patterns_for(path)
            if (seconds := first_scan(pair)) is not None
        }
        if earlier or not times:
            return []
        since = max(*times.values(), self._tails.wall - CHECKPOINT_TTL)
        return [
            Checkpoint(
                path, 0, "", start_offsets=dict.fromkeys(times, 0), modified_ns=int(since * 1e9)
            )
        ]

    def _rotated(self, path: str) -> list[Checkpoint]:
        """List what is known only by the name that it has since rotation."""
        return [
            position
            for key, position in self._tails.known_files(path)
            if position.path != path and not position.is_copy and not self._is_fresh(key)
        ]

    def _is_fresh(self, key: FileId) -> bool:
        tail = self._tails.get(key)
        return tail is not None and tail.is_unread

    def close_drained(self) -> None:
        """Close what lingered long enough; where it ended stays known while it has a name."""
        for tail in self._tails.drained:
            if not tail.is_deleted:
                self._tails.store_and_close(tail)
                continue
            self.copies.take_over(tail.key, tail.last_checkpoint)
            self._tails.close_and_forget(tail)
            siblings = find_rotated({tail.path}, self._tails.archive_dirs.known_dirs).get(
                tail.path, []
            )
            self._strangers.gather(
                tail.path, siblings, [tail.last_checkpoint], tail.last_checkpoint, missed=False
            )

    def _gone(self, path: str) -> dict[FileId, Checkpoint]:
        """List the files of this name that are no more, if no copy of them was looked for yet."""
        return {
            key: position
            for key, position in self._tails.known_files(path)
            if position.path == path
            and not (
                position.is_copy
                or position.copy_search_done
                or self._likeness.is_whole(key, position)
            )
        }

    def mark_suspect(self, path: str, tail: LogReader) -> None:
        """Take note that a log may have been filled, copied and emptied before anybody looked.

        Only where nothing that was read tells: it was empty, or held NUL bytes and nothing else.
        """
        if tail.only_nul:
            self._doubtful.add(path)

    def on_content_replaced(self, lost: Checkpoint) -> None:
        """Take note that a file is not what it was when its position was written."""
        self._tails.add_replaced(lost)
        self._moved_paths.add(lost.path)

    def on_truncated(self, tail: LogReader, lost: Checkpoint) -> None:
        """Read what was not read of a file before it was truncated, if there is a copy of it."""
        path, archives = lost.path, self._tails.archive_dirs
        siblings = find_rotated({path}, archives.known_and_child_dirs).get(path, [])
        unread = lost.offset == 0
        self.copies.take_over(tail.key, lost)
        copied = self._strangers.gather(path, siblings, [lost], lost, missed=unread)
        if not copied and self._may_look_around(path, lost):
            further = find_rotated({path}, archives.nearby_dirs).get(path, [])
            further = [found for found in further if found.status.st_mtime_ns >= lost.modified_ns]
            if not self._strangers.gather(path, further, [lost], lost, missed=False):
                self._vain = {each: at for each, at in self._vain.items() if self._is_recent(at)}
                self._vain[path] = self._tails.now
        self._likeness.ghosts.add([lost])
        self.copies.release(lambda original: original == tail.key)
        self._tails.save_checkpoint(tail, urgent=True)

    def _may_look_around(self, path: str, lost: Checkpoint) -> bool:
        """Whether a copy in a folder that we do not know could be told from what is like it."""
        return lost.offset >= _TELLING and not self._is_recent(self._vain.get(path, -_VAIN))

    def _is_recent(self, vain: float) -> bool:
        return self._tails.now < vain + _VAIN

    def _is_known(self, now: FileIdentity | None) -> bool:
        """Whether a name leads to a file that was followed before."""
        tails = self._tails.readers_of(now) if now is not None else []
        return bool(tails) and all(tail.inode_verified or not tail.is_unread for tail in tails)
