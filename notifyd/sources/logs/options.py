"""What is to be followed, and with what it is matched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.records.scanning import RecordMatcherFor, ScannerFor


@dataclass(frozen=True, slots=True)
class LogSourceOptions:
    """wall: tells wall-clock seconds. never: folders of our own, which are no source.

    descriptors: how many logs are kept open at once; None for half of what the process may open.
    """

    triggers: Mapping[str, LogTriggerConfig]
    scanner_for: ScannerFor
    record_matcher_for: RecordMatcherFor
    wall: Callable[[], float]
    excluded_dirs: tuple[Path, ...] = ()
    max_descriptors: int | None = None
