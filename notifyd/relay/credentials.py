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


def renew_client(connection: Connection) -> ClientCredentials:
    """Replace the client by a new one. The stored hash of its secret does not reveal it."""
    new = ClientCredentials.new()
    stored = StoredClient.of(new)
    with transaction(connection):
        _save(connection, "client_id", stored.id)
        _save(connection, "client_secret", stored.secret)
        _save(connection, "client_name", new.id.encode())
    return new


def load_client_id(connection: Connection) -> str:
    """Return the client's id; empty if there is no client or its id was stored as a hash only."""
    return (_load(connection, "client_name") or b"").decode()


def load_inbox_key(connection: Connection) -> str:
    """Return the secret of the inbox page's address, the same at every start."""
    if (stored := _load(connection, "inbox_key")) is not None:
        return stored.decode()
    return renew_inbox_key(connection)


def renew_inbox_key(connection: Connection) -> str:
    key = secrets.token_urlsafe(24)
    _save(connection, "inbox_key", key.encode())
    return key


def save_url(connection: Connection, url: str) -> None:
    """Remember the base URL of the running relay for `load_url`."""
    _save(connection, "url", url.encode())


def load_url(connection: Connection) -> str:
    """Return the base URL at the last start; empty if there was none."""
    return (_load(connection, "url") or b"").decode()


def _load(connection: Connection, name: str) -> bytes | None:
    query = "SELECT value FROM settings WHERE name = ?"
    row = connection.execute(query, (name,)).fetchone()
    return row[0] if row else None


def _save(connection: Connection, name: str, value: bytes) -> None:
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))
