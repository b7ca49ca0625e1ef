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
    """A client as it is stored: hashes of its id and its secret."""

    id: bytes
    secret: bytes

    @classmethod
    def of(cls, client: ClientCredentials) -> Self:
        return cls(hash_secret(client.id), hash_secret(client.secret))

    def has_credentials(self, client_id: str, secret: str) -> bool:
        """Compare in constant time, both values whatever the first comparison gave."""
        same_id = compare_digest(self.id, hash_secret(client_id))
        same_secret = compare_digest(self.secret, hash_secret(secret))
        return same_id and same_secret


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256, neither salted nor stretched: what is stored so has 256 random bits."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


# --- on the store's thread


def load_client(connection: Connection) -> StoredClient | None:
    """Return the client that was created at the first start, if there was one."""
    client_id, secret = _load(connection, "client_id"), _load(connection, "client_secret")
    return None if client_id is None or secret is None else StoredClient(client_id, secret)


def save_client(connection: Connection, client: StoredClient) -> None:
    with transaction(connection):
        _save(connection, "client_id", client.id)
        _save(connection, "client_secret", client.secret)


def load_inbox_key(connection: Connection) -> str:
    """Return the secret of the inbox page's address, the same at every start."""
    if (stored := _load(connection, "inbox_key")) is not None:
        return stored.decode()
    key = secrets.token_urlsafe(24)
    _save(connection, "inbox_key", key.encode())
    return key


def _load(connection: Connection, name: str) -> bytes | None:
    query = "SELECT value FROM settings WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    return row[0] if row else None


def _save(connection: Connection, name: str, value: bytes) -> None:
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
