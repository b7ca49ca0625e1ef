"""Send tokens: who may send, for which workspace, to which device."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from notifyd.model.notifications import Json
from notifyd.relay.credentials import hash_secret
from notifyd.relay.schemas import format_optional_time, format_time, parse_number
from notifyd.relay.store.base import Row, Transaction

_PREFIX = "onp_"
_PREFIX_SHOWN = len(_PREFIX) + 8
_USE_EXACT = 10.0
"""Seconds by which the stored time of the last use may be too early: each is a row to write."""

_COLUMNS = "id, workspace_id, name, metadata, token_prefix, created_at, last_used_at, revoked_at"


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

    def is_use_due(self, wall: float) -> bool:
        """Return whether a use at this time is to be stored; one soon after the last is not."""
        return self.last_used_at is None or abs(wall - self.last_used_at) >= _USE_EXACT

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


class TokenRefusal(StrEnum):
    """Why a token may not send."""

    UNKNOWN = "unknown send token"
    REVOKED = "the send token was revoked"


def find_refusal(token: Token | None) -> TokenRefusal | None:
    """Return why a token may not send; None if it may."""
    if token is None:
        return TokenRefusal.UNKNOWN
    return None if token.is_active else TokenRefusal.REVOKED


# --- inside a transaction of the store


async def mint(
    transaction: Transaction, workspace_id: str, name: str | None, metadata: Json, wall: float
) -> tuple[Token, str]:
    """Create a send token; the second value is its plain text, which is stored nowhere."""
    plain = _PREFIX + secrets.token_urlsafe(32)
    rows = await transaction.fetch(
        "INSERT INTO tokens (workspace_id, name, metadata, token_prefix, created_at, token_hash)"
        " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        workspace_id,
        name,
        json.dumps(metadata),
        plain[:_PREFIX_SHOWN],
        wall,
        hash_secret(plain),
    )
    return Token(rows[0][0], workspace_id, name, metadata, plain[:_PREFIX_SHOWN], wall), plain


async def list_all(transaction: Transaction, workspace_id: str | None) -> list[Token]:
    """Return the tokens of one workspace, or of all, newest first."""
    where = "WHERE CAST($1 AS TEXT) IS NULL OR workspace_id = $1 ORDER BY id DESC"
    return await _select(transaction, where, workspace_id)


async def find(transaction: Transaction, plain: str) -> Token | None:
    """Return the token with this plain text, active or revoked."""
    # The hash is looked up: the time that takes reveals nothing about the token.
    found = await _select(transaction, "WHERE token_hash = $1", hash_secret(plain))
    return next(iter(found), None)


async def find_all(transaction: Transaction, plain: Iterable[str]) -> dict[str, Token]:
    """Return the tokens with these plain texts, active or revoked, by their plain texts."""
    by_hash = {hash_secret(text): text for text in plain}
    parameters = ", ".join(f"${number}" for number in range(1, len(by_hash) + 1))
    columns = f"token_hash, {_COLUMNS}"
    query = f"SELECT {columns} FROM tokens WHERE token_hash IN ({parameters})"
    rows = await transaction.fetch(query, *by_hash)
    return {by_hash[bytes(row[0])]: _token(row[1:]) for row in rows}


async def revoke(transaction: Transaction, token_id: str, wall: float) -> Token | None:
    """Revoke a token and keep its record; None when there is no such token.

    token_id: the number, or the UUID that identified the token in schema 1.
    """
    column, value = _identifier(token_id)
    await transaction.execute(
        f"UPDATE tokens SET revoked_at = $1 WHERE {column} = $2 AND revoked_at IS NULL",
        wall,
        value,
    )
    return next(iter(await _select(transaction, f"WHERE {column} = $1", value)), None)


async def delete(transaction: Transaction, token_id: str) -> bool:
    """Delete a token and its record. token_id: as for `revoke`."""
    column, value = _identifier(token_id)
    query = f"DELETE FROM tokens WHERE {column} = $1"
    return await transaction.execute(query, value) > 0


async def record_use(transaction: Transaction, token_ids: Iterable[int], wall: float) -> None:
    """Store when these tokens were used last."""
    # In order of their numbers: two relays that update the same ones must not block each other.
    uses = [(wall, token_id) for token_id in sorted(token_ids)]
    await transaction.execute_many("UPDATE tokens SET last_used_at = $1 WHERE id = $2", uses)


def _identifier(token_id: str) -> tuple[str, int | str]:
    """Return the column that identifies a token, and its value."""
    number = parse_number(token_id)
    return ("uuid", token_id) if number is None else ("id", number)


async def _select(transaction: Transaction, where: str, value: object) -> list[Token]:
    query = f"SELECT {_COLUMNS} FROM tokens {where}"
    return [_token(row) for row in await transaction.fetch(query, value)]


def _token(row: Row) -> Token:
    """Convert a row of `_COLUMNS`."""
    return Token(row[0], row[1], row[2], json.loads(row[3]), *row[4:])
