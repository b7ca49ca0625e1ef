"""What files were a while ago that are not what they were: copies of them may still be met."""

import os
from collections import deque
from collections.abc import Iterable, Iterator

from notifyd.sources.logs.checkpoint import Checkpoint
from notifyd.sources.logs.discovery.rotated_files import original_names, possible_names
from notifyd.sources.logs.reading.reader_set import DRAIN_SECONDS, ReaderSet


class RecentGenerations:
    """Positions, remembered for DRAIN_SECONDS seconds, by the folder that the file lay in."""

    def __init__(self, tails: ReaderSet) -> None:
        self._tails = tails
        self._due: deque[tuple[float, str]] = deque()
        self._positions: dict[str, deque[Checkpoint]] = {}

    def add(self, positions: Iterable[Checkpoint]) -> None:
        """Remember what files were, and forget what was remembered for long enough."""
        while self._due and self._due[0][0] <= self._tails.now:
            _, folder = self._due.popleft()
            self._positions[folder].popleft()
            if not self._positions[folder]:
                del self._positions[folder]
        for position in positions:
            folder = os.path.dirname(position.path)  # noqa: PTH120 - strings throughout
            self._positions.setdefault(folder, deque()).append(position)
            self._due.append((self._tails.now + DRAIN_SECONDS, folder))

    def of(self, path: str) -> Iterator[Checkpoint]:
        """Go through what those files were that a file at this path may be a copy of."""
        folder, name = os.path.split(path)
        bases = original_names(name)
        at_home = any(self._tails.registry.is_log_path(f"{folder}/{base}") for base in bases)
        elsewhere = bases and not at_home
        for around in list(self._positions) if elsewhere else [folder]:
            for position in self._positions.get(around, ()):
                akin = not bases.isdisjoint(possible_names(position.path))
                if akin and self._tails.may_be_same_log(position.path, folder):
                    yield position
