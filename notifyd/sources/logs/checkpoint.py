"""What is remembered of a log file between two runs, and by which keys."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple, Self

TAIL_SIZE = 512
"""How many bytes before the offset tell whether the file is still the same: several lines."""
_FORMER_TAIL_SIZE = 64
"""How many did in positions that do not say how many, which an earlier version wrote."""

PREFIX = "log:"
_FILE = PREFIX + "file:"
_ARMED = PREFIX + "armed:"
_CARRY = PREFIX + "carry:"


class FileId(NamedTuple):
    """Which file. lane: empty, or the trigger that reads apart from the others to catch up."""

    device: int
    inode: int
    catch_up_trigger: str = ""

    @property
    def identity(self) -> tuple[int, int]:
        """The device and inode, whichever reader it is."""
        return self.device, self.inode

    def text(self) -> str:
        return f"{_FILE}{self.device}:{self.inode}:{self.catch_up_trigger}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `text` wrote; None for any other key."""
        device, _, rest = text.removeprefix(_FILE).partition(":")
        inode, _, lane = rest.partition(":")
        known = text.startswith(_FILE) and device.isdecimal() and inode.isdecimal()
        return cls(int(device), int(inode), lane) if known else None


def first_scan_key(trigger: str, pattern: str) -> str:
    """Name the moment at which a trigger first looked for a path pattern."""
    return f"{_ARMED}{trigger}:{pattern}"


def pending_record_key(trigger: str, key: FileId) -> str:
    """Name what a trigger holds of a file's earlier bytes."""
    lane = "lane" if key.catch_up_trigger else ""
    return f"{_CARRY}{key.device}:{key.inode}:{lane}:{trigger}"


def parse_pending_record_key(text: str) -> tuple[str, FileId] | None:
    """Read what `pending_record_key` wrote; None for any other key."""
    if not text.startswith(_CARRY):
        return None
    device, _, rest = text.removeprefix(_CARRY).partition(":")
    inode, _, rest = rest.partition(":")
    lane, _, trigger = rest.partition(":")
    if not (device.isdecimal() and inode.isdecimal()):
        return None
    return trigger, FileId(int(device), int(inode), trigger if lane else "")


def digest(before: bytes) -> str:
    """Boil down the bytes before an offset; empty for none, as before offset 0."""
    return blake2b(before, digest_size=8).hexdigest() if before else ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a file was read.

    offset: the end of the bytes given away, at a line's start unless `skipping`.
    check: the digest of the bytes before it, at most `checked`; unknown (empty) if never read.
    skipping: inside a line that is too long, or whose start was not wanted.
    blank: nothing but NUL bytes lies before the offset.
    since: by trigger, the offset from which on its lines count.
    until: for a lane, where the others had been.
    seen: wall-clock seconds when the file was last known to exist.
    modified: when it was last written to, in nanoseconds, as far as that was seen.
    head: the digest of its first bytes, as far as they lie before the offset; empty if unknown.
    begun: when what it holds was begun, in nanoseconds, as far as that was seen; 0 if unknown.
    cut: when the file was truncated after this, as far as that was seen; 0 if it was not.
    first: what it began with, at most as much as `head` speaks of; not kept over a restart.
    version: what tells its inode from an earlier one of the same number; 0 if unknown.
    place: where it was seen last, if no pattern names it there.
    copied: it is a copy, of which nothing was read: what lies before the offset was read elsewhere.
    sought: it is deleted, and a copy of it was looked for already.
    """

    path: str
    offset: int
    tail_digest: str
    skipping_line: bool = False
    only_nul: bool = False
    start_offsets: Mapping[str, int] = field(default_factory=dict)
    catch_up_end: int | None = None
    last_seen: float = 0.0
    modified_ns: int = 0
    head_digest: str = ""
    content_since: int = 0
    truncated_at: int = 0
    head_bytes: bytes = field(default=b"", compare=False, repr=False)
    inode_generation: int = 0
    archived_path: str = ""
    is_copy: bool = False
    copy_search_done: bool = False
    tail_len: int = _FORMER_TAIL_SIZE

    def text(self) -> str:
        """Encode the checkpoint as JSON, with stored names of their own."""
        stored = {name: getattr(self, attribute) for name, attribute in _STORED.items()}
        return json.dumps(stored, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Decode what `text` returned; None for anything else. Unknown names are ignored."""
        try:
            stored = json.loads(text)
            return cls(**{_STORED[name]: stored[name] for name in _STORED if name in stored})
        except (TypeError, ValueError):
            return None


_STORED: Final = {
    "path": "path",
    "offset": "offset",
    "check": "tail_digest",
    "skipping": "skipping_line",
    "blank": "only_nul",
    "since": "start_offsets",
    "until": "catch_up_end",
    "seen": "last_seen",
    "modified": "modified_ns",
    "head": "head_digest",
    "begun": "content_since",
    "cut": "truncated_at",
    "version": "inode_generation",
    "place": "archived_path",
    "copied": "is_copy",
    "sought": "copy_search_done",
    "checked": "tail_len",
}
"""The attributes of a checkpoint by their stored names, which never change."""
