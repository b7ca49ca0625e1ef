"""What a log source follows, and with what it matches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.records.scanning import RecordMatcherFor, ScannerFor


@dataclass(frozen=True, slots=True)
class LogSourceOptions:
    """wall: returns wall-clock seconds. excluded_dirs: directories in which nothing is read.

    max_descriptors: how many files are open at once; None for half of what the process may open.
    """

    triggers: Mapping[str, LogTriggerConfig]
    scanner_for: ScannerFor
    record_matcher_for: RecordMatcherFor
    wall: Callable[[], float]
    excluded_dirs: tuple[Path, ...] = ()
    max_descriptors: int | None = None
