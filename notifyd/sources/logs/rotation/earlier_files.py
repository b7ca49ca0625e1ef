"""What is known of the files that a log had before the one at its path now."""

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.path_table import FileIdentity, PathTable
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.reading.registry import CHECKPOINT_TTL
from notifyd.sources.logs.rotation.content_match import ContentMatcher


class EarlierFiles:
    """Answers from checkpoints, open files and the paths that logs have now."""

    def __init__(
        self,
        readers: ReaderSet,
        path_table: PathTable,
        scanner: PathScanner,
        matcher: ContentMatcher,
    ) -> None:
        self._readers, self._path_table = readers, path_table
        self._scanner, self._matcher = scanner, matcher

    def latest_before(self, log: str, replaced: list[Checkpoint]) -> Checkpoint | None:
        """Return the last checkpoint of a log before the file that has its path now.

        None if no file can have been missed.
        """
        identity = self._path_table.get(log)
        if not replaced and self.is_followed(identity):
            return None  # no other file had the path meanwhile
        earlier = self._at_path(log, identity) or self._rotated(log)
        earlier += replaced
        if earlier:
            return max(earlier, key=lambda checkpoint: checkpoint.modified_ns)
        return self._first_scan(log)

    def lost_files(self, log: str) -> dict[FileId, Checkpoint]:
        """Return the files that had a log's path and are deleted or have other content.

        Those whose copies were searched for are left out.
        """
        return {
            key: checkpoint
            for key, checkpoint in self._readers.known_files(log)
            if checkpoint.path == log
            and not (
                checkpoint.is_copy
                or checkpoint.copy_search_done
                or self._matcher.is_intact(key, checkpoint)
            )
        }

    def is_followed(self, identity: FileIdentity | None) -> bool:
        """Whether a file was followed before it was opened now."""
        readers = self._readers.readers_of(identity) if identity is not None else []
        return bool(readers) and all(each.inode_verified or not each.is_unread for each in readers)

    def _at_path(self, log: str, identity: FileIdentity | None) -> list[Checkpoint]:
        """List the checkpoints of other files that had a log's path."""
        return [
            checkpoint
            for key, checkpoint in self._readers.known_files(log)
            if checkpoint.path == log and key.identity != identity and not checkpoint.is_copy
        ]

    def _rotated(self, log: str) -> list[Checkpoint]:
        """List the checkpoints of files that are known only by their paths after rotation."""
        return [
            checkpoint
            for key, checkpoint in self._readers.known_files(log)
            if checkpoint.path != log and not checkpoint.is_copy and not self._is_unread(key)
        ]

    def _first_scan(self, log: str) -> Checkpoint | None:
        """Return a checkpoint of a log that did not exist when it was first scanned for.

        Checkpoints expire, so older generations are not taken to be unread.
        """
        first_scan = self._readers.registry.first_scan
        scanned_at = {
            trigger: seconds
            for trigger, pattern in self._scanner.patterns_for(log)
            if (seconds := first_scan((trigger, pattern))) is not None
        }
        if not scanned_at:
            return None
        since = max(*scanned_at.values(), self._readers.wall - CHECKPOINT_TTL)
        starts = dict.fromkeys(scanned_at, 0)
        return Checkpoint(log, 0, "", start_offsets=starts, modified_ns=int(since * 1e9))

    def _is_unread(self, key: FileId) -> bool:
        reader = self._readers.get(key)
        return reader is not None and reader.is_unread
