"""Send tokens: who may send, for which workspace, to which device."""

import json
import secrets
from dataclasses import dataclass

from notifyd.model.notifications import Json
from notifyd.relay.credentials import hash_secret
from notifyd.relay.schemas import format_optional_time, format_time, parse_number
from notifyd.relay.store import Connection

_PREFIX = "onp_"
_PREFIX_SHOWN = len(_PREFIX) + 8


@dataclass(frozen=True, slots=True)
class Token:
    """The stored part of a send token: all but its plain text. Times are wall-clock seconds."""

    id: int
    workspace_id: str
    name: str | None
    metadata: Json
    token_prefix: str
    created_at: float
    last_used_at: float | None = None
    revoked_at: float | None = None

    @property
    def is_active(self) -> bool:
        return self.revoked_at is None

    @property
    def device_id(self) -> str | None:
        """The one device that this token's notifications go to; None: all."""
        pinned = self.metadata.get("device_id")
        return pinned if isinstance(pinned, str) else None

    def routing(self) -> Json:
        """Return what is merged into the data of each notification."""
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
            "status": "active" if self.is_active else "revoked",
            "created_at": format_time(self.created_at),
            "last_used_at": format_optional_time(self.last_used_at),
            "revoked_at": format_optional_time(self.revoked_at),
        }


# --- on the store's thread


def mint(
    connection: Connection, workspace_id: str, name: str | None, metadata: Json, wall: float
) -> tuple[Token, str]:
    """Create a send token; the second value is its plain text, which is stored nowhere."""
    plain = _PREFIX + secrets.token_urlsafe(32)
    token_id = connection.execute(
        "INSERT INTO tokens (workspace_id, name, metadata, token_prefix, created_at, token_hash)"
        " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (
            workspace_id,
            name,
            json.dumps(metadata),
            plain[:_PREFIX_SHOWN],
            wall,
            hash_secret(plain),
        ),
    ).fetchone()[0]
    return Token(token_id, workspace_id, name, metadata, plain[:_PREFIX_SHOWN], wall), plain


def list_all(connection: Connection, workspace_id: str | None) -> list[Token]:
    """Return the tokens of one workspace, or of all, newest first."""
    where = "WHERE ?1 IS NULL OR workspace_id = ?1 ORDER BY id DESC"
    return _select(connection, where, workspace_id)


def find(connection: Connection, plain: str) -> Token | None:
    """Return the token with this plain text, active or revoked."""
    # The hash is looked up: the time that takes reveals nothing about the token.
    return next(iter(_select(connection, "WHERE token_hash = ?", hash_secret(plain))), None)


def revoke(connection: Connection, token_id: str, wall: float) -> Token | None:
    """Revoke a token and keep its record; None when there is no such token.

    token_id: the number, or the UUID that identified the token in schema 1.
    """
    column, value = _identifier(token_id)
    connection.execute(
        f"UPDATE tokens SET revoked_at = ? WHERE {column} = ? AND revoked_at IS NULL",  # noqa: S608
        (wall, value),
    )
    return next(iter(_select(connection, f"WHERE {column} = ?", value)), None)


def delete(connection: Connection, token_id: str) -> bool:
    """Delete a token and its record. token_id: as for `revoke`."""
    column, value = _identifier(token_id)
    query = f"DELETE FROM tokens WHERE {column} = ?"  # noqa: S608 - our own text
    return connection.execute(query, (value,)).rowcount > 0


def _identifier(token_id: str) -> tuple[str, int | str]:
    """Return the column that identifies a token, and its value."""
    number = parse_number(token_id)
    return ("uuid", token_id) if number is None else ("id", number)


def _select(connection: Connection, where: str, value: object) -> list[Token]:
    columns = "id, workspace_id, name, metadata, token_prefix, created_at, last_used_at, revoked_at"
    query = f"SELECT {columns} FROM tokens {where}"  # noqa: S608 - both parts are our own text
    return [
        Token(row[0], row[1], row[2], json.loads(row[3]), *row[4:])
        for row in connection.execute(query, (value,))
    ]
