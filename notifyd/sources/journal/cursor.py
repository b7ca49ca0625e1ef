"""Where an entry stands in the journal: what `__CURSOR` says, and what is remembered of it."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, Self

from notifyd.sources.journal.export import Fields
from notifyd.sources.stored_values import CheckpointValueError, StoredFields

_SEEKABLE: Final = re.compile(
    r"s=[0-9a-f]{32};i=[0-9a-f]+;b=[0-9a-f]{32};m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+"
)
"""A cursor that journalctl accepts."""
_ROW: Final = ("cursor", "stamp", "gone")
"""A stored row's items: one that ends a catch-up has no `gone`."""


class ParsedCursor(NamedTuple):
    """The parts of a cursor, as systemd writes them: all but two are hexadecimal numbers.

    realtime, mono: microseconds, since the epoch and since the boot. digest: of the content.
    """

    sequence: str
    number: int
    boot: str
    mono: int
    realtime: int
    digest: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read "s=…;i=…;b=…;m=…;t=…;x=…"; None for anything else."""
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

    def same(self, other: "ParsedCursor") -> bool:
        """Whether both name one entry: journald numbers it anew when it moves it to the disk."""
        return self[2:] == other[2:]

    def after(self, other: "ParsedCursor") -> bool:
        """Whether an entry comes later, by the rules that systemd itself goes by."""
        if self.sequence == other.sequence:
            return self.number > other.number
        if self.boot == other.boot:
            return self.mono > other.mono
        return self.realtime > other.realtime

    def next_to(self, other: "ParsedCursor") -> bool:
        """Whether surely nothing was between an entry and this later one."""
        return self.sequence == other.sequence and self.number == other.number + 1


@dataclass(frozen=True)
class Cursor:
    """Between two entries: behind the one that the cursor names; if it is empty, before them all.

    stamp: the entry's time, in microseconds since the epoch. gone: where the entry was no longer
    there when it was looked for, and that was told, the cursor of the next one that was.
    """

    cursor: str = ""
    stamp: int = 0
    gone: str = ""

    @cached_property
    def parsed(self) -> ParsedCursor | None:
        return ParsedCursor.parse(self.cursor)

    @classmethod
    def of(cls, fields: Fields | None) -> Self | None:
        """Say where an entry stands; None for what has no place in the journal."""
        cursor = fields.get(b"__CURSOR") if fields else None
        if not fields or cursor is None:
            return None
        stamp = fields.get(b"__REALTIME_TIMESTAMP", b"0")
        return cls(cursor.decode("ascii", "replace"), int(stamp) if stamp.isdigit() else 0)

    def after(self, other: "Cursor") -> bool:
        """Whether it surely lies behind another; every entry lies behind the empty place."""
        here, there = self.parsed, other.parsed
        return here is not None and (there is None or here.after(there))

    def same(self, other: "Cursor") -> bool:
        """Whether both are behind the same entry."""
        here, there = self.parsed, other.parsed
        return here is not None and there is not None and here.same(there)

    def encode(self) -> str:
        stored = {"cursor": self.cursor, "stamp": self.stamp, "gone": self.gone}
        return json.dumps(stored, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        return cls._from_fields(StoredFields.decode(text))

    def to_row(self) -> list[str | int]:
        return [self.cursor, self.stamp, self.gone]

    @classmethod
    def from_row(cls, fields: StoredFields, name: str) -> Self:
        """Decode a field that `to_row` returned."""
        return cls._from_fields(fields.row(name, _ROW))

    @classmethod
    def _from_fields(cls, fields: StoredFields) -> Self:
        cursor = fields.text("cursor")
        if cursor and not _SEEKABLE.fullmatch(cursor):
            raise CheckpointValueError('"cursor" is not a cursor of the journal')
        # An early version did not write "gone", the next one wrote a boolean.
        has_gone = "gone" in fields and not isinstance(fields.value("gone"), bool)
        return cls(cursor, fields.microseconds("stamp"), fields.text("gone") if has_gone else "")
