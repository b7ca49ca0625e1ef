"""One entry of the journal, as far as triggers can see it, and who wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.export import Fields
from notifyd.sources.journal.identity import OwnUnit

_SENDER: Final = (
    b"_PID",
    b"_UID",
    b"_COMM",
    b"_CMDLINE",
    b"SYSLOG_IDENTIFIER",
    b"_SYSTEMD_UNIT",
    b"_SYSTEMD_USER_UNIT",
    b"UNIT",
    b"USER_UNIT",
    b"OBJECT_SYSTEMD_UNIT",
    b"COREDUMP_UNIT",
)
_DROPPED, _NAMED = b"N_DROPPED", b"MESSAGE_ID"
_SUPPRESSED: Final = b"a596d6fe7bfa4994828e72309e95d61e"
FIELDS: Final = ",".join(name.decode() for name in (b"MESSAGE", _NAMED, _DROPPED, *_SENDER))
"""What is asked for; cursor and times always come."""
_SENDERS_KEPT: Final = 4096
_LF = b"\n"


@dataclass(frozen=True, slots=True)
class Sender:
    """units: those that an entry is about, the most telling first. own: this daemon wrote it."""

    units: tuple[str, ...]
    pid: str
    name: str
    cmdline: str
    own: bool

    @property
    def unit(self) -> str:
        return self.units[0] if self.units else ""

    def facts(self) -> dict[str, str]:
        known = {"unit": self.unit, "pid": self.pid, "name": self.name, "cmdline": self.cmdline}
        return {name: value for name, value in known.items() if value}


class SuppressedMessages(NamedTuple):
    """So many entries of a unit came too fast for journald, which dropped them."""

    unit: str
    number: int


class Entry(NamedTuple):
    """message: None where an entry has none; its last LFs are off. lost: what it reports."""

    place: Cursor
    sender: Sender
    message: bytes | None
    lost: SuppressedMessages | None = None


class Reader:
    """Makes entries of fields; senders are made once each."""

    def __init__(self, identity: OwnUnit) -> None:
        self._identity = identity
        self._senders: dict[tuple[bytes | None, ...], Sender] = {}

    def entry(self, fields: Fields) -> Entry | None:
        """Read one entry; None for what has no place in the journal."""
        place = Cursor.of(fields)
        if place is None:
            return None
        message = fields.get(b"MESSAGE")
        message = message.rstrip(_LF) if message is not None else None
        lost = self._lost(fields) if _DROPPED in fields else None
        return Entry(place, self._sender(fields), message, lost)

    def _lost(self, fields: Fields) -> SuppressedMessages | None:
        """Read journald's report of what it dropped; None for what anybody else may have written.

        Entries of our own were never wanted.
        """
        count, unit = fields[_DROPPED], _text(fields, b"OBJECT_SYSTEMD_UNIT")
        if fields.get(_NAMED) != _SUPPRESSED or fields.get(b"_UID") != b"0" or not count.isdigit():
            return None
        return (
            None if unit and unit == self._identity.unit else SuppressedMessages(unit, int(count))
        )

    def _sender(self, fields: Fields) -> Sender:
        key = tuple(map(fields.get, _SENDER))
        found = self._senders.get(key)
        if found is None:
            if len(self._senders) >= _SENDERS_KEPT:
                self._senders.clear()
            found = self._senders[key] = self._made({name: _text(fields, name) for name in _SENDER})
        return found

    def _made(self, said: Mapping[bytes, str]) -> Sender:
        """Believe what a writer says of other units only where systemd or root says it.

        A user's own units count if that user runs this daemon: everybody may name theirs at will.
        """
        uid, pid, home = said[b"_UID"], said[b"_PID"], said[b"_SYSTEMD_UNIT"]
        ours = uid == str(self._identity.uid)
        told = [said[b"UNIT"]] if pid == "1" else []
        told += [said[b"COREDUMP_UNIT"], said[b"OBJECT_SYSTEMD_UNIT"]] if uid == "0" else []
        told += [said[b"USER_UNIT"], said[b"_SYSTEMD_USER_UNIT"]] if ours else []
        homes = (home, said[b"_SYSTEMD_USER_UNIT"] if ours else "")
        return Sender(
            units=tuple(dict.fromkeys(filter(None, (*told, home)))),
            pid=pid,
            name=said[b"SYSLOG_IDENTIFIER"] or said[b"_COMM"],
            cmdline=said[b"_CMDLINE"],
            own=self._identity.wrote(pid, uid, said[b"_CMDLINE"], homes),
        )


def _text(fields: Fields, name: bytes) -> str:
    return fields.get(name, b"")[:4096].decode("utf-8", "replace")
