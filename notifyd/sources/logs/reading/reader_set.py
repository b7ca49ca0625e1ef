"""The readers of all open files, and the checkpoints of those that are closed."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.archive_dirs import ArchiveDirs
from notifyd.sources.logs.discovery.path_table import FileIdentity
from notifyd.sources.logs.discovery.rotated_files import RotatedFile, original_names
from notifyd.sources.logs.reading.descriptor_pool import DescriptorPool
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.read_queue import ReadQueue
from notifyd.sources.logs.reading.registry import Registry

DRAIN_SECONDS = 60.0
"""How long a file that no configured path leads to is read after it was last written to."""

_DAILY = 86400.0


class ReaderSet:
    """Opens, closes and finds readers. One file has one reader, and its catch-up readers.

    triggers: those that may have catch-up readers. `now` is monotonic and `wall` is wall-clock
    seconds, both as of the current poll.
    """

    def __init__(self, registry: Registry, triggers: Iterable[str], pool: DescriptorPool) -> None:
        self.now = self.wall = 0.0
        self.registry, self.queue, self.archive_dirs = registry, ReadQueue(), ArchiveDirs()
        for _, checkpoint in registry.closed_files():
            self.archive_dirs.add(checkpoint.path, checkpoint.archived_path)
        self._pool = pool
        self._triggers = tuple(triggers)
        self._readers: dict[FileId, LogReader] = {}
        self._keys: dict[FileIdentity, list[FileId]] = {}
        self._replaced: list[Checkpoint] = []
        self._withheld: dict[FileId, FileId] = {}

    @property
    def watched_files(self) -> int:
        """How many files are read that have a configured path, and not only drain."""
        return len(self._keys) - len({key.identity for key in self.queue.draining})

    def __contains__(self, key: FileId) -> bool:
        return key in self._readers

    def __getitem__(self, key: FileId) -> LogReader:
        return self._readers[key]

    def get(self, key: FileId) -> LogReader | None:
        return self._readers.get(key)

    def is_current(self, reader: LogReader) -> bool:
        """Whether a reader is the open one of its key."""
        return self._readers.get(reader.key) is reader

    def readers_of(self, identity: FileIdentity) -> list[LogReader]:
        """List the readers of one file."""
        return [self._readers[key] for key in self._keys.get(identity, ())]

    def begin_poll(self, now: float, wall: float) -> None:
        self.now, self.wall = now, wall

    # Which files are known

    def known_files(self, path: str) -> Iterator[tuple[FileId, Checkpoint]]:
        """Iterate over the files, open or closed, that a path named, also before rotation."""
        for key, checkpoint in self._last_checkpoints(self.registry.keys_for_path(path)):
            if self.may_be_same_log(path, os.path.dirname(checkpoint.path)):  # noqa: PTH120
                yield key, checkpoint

    def possible_originals(self, path: str) -> Iterator[tuple[FileId, Checkpoint]]:
        """Iterate over the files of the log that a file at this path may be rotated from.

        A directory that contains the log itself contains no rotated files of another log.
        """
        folder, name = os.path.split(path)
        for base in sorted(original_names(name)):
            log = os.path.join(folder, base)  # noqa: PTH118
            is_log_dir = self.registry.is_log_path(log)
            by_path, by_name = self.registry.keys_for_path, self.registry.keys_for_name
            keys = by_path(log) if is_log_dir else by_name(base)
            for key, checkpoint in self._last_checkpoints(keys):
                if self.may_be_same_log(checkpoint.path, folder):
                    yield key, checkpoint

    def _last_checkpoints(self, keys: Iterable[FileId]) -> Iterator[tuple[FileId, Checkpoint]]:
        for key in keys:
            reader = self._readers.get(key)
            checkpoint = self.registry.get(key) if reader is None else reader.last_checkpoint
            if checkpoint is not None:
                yield key, checkpoint

    def may_be_same_log(self, path: str, folder: str) -> bool:
        """Whether files at a path and in a directory may belong to one log."""
        own = os.path.dirname(path)  # noqa: PTH120 - strings throughout
        return own == folder or self.archive_dirs.may_contain(path, folder)

    def recognize(self, found: RotatedFile) -> bool:
        """Whether a file is known, open or closed.

        A checkpoint whose inode number was given to another file is forgotten and counts as
        replaced. A file that cannot be read counts as known.
        """
        if (reader := self._readers.get(found.key)) is not None:
            if reader.file.is_at(found.path):
                return True
            for each in self.readers_of(found.key.identity):
                self.store_and_close(each)
        checkpoint = self.registry.get(found.key)
        if checkpoint is None:
            return False
        try:
            detached = self.open_detached(found)
        except UnreadableFileError:
            return True
        is_same = detached.resume_verified(checkpoint)
        detached.close()
        if not is_same:
            self._replaced.append(checkpoint)
            self.registry.forget(found.key)
        return is_same

    @property
    def has_replaced(self) -> bool:
        return bool(self._replaced)

    def add_replaced(self, checkpoint: Checkpoint) -> None:
        """Record that a file no longer has the content that a checkpoint describes."""
        self._replaced.append(checkpoint)

    def take_replaced(self) -> list[Checkpoint]:
        """Return the checkpoints of replaced content, once."""
        replaced, self._replaced = self._replaced, []
        return replaced

    def mark_copy_search_done(self, gone: Mapping[FileId, Checkpoint]) -> None:
        """Record that copies of deleted files were searched for."""
        for key, checkpoint in gone.items():
            if self.registry.get(key) == checkpoint:
                self.registry.store_closed(key, replace(checkpoint, copy_search_done=True))

    # Opening and closing

    def open(self, path: str, key: FileId, status: os.stat_result) -> LogReader:
        """Open a file at its checkpoint, with its catch-up readers. UnreadableFileError."""
        reader = self._add(LogReader(self._pool.open(path, status), key, path))
        checkpoint = self.registry.pop(key)
        is_same = checkpoint is None or reader.restore(checkpoint)
        with suppress(OSError):
            reader.take_unread_snapshot()
        for trigger in self._triggers:
            catch_up_key = key._replace(catch_up_trigger=trigger)
            rest = self.registry.pop(catch_up_key)
            if rest is None:
                continue
            catch_up = self._add(LogReader(reader.file.share(), catch_up_key, path))
            if not is_same or not catch_up.resume_verified(rest):
                self.close_and_forget(catch_up)
        return reader

    def resume(self, found: RotatedFile) -> None:
        """Open a closed file that no configured path leads to, if it is the known file.

        A copy is opened only if it was written to after it was found to be one.
        """
        if self.recognize(found) and found.key not in self._readers:
            checkpoint = self.registry.get(found.key)
            if checkpoint is None:
                return
            if not checkpoint.is_copy or found.status.st_mtime_ns > checkpoint.modified_ns:
                with suppress(UnreadableFileError):
                    self.open_rotated(found)

    def open_rotated(self, found: RotatedFile) -> LogReader:
        """Open a known file that no configured path leads to. UnreadableFileError."""
        reader = self.open(found.path, found.key, found.status)
        for each in self.readers_of(found.key.identity):
            self.drain(each)
        return reader

    def open_detached(self, found: RotatedFile) -> LogReader:
        """Open a file without adding its reader. The caller closes it. UnreadableFileError."""
        return LogReader(self._pool.open(found.path, found.status), found.key, found.path)

    def add_rotated(self, reader: LogReader) -> None:
        """Add the reader of a file that no configured path ever led to."""
        self._add(reader)
        self.save_checkpoint(reader, urgent=True)
        self.drain(reader)

    def add_catch_up_reader(self, reader: LogReader, trigger: str, start: int) -> None:
        """Give a trigger a reader of its own, from an offset up to where the file was read."""
        key = reader.key._replace(catch_up_trigger=trigger)
        catch_up = self._add(LogReader(reader.file.share(), key, reader.path))
        catch_up.begin_catch_up(trigger, start, reader.offset)
        self.queue.schedule(key)
        self.save_checkpoint(catch_up)

    def store_and_close(self, reader: LogReader) -> None:
        """Close a file that may be opened again."""
        self.registry.store_closed(reader.key, reader.take_checkpoint(self.wall))
        self._close(reader.key)

    def close_and_forget(self, reader: LogReader) -> None:
        self.registry.forget(reader.key)
        self._close(reader.key)

    def close(self) -> None:
        for key in list(self._readers):
            self._close(key)

    # Draining, and copies

    def mark_named(self, identity: FileIdentity, path: str) -> None:
        """Record that a configured path leads to a file, and schedule its readers."""
        for reader in self.readers_of(identity):
            reader.file.path, reader.file.pinned = path, False
            self.queue.stop_draining(reader.key)
            self.queue.schedule(reader.key)

    def drain(self, reader: LogReader) -> None:
        """Keep reading for a while a file that no configured path leads to."""
        reader.file.pinned = True
        if reader.file.is_open and reader.is_deleted:
            reader.copy_search_done = True
        self.save_checkpoint(reader)  # with its directory, which a kill must not forget
        self.archive_dirs.add(reader.path, reader.file.current_path)
        self.queue.drain(reader.key, self.now + DRAIN_SECONDS)

    def schedule_oldest_first(self) -> None:
        """Schedule the files that drain in the order in which they were last written to."""
        for key in sorted(
            self.queue.draining,
            key=lambda key: self._readers[key].last_checkpoint.modified_ns,
            reverse=True,
        ):
            self.queue.schedule_first(key)

    @property
    def drained(self) -> list[LogReader]:
        """The readers that have drained: for DRAIN_SECONDS, or less if too many files drain."""
        keys = self.queue.drained(self.now, self._pool.limit // 2)
        return [self._readers[key] for key in keys]

    def withhold(self, copy: LogReader, original: LogReader) -> None:
        """Do not read a file while it is only a copy of what was read of an open one."""
        self._withheld[copy.key] = original.key
        copy.mark_as_copy(original.offset)
        self.save_checkpoint(copy, urgent=True)

    def withhold_until_checked(self, copy: FileId, original: FileId) -> None:
        """Do not read a file before a changed file that it may be a copy of."""
        self.queue.schedule(original)
        self._withheld[copy] = original

    def is_withheld(self, key: FileId) -> bool:
        return key in self._withheld

    def withheld_original(self, copy: FileId) -> FileId | None:
        """Return the key of the file for which a copy is withheld."""
        return self._withheld.get(copy)

    def withheld_copies(self) -> list[tuple[FileId, FileId]]:
        """List the withheld copies, each with its original."""
        return list(self._withheld.items())

    def stop_withholding(self, copy: FileId) -> None:
        self._withheld.pop(copy, None)

    # Checkpoints

    def save_checkpoint(self, reader: LogReader, *, urgent: bool = False) -> None:
        """Have a checkpoint committed with the next batch, or at the end of this poll."""
        self.registry.update(reader.key, reader.take_checkpoint(self.wall), urgent=urgent)

    def refresh_last_seen(self) -> None:
        """Save the checkpoints of open files once a day, so that they do not expire."""
        for reader in self._readers.values():
            if reader.last_checkpoint.last_seen + _DAILY < self.wall:
                self.save_checkpoint(reader)

    def _add(self, reader: LogReader) -> LogReader:
        self._readers[reader.key] = reader
        self._keys.setdefault(reader.key.identity, []).append(reader.key)
        return reader

    def _close(self, key: FileId) -> None:
        self._readers.pop(key).close()
        self._keys[key.identity].remove(key)
        if not self._keys[key.identity]:
            del self._keys[key.identity]
        self.queue.remove(key)
        self._withheld.pop(key, None)
