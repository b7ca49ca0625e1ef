"""What the journal source follows, and how it calls journalctl."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from notifyd.sources.journal.access import COMMAND, ROOTS
from notifyd.sources.journal.identity import OwnIdentity, read_own_identity
from notifyd.sources.records.scanning import LineSourceOptions


@dataclass(frozen=True, slots=True)
class JournalSourceOptions(LineSourceOptions):
    """command: how journalctl is called. roots: where journals are. Times are in seconds.

    check_interval: between two checks of the directories, and between two attempts while the
    journal cannot be read. idle_advance: without an entry, after which a cursor moves to the
    journal's end; sooner when journal files are rotated. commit_timeout: for a commit, after which
    journalctl is ended, because it keeps deleted files on the disk.
    """

    command: Sequence[str] = (COMMAND,)
    roots: tuple[Path, ...] = ROOTS
    identity: OwnIdentity = field(default_factory=read_own_identity)
    check_interval: float = 30.0
    idle_advance: float = 3600.0
    commit_timeout: float = 60.0
