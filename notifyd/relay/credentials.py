"""The client that manages tokens and devices, and the key of the inbox page."""

import secrets
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple, Self

from notifyd.relay.store import Connection, transaction


class ClientCredentials(NamedTuple):
    id: str
    secret: str

    @classmethod
    def new(cls) -> Self:
        return cls(f"client_{secrets.token_hex(8)}", secrets.token_urlsafe(32))


class StoredClient(NamedTuple):
    """A client of whom only hashes are known."""

    id: bytes
    secret: bytes

    def is_client(self, client_id: str, secret: str) -> bool:
        """Compare in constant time, both values whatever the first one gave."""
        right_id = compare_digest(self.id, hashed(client_id))
        right_secret = compare_digest(self.secret, hashed(secret))
        return right_id and right_secret


def hashed(secret: str) -> bytes:
    """SHA-256; neither salted nor stretched, because what is kept so has 256 random bits."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def known(client: ClientCredentials) -> StoredClient:
    return StoredClient(hashed(client.id), hashed(client.secret))


# --- on the store's thread


def kept_client(connection: Connection) -> StoredClient | None:
    """Give the client that was made here at the first start, if there was one."""
    client_id, secret = _kept(connection, "client_id"), _kept(connection, "client_secret")
    return None if client_id is None or secret is None else StoredClient(client_id, secret)


def keep_client(connection: Connection, client: StoredClient) -> None:
    with transaction(connection):
        _keep(connection, "client_id", client.id)
        _keep(connection, "client_secret", client.secret)


def inbox_key(connection: Connection) -> str:
    """Give the secret of the inbox page's address: the same at every start."""
    if (kept := _kept(connection, "inbox_key")) is not None:
        return kept.decode()
    key = secrets.token_urlsafe(24)
    _keep(connection, "inbox_key", key.encode())
    return key


def _kept(connection: Connection, name: str) -> bytes | None:
    query = "SELECT value FROM settings WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    return row[0] if row else None


def _keep(connection: Connection, name: str, value: bytes) -> None:
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
