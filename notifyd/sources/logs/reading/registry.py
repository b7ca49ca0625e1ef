"""The checkpoints of all log files, and which of them are still to be committed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from notifyd.sources.logs.checkpoint import (
    PREFIX,
    Checkpoint,
    FileId,
    first_scan_key,
    parse_pending_record_key,
)
from notifyd.sources.logs.reading.rotation_index import RotationIndex

_LATEST = 1e10
"""Seconds. A later time is not one that notifyd stored."""
CHECKPOINT_TTL = 30 * 86400.0
"""Seconds for which the checkpoint of a deleted file is kept."""

PathPattern = tuple[str, str]
"""A trigger and one of its path patterns."""


class Registry:
    """Checkpoints of closed files, and changes by stored key.

    patterns: all that are configured. Stored values that belong to none of them are deleted.
    """

    def __init__(self, patterns: Iterable[PathPattern], stored: Mapping[str, str]) -> None:
        self._closed: dict[FileId, Checkpoint] = {}
        self._index = RotationIndex()
        self._changes: dict[str, str | None] = {}
        self.is_urgent = False
        """Whether the changes must be committed with this poll."""
        by_key = {first_scan_key(*pattern): pattern for pattern in patterns}
        triggers = {trigger for trigger, _ in by_key.values()}
        self._new_patterns = {pattern for key, pattern in by_key.items() if key not in stored}
        self._first_scans = {
            pattern: seconds
            for key, pattern in by_key.items()
            if (seconds := _seconds(stored.get(key, ""))) is not None
        }
        for key, value in stored.items():
            # Pending records are restored, and deleted, by the aggregators.
            known = key in by_key or parse_pending_record_key(key) is not None
            if not self._restore(key, value, triggers) and not known:
                self._delete(key)

    def _restore(self, text: str, value: str, triggers: set[str]) -> bool:
        key, checkpoint = FileId.parse(text), Checkpoint.parse(value)
        if key is None or checkpoint is None:
            return False
        if key.catch_up_trigger and key.catch_up_trigger not in triggers:
            return False
        starts = {name: at for name, at in checkpoint.start_offsets.items() if name in triggers}
        if starts:
            self._closed[key] = replace(checkpoint, start_offsets=starts)
            self._index.add(key, checkpoint.path)
        return bool(starts)

    # Closed files

    def __contains__(self, key: FileId) -> bool:
        return key in self._closed

    def get(self, key: FileId) -> Checkpoint | None:
        return self._closed.get(key)

    def pop(self, key: FileId) -> Checkpoint | None:
        """Take the checkpoint of a file that is opened."""
        return self._closed.pop(key, None)

    def closed_files(self) -> list[tuple[FileId, Checkpoint]]:
        return list(self._closed.items())

    def store_closed(self, key: FileId, checkpoint: Checkpoint) -> None:
        """Keep the checkpoint of a file that is closed, or was never opened."""
        self._closed[key] = checkpoint
        self.update(key, checkpoint, urgent=True)

    def set_archived_path(self, key: FileId, path: str) -> None:
        """Record where a closed file is, without a commit of its own."""
        checkpoint = self._closed.get(key)
        if checkpoint is not None and path not in {checkpoint.archived_path, checkpoint.path}:
            self._closed[key] = replace(checkpoint, archived_path=path)

    def expire(self, wall: float) -> None:
        """Forget files that have not existed for CHECKPOINT_TTL."""
        for key, checkpoint in self.closed_files():
            if checkpoint.last_seen + CHECKPOINT_TTL < wall:
                self.forget(key)

    # All files

    def keys_for_path(self, path: str) -> list[FileId]:
        """List the files, open or closed, that a path named, or may have named before rotation."""
        return self._index.for_path(path)

    def keys_for_name(self, name: str) -> list[FileId]:
        """List the files that a path to this name may have named, in any directory."""
        return self._index.for_name(name)

    def is_log_path(self, path: str) -> bool:
        """Whether a path is the path of a log, not of a rotated file."""
        return self._index.is_log_path(path)

    def update(self, key: FileId, checkpoint: Checkpoint, *, urgent: bool = False) -> None:
        """Have the checkpoint of a file committed."""
        self._index.add(key, checkpoint.path)
        self._changes[key.text()] = checkpoint.text()
        self.is_urgent |= urgent

    def forget(self, key: FileId) -> None:
        """Delete the checkpoint of a file, open or closed."""
        self._closed.pop(key, None)
        self._index.remove(key)
        self._delete(key.text())

    # Path patterns

    def is_new_pattern(self, pattern: PathPattern) -> bool:
        """Whether a pattern was never scanned before this start."""
        return pattern in self._new_patterns

    def first_scan(self, pattern: PathPattern) -> float | None:
        """Return when a pattern was first scanned, in wall-clock seconds; None if unknown."""
        return self._first_scans.get(pattern)

    def mark_scanned(self, wall: float) -> None:
        """Record that all patterns were scanned."""
        self.is_urgent |= bool(self._new_patterns)
        self._changes |= {first_scan_key(*pattern): repr(wall) for pattern in self._new_patterns}
        self._first_scans |= dict.fromkeys(self._new_patterns, wall)
        self._new_patterns = set()

    # Changes

    @property
    def has_changes(self) -> bool:
        return bool(self._changes)

    def apply(self, changes: Mapping[str, str | None]) -> None:
        """Have changes committed that were made to the stored values."""
        self._changes |= changes
        self.is_urgent |= bool(changes)

    def take_changes(self) -> dict[str, str | None]:
        """Return what is to be committed, by stored key, once. None deletes a key."""
        changes, self._changes, self.is_urgent = self._changes, {}, False
        return changes

    def _delete(self, key: str) -> None:
        if key.startswith(PREFIX):
            self._changes[key] = None


def _seconds(text: str) -> float | None:
    """Parse a time; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < _LATEST else None
