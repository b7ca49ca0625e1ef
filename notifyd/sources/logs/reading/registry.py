"""What is remembered of all log files, and what of it is still to be committed."""

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

_END = 1e10
"""No time of ours is as late, in seconds."""
CHECKPOINT_TTL = 30 * 86400.0
"""Seconds for which the position of a file that vanished is kept."""


class Registry:
    """By key the positions of files that are not open, and by text what changed.

    armed: triggers with their path patterns. Whatever belongs to none of them is forgotten.
    """

    def __init__(self, armed: Iterable[tuple[str, str]], positions: Mapping[str, str]) -> None:
        self.stored: dict[FileId, Checkpoint] = {}
        self._index = RotationIndex()
        self.changes: dict[str, str | None] = {}
        """To be committed with the next reading; None forgets."""
        self.is_urgent = False
        """Whether that must not wait."""
        pairs = list(armed)
        markers = {first_scan_key(*pair): pair for pair in pairs}
        triggers = {trigger for trigger, _ in pairs}
        self.new_patterns = {pair for marker, pair in markers.items() if marker not in positions}
        """What is looked for for the first time."""
        self.first_scanned = {
            pair: when
            for marker, pair in markers.items()
            if (when := _seconds(positions.get(marker, ""))) is not None
        }
        """By trigger and pattern, when they were looked for for the first time, by the wall."""
        for text, value in positions.items():
            known = (
                text in markers or parse_pending_record_key(text) is not None
            )  # carries look after themselves
            if not self._restore(text, value, triggers) and not known:
                self.delete_key(text)

    def _restore(self, text: str, value: str, triggers: set[str]) -> bool:
        key, position = FileId.parse(text), Checkpoint.parse(value)
        if (
            key is None
            or position is None
            or (key.catch_up_trigger and key.catch_up_trigger not in triggers)
        ):
            return False
        since = {name: at for name, at in position.start_offsets.items() if name in triggers}
        if since:
            self.stored[key] = replace(position, start_offsets=since)
            self._index.add(key, position.path)
        return bool(since)

    def keys_for_path(self, path: str) -> list[FileId]:
        """List the files, open or not, that a path named, or may have named before rotation."""
        return self._index.for_path(path)

    def keys_for_name(self, name: str) -> list[FileId]:
        """List the files of which the same is true of some path to a name, in any folder."""
        return self._index.for_name(name)

    def is_log_path(self, path: str) -> bool:
        """Whether a path is known to name a log, so that what lies around it is of that one."""
        return self._index.is_log_path(path)

    def update(self, key: FileId, position: Checkpoint, *, urgent: bool = False) -> None:
        self._index.add(key, position.path)
        self.changes[key.text()] = position.text()
        self.is_urgent |= urgent

    def store_closed(self, key: FileId, position: Checkpoint) -> None:
        """Keep the position of a file that is closed, or was never opened."""
        self.stored[key] = position
        self.update(key, position, urgent=True)

    def forget(self, key: FileId) -> None:
        """Forget a file, open or not."""
        self.stored.pop(key, None)
        self._index.remove(key)
        self.delete_key(key.text())

    def delete_key(self, text: str) -> None:
        if text.startswith(PREFIX):
            self.changes[text] = None

    def apply(self, news: Mapping[str, str | None]) -> None:
        """Have changes committed that were made to what is remembered."""
        self.changes |= news
        self.is_urgent |= bool(news)

    def mark_scanned(self, wall: float) -> None:
        """Remember that everything was looked for once."""
        self.is_urgent |= bool(self.new_patterns)
        self.changes |= {first_scan_key(*pair): repr(wall) for pair in self.new_patterns}
        self.first_scanned |= dict.fromkeys(self.new_patterns, wall)
        self.new_patterns = set()

    def expire(self, wall: float) -> None:
        """Forget files that have been gone for long."""
        for key, position in list(self.stored.items()):
            if position.last_seen + CHECKPOINT_TTL < wall:
                self.forget(key)

    def take_changes(self) -> dict[str, str | None]:
        """Hand over what is to be committed."""
        news, self.changes, self.is_urgent = self.changes, {}, False
        return news


def _seconds(text: str) -> float | None:
    """Read a time; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < _END else None
