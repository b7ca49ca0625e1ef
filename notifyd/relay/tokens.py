"""Send tokens: who may send, for which workspace, and where to."""

import json
import secrets
import uuid
from dataclasses import dataclass

from notifyd.model.notifications import Json
from notifyd.relay.credentials import hashed
from notifyd.relay.store import Connection
from notifyd.relay.timestamp import iso, iso_or_none

_MARK = "onp_"
_SHOWN = len(_MARK) + 8


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a send token: everything but itself. Times are wall-clock seconds."""

    id: str
    workspace_id: str
    name: str | None
    metadata: Json
    token_prefix: str
    created_at: float
    last_used_at: float | None = None
    revoked_at: float | None = None

    @property
    def active(self) -> bool:
        return self.revoked_at is None

    @property
    def device_id(self) -> str | None:
        """The one device that this token's notifications go to, if it is bound to one."""
        pinned = self.metadata.get("device_id")
        return pinned if isinstance(pinned, str) else None

    def routing(self) -> Json:
        """Give what the platform merges into the data of each notification."""
        routing: Json = {"workspace_id": self.workspace_id}
        if "channel" in self.metadata:
            routing["channel"] = self.metadata["channel"]
        return routing

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "workspace_id": self.workspace_id,
            "name": self.name,
            "metadata": self.metadata,
            "token_prefix": self.token_prefix,
            "status": "active" if self.active else "revoked",
            "created_at": iso(self.created_at),
            "last_used_at": iso_or_none(self.last_used_at),
            "revoked_at": iso_or_none(self.revoked_at),
        }


# --- on the store's thread


def mint(
    connection: Connection, workspace_id: str, name: str | None, metadata: Json, wall: float
) -> tuple[Token, str]:
    """Make a send token. The second value is the token in plain text, which is kept nowhere."""
    plain = _MARK + secrets.token_urlsafe(32)
    token = Token(str(uuid.uuid4()), workspace_id, name, metadata, plain[:_SHOWN], wall)
    connection.execute(
        "INSERT INTO tokens (id, workspace_id, name, metadata, token_prefix, created_at,"
        " token_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (token.id, workspace_id, name, json.dumps(metadata), plain[:_SHOWN], wall, hashed(plain)),
    )
    return token, plain


def every(connection: Connection, workspace_id: str | None) -> list[Token]:
    """List the tokens of one workspace, or of all, newest first."""
    where = "WHERE ?1 IS NULL OR workspace_id = ?1 ORDER BY created_at DESC, id"
    return _select(connection, where, workspace_id)


def by_plain(connection: Connection, plain: str) -> Token | None:
    """Find the token that a sender showed, active or revoked."""
    # It is the hash that is looked up: how long that takes says nothing about the token.
    return next(iter(_select(connection, "WHERE token_hash = ?", hashed(plain))), None)


def revoke(connection: Connection, token_id: str, wall: float) -> Token | None:
    """Stop a token for good and keep its record; None when there is no such token."""
    connection.execute(
        "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (wall, token_id)
    )
    return next(iter(_select(connection, "WHERE id = ?", token_id)), None)


def delete(connection: Connection, token_id: str) -> bool:
    return connection.execute("DELETE FROM tokens WHERE id = ?", (token_id,)).rowcount > 0


def _select(connection: Connection, where: str, value: object) -> list[Token]:
    columns = "id, workspace_id, name, metadata, token_prefix, created_at, last_used_at, revoked_at"
    query = f"SELECT {columns} FROM tokens {where}"  # noqa: S608 - both parts are our own text
    return [
        Token(row[0], row[1], row[2], json.loads(row[3]), *row[4:])
        for row in connection.execute(query, (value,))
    ]
