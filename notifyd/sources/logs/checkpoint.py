"""How far each log file was read: the values, and how they are stored."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple, Self

from notifyd.sources.stored_values import (
    CheckpointValueError,
    StoredFields,
    as_seconds,
    decode_json,
)
from notifyd.text.visible import LongLine

TAIL_SIZE: Final = 512
"""How many bytes before an offset tell whether a file is still the same: several lines."""
_EARLY_TAIL_SIZE: Final = 64
"""How many did in a checkpoint that does not say how many."""
_MOST_OFFSET: Final = (1 << 62) - 1
_MOST_NS: Final = (1 << 63) - 1
_MOST_DIGITS: Final = 20
"""Of the number of a device or inode, which has 64 bits."""

_LONG_LINE: Final = ("start", "text", "undecided")
"""The items of a stored line or message that is not complete."""

PREFIX: Final = "log:"
LOST: Final = PREFIX + "lost"
"""The key of the counts of lost generations."""
_FILE: Final = PREFIX + "file:"
_FIRST_SCAN: Final = PREFIX + "armed:"
_PENDING_RECORD: Final = PREFIX + "carry:"
STALLED: Final = PREFIX + "stalled:"


class FileId(NamedTuple):
    """One reader of one file. catch_up_trigger: of a catch-up reader, its trigger; else empty."""

    device: int
    inode: int
    catch_up_trigger: str = ""

    @property
    def identity(self) -> tuple[int, int]:
        """The device and inode, whichever reader it is."""
        return self.device, self.inode

    def to_key(self) -> str:
        return f"{_FILE}{self.device}:{self.inode}:{self.catch_up_trigger}"

    @classmethod
    def from_key(cls, key: str) -> Self | None:
        """Parse what `to_key` returned; None for any other key."""
        device, _, rest = key.removeprefix(_FILE).partition(":")
        inode, _, trigger = rest.partition(":")
        is_file = key.startswith(_FILE) and _is_number(device) and _is_number(inode)
        return cls(int(device), int(inode), trigger) if is_file else None


class AggregatorId(NamedTuple):
    """What one trigger holds of the lines of one file."""

    trigger: str
    file: FileId

    def to_key(self) -> str:
        catch_up = "lane" if self.file.catch_up_trigger else ""
        return f"{_PENDING_RECORD}{self.file.device}:{self.file.inode}:{catch_up}:{self.trigger}"

    @classmethod
    def from_key(cls, key: str) -> Self | None:
        """Parse what `to_key` returned; None for any other key."""
        device, _, rest = key.removeprefix(_PENDING_RECORD).partition(":")
        inode, _, rest = rest.partition(":")
        catch_up, _, trigger = rest.partition(":")
        if not (key.startswith(_PENDING_RECORD) and _is_number(device) and _is_number(inode)):
            return None
        return cls(trigger, FileId(int(device), int(inode), trigger if catch_up else ""))


def first_scan_key(trigger: str, pattern: str) -> str:
    """Return the key of the time at which a trigger first scanned for a path pattern."""
    return f"{_FIRST_SCAN}{trigger}:{pattern}"


def encode_first_scan(wall: float) -> str:
    return repr(wall)


def decode_first_scan(text: str) -> float:
    """Decode what `encode_first_scan` returned; CheckpointValueError for anything else."""
    return as_seconds(decode_json(text))


def digest(before: bytes) -> str:
    """Hash the bytes before an offset; empty for no bytes, as before offset 0."""
    return blake2b(before, digest_size=8).hexdigest() if before else ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a file was read.

    path: the configured path at which it was found.
    offset: the end of what was delivered, at the start of a line unless `skipping_line`.
    tail_digest: of the `tail_len` bytes before the offset, or fewer; empty if never read.
    skipping_line: the offset is in a line that is too long, or whose start was not wanted.
    only_nul: nothing but NUL bytes is before the offset.
    start_offsets: by trigger, the offset from which on its lines count.
    catch_up_end: of a catch-up reader, the offset at which it ends.
    last_seen: wall-clock seconds when the file was last known to exist.
    modified_ns: its modification time, in nanoseconds, when its content was last verified.
    head_digest: of its first bytes, as far as they are before the offset; empty if unknown.
    content_since: when its content began, in nanoseconds; 0 if unknown.
    truncated_at: when it was truncated after this, in nanoseconds; 0 if it was not.
    head_bytes: the bytes of `head_digest`; not stored.
    inode_generation: tells its inode from an earlier one with the same number; 0 if unknown.
    archived_path: where it was seen last, if no configured path leads to it.
    is_copy: it is a copy, and what is before the offset was read from another file.
    copy_search_done: it is deleted, and copies of it were searched for.
    long_line: the line that the offset is in, if its beginning was read.
    split_messages: the beginnings of messages that continue after the offset.
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
    tail_len: int = _EARLY_TAIL_SIZE
    long_line: LongLine | None = None
    split_messages: Mapping[str, LongLine] = field(default_factory=dict)

    def encode(self) -> str:
        stored: dict[str, object] = {
            "path": self.path,
            "offset": self.offset,
            "check": self.tail_digest,
            "skipping": self.skipping_line,
            "blank": self.only_nul,
            "since": self.start_offsets,
            "until": self.catch_up_end,
            "seen": self.last_seen,
            "modified": self.modified_ns,
            "head": self.head_digest,
            "begun": self.content_since,
            "cut": self.truncated_at,
            "version": self.inode_generation,
            "place": self.archived_path,
            "copied": self.is_copy,
            "sought": self.copy_search_done,
            "checked": self.tail_len,
        }
        if self.long_line is not None:
            stored["line"] = _to_row(self.long_line)
        if self.split_messages:
            stored["split"] = [[key, *_to_row(line)] for key, line in self.split_messages.items()]
        return json.dumps(stored, separators=(",", ":"))

    @classmethod
    def decode(cls, key: FileId, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else.

        Keys that early versions did not write have the defaults of their attributes.
        """
        fields = StoredFields.decode(text)
        end = fields.value("until") if "until" in fields else None
        if (end is None) != (not key.catch_up_trigger):
            raise CheckpointValueError(
                '"until" must be an offset for a catch-up, and null otherwise'
            )
        return cls(
            _path(fields, "path"),
            fields.integer("offset", most=_MOST_OFFSET),
            fields.text("check"),
            skipping_line=fields.boolean("skipping", default=False),
            only_nul=fields.boolean("blank", default=False),
            start_offsets=fields.integer_map("since", {}, most=_MOST_OFFSET),
            catch_up_end=None if end is None else fields.integer("until", most=_MOST_OFFSET),
            last_seen=fields.seconds("seen", 0.0),
            modified_ns=_nanoseconds(fields, "modified"),
            head_digest=fields.text("head", ""),
            content_since=_nanoseconds(fields, "begun"),
            truncated_at=_nanoseconds(fields, "cut"),
            inode_generation=fields.integer("version", 0),
            archived_path=_path(fields, "place") if fields.text("place", "") else "",
            is_copy=fields.boolean("copied", default=False),
            copy_search_done=fields.boolean("sought", default=False),
            tail_len=fields.integer("checked", _EARLY_TAIL_SIZE, least=1),
            long_line=_from_row(fields.row("line", _LONG_LINE)) if "line" in fields else None,
            split_messages={
                row.text("key"): _from_row(row)
                for row in (fields.rows("split", ("key", *_LONG_LINE)) if "split" in fields else ())
            },
        )


def readable_path(text: str) -> str:
    """Return the path of an unusable checkpoint, for a message; empty if that is unusable too."""
    try:
        return _path(StoredFields.decode(text, newest=sys.maxsize), "path")
    except CheckpointValueError:
        return ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def _nanoseconds(fields: StoredFields, name: str) -> int:
    """Return a modification time, which may be before the epoch; 0 if it is missing."""
    return fields.integer(name, 0, least=-_MOST_NS, most=_MOST_NS)


def _to_row(line: LongLine) -> list[object]:
    return [line.start, line.text.decode("latin-1"), line.undecided.decode("latin-1")]


def _from_row(row: StoredFields) -> LongLine:
    return LongLine(
        row.integer("start", most=_MOST_OFFSET), row.latin_1("text"), row.latin_1("undecided")
    )


def _path(fields: StoredFields, name: str) -> str:
    path = fields.text(name)
    try:
        is_path = b"\0" not in os.fsencode(path) and path.startswith("/")
    except UnicodeEncodeError:
        is_path = False
    if not is_path:
        raise CheckpointValueError(f'"{name}" must be an absolute path')
    return path
