"""Cursors of journal entries, and their stored form."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, Self

from notifyd.sources.journal.export import EntryFields
from notifyd.sources.stored_values import CheckpointValueError, StoredFields

_SEEKABLE: Final = re.compile(
    r"s=[0-9a-f]{32};i=[0-9a-f]+;b=[0-9a-f]{32};m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+"
)
"""A cursor that journalctl accepts."""
_ROW: Final = ("cursor", "stamp", "gone")
"""The items of a stored row."""


class ParsedCursor(NamedTuple):
    """The parts of a cursor. Sequence, boot and digest are opaque.

    number: of the entry in its sequence. mono, realtime: microseconds since the boot and the epoch.
    digest: of the entry's content.
    """

    sequence: str
    number: int
    boot: str
    mono: int
    realtime: int
    digest: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse "s=…;i=…;b=…;m=…;t=…;x=…"; None for anything else."""
        parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
        try:
            return cls(
                parts["s"],
                int(parts["i"], 16),
                parts["b"],
                int(parts["m"], 16),
                int(parts["t"], 16),
                parts["x"],
            )
        except (KeyError, ValueError):
            return None

    def is_same_entry(self, other: "ParsedCursor") -> bool:
        """Return whether both name one entry: journald renumbers entries that it moves to disk."""
        return self[2:] == other[2:]

    def is_after(self, other: "ParsedCursor") -> bool:
        """Return whether the entry comes later, by the rules of systemd."""
        if self.sequence == other.sequence:
            return self.number > other.number
        if self.boot == other.boot:
            return self.mono > other.mono
        return self.realtime > other.realtime

    def is_next_to(self, other: "ParsedCursor") -> bool:
        """Return whether there certainly was no entry between this one and an earlier one."""
        return self.sequence == other.sequence and self.number == other.number + 1


@dataclass(frozen=True)
class Cursor:
    """A position directly after an entry; without `text`, before all entries.

    realtime: of the entry, in microseconds since the epoch. gap_end: if the entry was missing when
    last looked for, the cursor of the next one that existed; that gap has been reported.
    """

    text: str = ""
    realtime: int = 0
    gap_end: str = ""

    @cached_property
    def parsed(self) -> ParsedCursor | None:
        return ParsedCursor.parse(self.text)

    @classmethod
    def of_entry(cls, fields: EntryFields | None) -> Self | None:
        """Return the position after an entry; None without an entry or its cursor."""
        cursor = fields.get(b"__CURSOR") if fields else None
        if not fields or cursor is None:
            return None
        realtime = fields.get(b"__REALTIME_TIMESTAMP", b"0")
        return cls(cursor.decode("ascii", "replace"), int(realtime) if realtime.isdigit() else 0)

    def is_after(self, other: "Cursor") -> bool:
        """Return whether the entry certainly comes later than another's, or than the start."""
        here, there = self.parsed, other.parsed
        return here is not None and (there is None or here.is_after(there))

    def is_same_entry(self, other: "Cursor") -> bool:
        here, there = self.parsed, other.parsed
        return here is not None and there is not None and here.is_same_entry(there)

    def encode(self) -> str:
        stored = {"cursor": self.text, "stamp": self.realtime, "gone": self.gap_end}
        return json.dumps(stored, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        return cls._from_fields(StoredFields.decode(text))

    def to_row(self) -> list[str | int]:
        return [self.text, self.realtime, self.gap_end]

    @classmethod
    def from_row(cls, fields: StoredFields, name: str) -> Self:
        """Decode a field that `to_row` returned."""
        return cls._from_fields(fields.row(name, _ROW))

    @classmethod
    def _from_fields(cls, fields: StoredFields) -> Self:
        text = fields.text("cursor")
        if text and not _SEEKABLE.fullmatch(text):
            raise CheckpointValueError('"cursor" is not a cursor of the journal')
        # The first version did not store "gone", the next one stored a boolean.
        has_gone = "gone" in fields and not isinstance(fields.value("gone"), bool)
        return cls(text, fields.microseconds("stamp"), fields.text("gone") if has_gone else "")
