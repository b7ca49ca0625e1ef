"""Counts the generations of logs that were lost before they were read."""

from notifyd.model.health import Problem

_MOST_COMPRESSED = 10_000


class GapCounter:
    """Counts by log, since the start, generations that were deleted or compressed unread."""

    def __init__(self) -> None:
        self._deleted: dict[str, int] = {}
        self._compressed: dict[str, int] = {}
        self._counted: set[tuple[str, int]] = set()

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
        deleted = (
            Problem(
                "deleted",
                f"{log} lost {_generations(number)}, deleted before being read; "
                "keep more rotated files, or rotate at a larger size",
                subject=log,
            )
            for log, number in sorted(self._deleted.items())
        )
        compressed = (
            Problem(
                "compressed",
                f"{log} lost {_generations(number)}, compressed before being read; "
                "add delaycompress to the log's logrotate configuration",
                subject=log,
            )
            for log, number in sorted(self._compressed.items())
        )
        return (*deleted, *compressed)


def _generations(number: int) -> str:
    return "1 generation" if number == 1 else f"{number} generations"
