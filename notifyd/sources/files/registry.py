"""The checkpoints of files: what was watched, and which files are known."""

from collections.abc import Iterable, Mapping
from typing import Final

from notifyd.sources.files.snapshot import FileChange, FileTerms, Snapshot
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues, escape_path

_PREFIX: Final = "file:"


def terms_key(trigger: str) -> str:
    """Return the key of what was watched when a trigger was armed."""
    return f"{_PREFIX}{trigger}"


def checkpoint_updates(trigger: str, changes: Iterable[FileChange]) -> Mapping[str, str | None]:
    """Return what to store of these changes."""
    return {
        f"{terms_key(trigger)}:{escape_path(change.path)}": (
            None if change.state is None else change.state.encode()
        )
        for change in changes
    }


class FileRegistry:
    """Restores the known files of each snapshot.

    armed: triggers that watch what they watched before. obsolete_keys: to be deleted, unless they
    are written before. refused: unusable checkpoints.
    """

    def __init__(self, snapshots: Mapping[str, Snapshot], checkpoints: Mapping[str, str]) -> None:
        self.armed: set[str] = set()
        self.obsolete_keys: set[str] = set()
        self.refused = RefusedValues("file")
        for key, value in checkpoints.items():
            name, *path = key.removeprefix(_PREFIX).split(":", 1)
            snapshot = snapshots.get(name)
            if snapshot is None:
                self.obsolete_keys.add(key)
            elif path:
                self._restore_file(key, snapshot, name, path[0], value)
            else:
                self._restore_terms(key, snapshot, name, value)

    def _restore_file(self, key: str, snapshot: Snapshot, name: str, path: str, value: str) -> None:
        try:
            if not snapshot.restore(path, value):
                self.obsolete_keys.add(key)
        except CheckpointValueError as error:
            self.obsolete_keys.add(key)
            what = f"state of {path} for trigger {name}"
            self.refused.add(key, what, error, "if the file exists, it counts as created")

    def _restore_terms(self, key: str, snapshot: Snapshot, name: str, value: str) -> None:
        try:
            if FileTerms.decode(value) == snapshot.terms:
                self.armed.add(name)
        except CheckpointValueError as error:
            what = f"paths of trigger {name}"
            consequence = "changes that happened while notifyd was stopped are not reported"
            self.refused.add(key, what, error, consequence)
