"""Journal entries as triggers see them: message, sender, and what journald suppressed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.export import EntryFields
from notifyd.sources.journal.identity import OwnIdentity

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
_N_DROPPED, _MESSAGE_ID = b"N_DROPPED", b"MESSAGE_ID"
_SUPPRESSED: Final = b"a596d6fe7bfa4994828e72309e95d61e"
"""The MESSAGE_ID of an entry in which journald reports what its rate limit dropped."""
OUTPUT_FIELDS: Final = ",".join(
    name.decode() for name in (b"MESSAGE", _MESSAGE_ID, _N_DROPPED, *_SENDER)
)
"""The fields to ask for; cursor and timestamps always come."""
_MAX_SENDERS: Final = 4096
_MAX_VALUE: Final = 4096
_LF = b"\n"


@dataclass(frozen=True, slots=True)
class Sender:
    """units: those that an entry is about, the most specific first. is_own: notifyd wrote it."""

    units: tuple[str, ...]
    pid: str
    name: str
    cmdline: str
    is_own: bool

    @property
    def unit(self) -> str:
        return self.units[0] if self.units else ""

    def facts(self) -> dict[str, str]:
        known = {"unit": self.unit, "pid": self.pid, "name": self.name, "cmdline": self.cmdline}
        return {name: value for name, value in known.items() if value}


class SuppressedMessages(NamedTuple):
    """The number of a unit's messages that journald's rate limit dropped."""

    unit: str
    number: int


class JournalEntry(NamedTuple):
    """message: without its last LFs; None if there is none. suppressed: what journald reports."""

    cursor: Cursor
    sender: Sender
    message: bytes | None
    suppressed: SuppressedMessages | None = None


class EntryDecoder:
    """Senders are cached: most entries have the same few."""

    def __init__(self, identity: OwnIdentity) -> None:
        self._identity = identity
        self._senders: dict[tuple[bytes | None, ...], Sender] = {}

    def decode(self, fields: EntryFields) -> JournalEntry | None:
        """Decode one entry; None if it has no cursor."""
        cursor = Cursor.of_entry(fields)
        if cursor is None:
            return None
        message = fields.get(b"MESSAGE")
        message = message.rstrip(_LF) if message is not None else None
        suppressed = self._suppressed(fields) if _N_DROPPED in fields else None
        return JournalEntry(cursor, self._sender(fields), message, suppressed)

    def _suppressed(self, fields: EntryFields) -> SuppressedMessages | None:
        """Decode a report of dropped messages; None if anybody else may have written it.

        Messages of the daemon itself do not count.
        """
        count, unit = fields[_N_DROPPED], _text(fields, b"OBJECT_SYSTEMD_UNIT")
        is_report = fields.get(_MESSAGE_ID) == _SUPPRESSED and fields.get(b"_UID") == b"0"
        if not is_report or not count.isdigit() or (unit and unit == self._identity.unit):
            return None
        return SuppressedMessages(unit, int(count))

    def _sender(self, fields: EntryFields) -> Sender:
        key = tuple(map(fields.get, _SENDER))
        sender = self._senders.get(key)
        if sender is None:
            if len(self._senders) >= _MAX_SENDERS:
                self._senders.clear()
            sender = self._make_sender({name: _text(fields, name) for name in _SENDER})
            self._senders[key] = sender
        return sender

    def _make_sender(self, fields: Mapping[bytes, str]) -> Sender:
        """Trust what a writer says of other units only if the writer is systemd or root.

        A user's own units count if that user runs this daemon: anybody can name theirs at will.
        """
        uid, pid, unit = fields[b"_UID"], fields[b"_PID"], fields[b"_SYSTEMD_UNIT"]
        is_our_user = uid == str(self._identity.uid)
        units = [fields[b"UNIT"]] if pid == "1" else []
        units += [fields[b"COREDUMP_UNIT"], fields[b"OBJECT_SYSTEMD_UNIT"]] if uid == "0" else []
        units += [fields[b"USER_UNIT"], fields[b"_SYSTEMD_USER_UNIT"]] if is_our_user else []
        runs_in = (unit, fields[b"_SYSTEMD_USER_UNIT"] if is_our_user else "")
        return Sender(
            units=tuple(dict.fromkeys(filter(None, (*units, unit)))),
            pid=pid,
            name=fields[b"SYSLOG_IDENTIFIER"] or fields[b"_COMM"],
            cmdline=fields[b"_CMDLINE"],
            is_own=self._identity.is_writer(pid, uid, fields[b"_CMDLINE"], runs_in),
        )


def _text(fields: EntryFields, name: bytes) -> str:
    return fields.get(name, b"")[:_MAX_VALUE].decode("utf-8", "replace")
