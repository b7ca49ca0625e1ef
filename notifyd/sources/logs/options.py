"""What a log source follows, and with what it matches."""

from dataclasses import dataclass
from pathlib import Path

from notifyd.sources.records.scanning import LineSourceOptions


@dataclass(frozen=True, slots=True)
class LogSourceOptions(LineSourceOptions):
    """excluded_dirs: directories in which nothing is read.

    max_descriptors: how many files are open at once; None for half of what the process may open.
    most_events: how many events a poll returns, about. All of them are folded in one step.
    """

    excluded_dirs: tuple[Path, ...] = ()
    max_descriptors: int | None = None
    most_events: int = 500
