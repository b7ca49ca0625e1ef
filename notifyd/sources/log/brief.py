"""What is to be followed, and with what it is matched."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from notifyd.config.triggers import LogTrigger
from notifyd.sources.records.scanning import JudgeFor, ScannerFor


@dataclass(frozen=True, slots=True)
class Brief:
    """wall: tells wall-clock seconds. never: folders of our own, which are no source.

    descriptors: how many logs are kept open at once; None for half of what the process may open.
    """

    triggers: Mapping[str, LogTrigger]
    scanner_for: ScannerFor
    judge_for: JudgeFor
    wall: Callable[[], float]
    never: tuple[Path, ...] = ()
    descriptors: int | None = None
