"""The checkpoints of all log files, and which of them are still to be committed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from notifyd.sources.logs.checkpoint import (
    LOST,
    PREFIX,
    STALLED,
    AggregatorId,
    Checkpoint,
    FileId,
    decode_first_scan,
    encode_first_scan,
    first_scan_key,
    readable_path,
)
from notifyd.sources.logs.reading.rotation_index import RotationIndex
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues

CHECKPOINT_TTL = 30 * 86400.0
"""Seconds for which the checkpoint of a deleted file is kept."""

PathPattern = tuple[str, str]
"""A trigger and one of its path patterns."""


class Registry:
    """Checkpoints of closed files, and changes by stored key.

    patterns: all that are configured. Stored values that belong to none of them are deleted.
    refused: receives the stored values that are not usable.
    """

    def __init__(
        self,
        patterns: Iterable[PathPattern],
        stored: Mapping[str, str],
        refused: RefusedValues,
    ) -> None:
        self._refused = refused
        self._closed: dict[FileId, Checkpoint] = {}
        self._index = RotationIndex()
        self._changes: dict[str, str | None] = {}
        self.is_urgent = False
        """Whether the changes must be committed with this poll."""
        self.lost_generations = ""
        """The stored counts of lost generations, if there are any."""
        by_key = {first_scan_key(*pattern): pattern for pattern in patterns}
        triggers = {trigger for trigger, _ in by_key.values()}
        self._new_patterns = {pattern for key, pattern in by_key.items() if key not in stored}
        self._undated_patterns: set[PathPattern] = set()
        self._first_scans: dict[PathPattern, float] = {}
        for key, value in stored.items():
            if key in by_key:
                self._restore_first_scan(key, by_key[key], value)
            elif (file := FileId.from_key(key)) is not None:
                if not self._restore_checkpoint(file, value, triggers):
                    self._delete(key)
            elif key == LOST:
                self.lost_generations = value
            elif not (AggregatorId.from_key(key) or key.startswith(STALLED)):
                self._delete(key)  # aggregators and numbers that stall delete their keys themselves

    def _restore_first_scan(self, key: str, pattern: PathPattern, value: str) -> None:
        try:
            self._first_scans[pattern] = decode_first_scan(value)
        except CheckpointValueError as error:
            self._undated_patterns.add(pattern)
            what = f"time of the first scan of {pattern[1]} for trigger {pattern[0]}"
            self._refused.add(key, what, error, "it counts as first scanned now")

    def _restore_checkpoint(self, key: FileId, value: str, triggers: set[str]) -> bool:
        """Return whether to keep the key: it belongs to a trigger, and its value is usable."""
        if key.catch_up_trigger and key.catch_up_trigger not in triggers:
            return False
        try:
            checkpoint = Checkpoint.decode(key, value)
        except CheckpointValueError as error:
            self._refuse_checkpoint(key, value, error)
            return False
        starts = {name: at for name, at in checkpoint.start_offsets.items() if name in triggers}
        if starts:
            self._closed[key] = replace(checkpoint, start_offsets=starts)
            self._index.add(key, checkpoint.path)
        return bool(starts)

    def _refuse_checkpoint(self, key: FileId, value: str, error: CheckpointValueError) -> None:
        path = readable_path(value) or f"inode {key.inode} of device {key.device}"
        what, consequence = f"log checkpoint of {path}", "the file counts as new"
        if key.catch_up_trigger:
            what = f"catch-up position of trigger {key.catch_up_trigger} in {path}"
            consequence = "the earlier lines that it has not read are skipped"
        self._refused.add(key.to_key(), what, error, consequence)

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

    def expect(self, path: str) -> None:
        """Count a file at a path as known, although it was not opened yet."""
        self._index.expect(path)

    def stop_expecting(self, path: str) -> None:
        self._index.stop_expecting(path)

    def update(self, key: FileId, checkpoint: Checkpoint, *, urgent: bool = False) -> None:
        """Have the checkpoint of a file committed."""
        self._index.add(key, checkpoint.path)
        self._changes[key.to_key()] = checkpoint.encode()
        self.is_urgent |= urgent

    def forget(self, key: FileId) -> None:
        """Delete the checkpoint of a file, open or closed."""
        self._closed.pop(key, None)
        self._index.remove(key)
        self._delete(key.to_key())

    # Path patterns

    def is_new_pattern(self, pattern: PathPattern) -> bool:
        """Whether a pattern was never scanned before this start."""
        return pattern in self._new_patterns

    def first_scan(self, pattern: PathPattern) -> float | None:
        """Return when a pattern was first scanned, in wall-clock seconds; None if unknown."""
        return self._first_scans.get(pattern)

    def mark_scanned(self, wall: float) -> None:
        """Record that all patterns were scanned."""
        fresh = self._new_patterns | self._undated_patterns
        self.is_urgent |= bool(fresh)
        self._changes |= {first_scan_key(*each): encode_first_scan(wall) for each in fresh}
        self._first_scans |= dict.fromkeys(fresh, wall)
        self._new_patterns, self._undated_patterns = set(), set()

    # Changes

    def refuse(self, key: str, what: str, error: CheckpointValueError, consequence: str) -> None:
        """Report a stored value that is not usable, and delete it."""
        self._refused.add(key, what, error, consequence)
        self._delete(key)

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
