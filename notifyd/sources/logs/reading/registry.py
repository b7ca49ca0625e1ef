"""What is remembered of all log files, and what of it is still to be committed."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from notifyd.sources.logs.checkpoint import PREFIX, Checkpoint, FileId, armed_key, carry_of
from notifyd.sources.logs.reading.rotation_index import RotationIndex

_END = 1e10
"""No time of ours is as late, in seconds."""
KEPT = 30 * 86400.0
"""Seconds for which the position of a file that vanished is kept."""


class Registry:
    """By key the positions of files that are not open, and by text what changed.

    armed: triggers with their path patterns. Whatever belongs to none of them is forgotten.
    """

    def __init__(self, armed: Iterable[tuple[str, str]], positions: Mapping[str, str]) -> None:
        self.stored: dict[FileId, Checkpoint] = {}
        self._index = RotationIndex()
        self.news: dict[str, str | None] = {}
        """To be committed with the next reading; None forgets."""
        self.urgent = False
        """Whether that must not wait."""
        pairs = list(armed)
        markers = {armed_key(*pair): pair for pair in pairs}
        triggers = {trigger for trigger, _ in pairs}
        self.unarmed = {pair for marker, pair in markers.items() if marker not in positions}
        """What is looked for for the first time."""
        self.armed = {
            pair: when
            for marker, pair in markers.items()
            if (when := _seconds(positions.get(marker, ""))) is not None
        }
        """By trigger and pattern, when they were looked for for the first time, by the wall."""
        for text, value in positions.items():
            known = text in markers or carry_of(text) is not None  # carries look after themselves
            if not self._restored(text, value, triggers) and not known:
                self.forget(text)

    def _restored(self, text: str, value: str, triggers: set[str]) -> bool:
        key, position = FileId.parse(text), Checkpoint.parse(value)
        if key is None or position is None or (key.lane and key.lane not in triggers):
            return False
        since = {name: at for name, at in position.since.items() if name in triggers}
        if since:
            self.stored[key] = replace(position, since=since)
            self._index.enter(key, position.path)
        return bool(since)

    def called(self, path: str) -> list[FileId]:
        """List the files, open or not, that a path named, or may have named before rotation."""
        return self._index.of(path)

    def named(self, name: str) -> list[FileId]:
        """List the files of which the same is true of some path to a name, in any folder."""
        return self._index.anywhere(name)

    def homes(self, path: str) -> bool:
        """Whether a path is known to name a log, so that what lies around it is of that one."""
        return self._index.homes(path)

    def note(self, key: FileId, position: Checkpoint, *, urgent: bool = False) -> None:
        self._index.enter(key, position.path)
        self.news[key.text()] = position.text()
        self.urgent |= urgent

    def store(self, key: FileId, position: Checkpoint) -> None:
        """Keep the position of a file that is closed, or was never opened."""
        self.stored[key] = position
        self.note(key, position, urgent=True)

    def drop(self, key: FileId) -> None:
        """Forget a file, open or not."""
        self.stored.pop(key, None)
        self._index.leave(key)
        self.forget(key.text())

    def forget(self, text: str) -> None:
        if text.startswith(PREFIX):
            self.news[text] = None

    def change(self, news: Mapping[str, str | None]) -> None:
        """Have changes committed that were made to what is remembered."""
        self.news |= news
        self.urgent |= bool(news)

    def arm(self, wall: float) -> None:
        """Remember that everything was looked for once."""
        self.urgent |= bool(self.unarmed)
        self.news |= {armed_key(*pair): repr(wall) for pair in self.unarmed}
        self.armed |= dict.fromkeys(self.unarmed, wall)
        self.unarmed = set()

    def expire(self, wall: float) -> None:
        """Forget files that have been gone for long."""
        for key, position in list(self.stored.items()):
            if position.seen + KEPT < wall:
                self.drop(key)

    def take(self) -> dict[str, str | None]:
        """Hand over what is to be committed."""
        news, self.news, self.urgent = self.news, {}, False
        return news


def _seconds(text: str) -> float | None:
    """Read a time; None for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < _END else None
