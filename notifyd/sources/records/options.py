"""What every source of lines needs: its triggers, and what they are matched with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.records.scanning import RecordMatcherFor, ScannerFor


@dataclass(frozen=True, slots=True)
class LineSourceOptions:
    """wall: returns seconds since the epoch."""

    triggers: Mapping[str, LogTriggerConfig]
    scanner_for: ScannerFor
    record_matcher_for: RecordMatcherFor
    wall: Callable[[], float]
