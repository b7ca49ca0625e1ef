"""Counts the generations of logs that were lost before they were read."""

from collections.abc import Iterator, Mapping

from notifyd.model.health import Problem

_MOST_COMPRESSED = 10_000
"""Compressed generations that are remembered as counted."""


class LostGenerations:
    """By log, how many generations were deleted or compressed unread since the start."""

    def __init__(self) -> None:
        self._deleted: dict[str, int] = {}
        self._compressed: dict[str, int] = {}
        self._counted: set[tuple[str, int]] = set()
        """Path and modification time of compressed generations."""

    def add_deleted(self, log: str, number: int) -> None:
        if number:
            self._deleted[log] = self._deleted.get(log, 0) + number

    def add_compressed(self, log: str, path: str, mtime_ns: int) -> None:
        """Count a compressed generation, once."""
        if (path, mtime_ns) in self._counted:
            return
        if len(self._counted) >= _MOST_COMPRESSED:
            self._counted.clear()
        self._counted.add((path, mtime_ns))
        self._compressed[log] = self._compressed.get(log, 0) + 1

    @property
    def problems(self) -> tuple[Problem, ...]:
        fix = "keep more rotated files, or rotate at a larger size"
        deleted = _problems("deleted", self._deleted, fix)
        fix = "add delaycompress to the log's logrotate configuration"
        return (*deleted, *_problems("compressed", self._compressed, fix))


def _problems(kind: str, counts: Mapping[str, int], fix: str) -> Iterator[Problem]:
    for log, number in sorted(counts.items()):
        generations = "1 generation" if number == 1 else f"{number} generations"
        message = f"{log} lost {generations}, {kind} before being read; {fix}"
        yield Problem(kind, message, subject=log)
