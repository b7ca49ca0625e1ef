"""Which paths have been missing for so long that it is reported."""

from collections.abc import Iterable

MISSING_SECONDS = 5.0
"""How long a path is missing before that is reported: rotation replaces it within moments."""


class MissingPaths:
    """Paths that are missing, and those of them to report.

    reported: the paths that are reported from the beginning, as long as they are missing.
    """

    def __init__(self, reported: Iterable[str] = ()) -> None:
        self._since: dict[str, float] = {}
        self.reported = set(reported)
        """Those that have been missing for long enough."""

    def update(self, missing: Iterable[str], now: float) -> None:
        """Set which paths are missing. now: monotonic seconds."""
        self._since = {path: self._since.get(path, now) for path in missing}
        self.reported &= self._since.keys()

    def due(self, now: float) -> set[str]:
        """Return the paths that have been missing for long enough and are not reported yet."""
        return {path for path, due in self._due_times() if now >= due}

    def report(self, paths: Iterable[str]) -> None:
        """Report these paths, as far as they are still missing."""
        self.reported |= self._since.keys() & set(paths)

    def report_all(self) -> None:
        self.report(self._since)

    @property
    def next_due(self) -> float | None:
        """Return when the next path is to be reported; None if none is."""
        return min((due for _, due in self._due_times()), default=None)

    def _due_times(self) -> list[tuple[str, float]]:
        return [
            (path, since + MISSING_SECONDS)
            for path, since in self._since.items()
            if path not in self.reported
        ]
