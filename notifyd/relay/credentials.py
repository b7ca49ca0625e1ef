"""The client that manages tokens and devices, and the key of the inbox page."""

import secrets
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple, Self

from notifyd.relay import devices
from notifyd.relay.store.base import Transaction, fetch_one


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


# --- inside a transaction of the store


async def load_client(transaction: Transaction) -> StoredClient | None:
    """Return the client that was created at the first start, if there was one."""
    client_id = await _load(transaction, "client_id")
    secret = await _load(transaction, "client_secret")
    return None if client_id is None or secret is None else StoredClient(client_id, secret)


async def ensure_client(transaction: Transaction) -> ClientCredentials | None:
    """Create a client unless there is one, then None. Of relays that start at once, one does."""
    query = "INSERT INTO settings VALUES ('client_name', $1) ON CONFLICT (name) DO NOTHING"
    is_first = await transaction.execute(query, b"")
    if not is_first or await load_client(transaction) is not None:
        return None
    return await renew_client(transaction)


async def renew_client(transaction: Transaction) -> ClientCredentials:
    """Replace the client by a new one. The stored hash of its secret does not reveal it."""
    new = ClientCredentials.new()
    stored = StoredClient.of(new)
    await _save(transaction, "client_id", stored.id)
    await _save(transaction, "client_secret", stored.secret)
    await _save(transaction, "client_name", new.id.encode())
    return new


async def load_client_id(transaction: Transaction) -> str:
    """Return the client's id; empty if there is no client or its id was stored as a hash only."""
    return (await _load(transaction, "client_name") or b"").decode()


async def load_inbox_key(transaction: Transaction) -> str | None:
    """Return the secret of the inbox page's address; None before the first start."""
    stored = await _load(transaction, "inbox_key")
    return None if stored is None else stored.decode()


async def ensure_inbox_key(transaction: Transaction) -> str:
    """Return the secret of the inbox page's address, the same at every start."""
    key = secrets.token_urlsafe(24)
    query = "INSERT INTO settings VALUES ('inbox_key', $1) ON CONFLICT (name) DO NOTHING"
    await transaction.execute(query, key.encode())
    return await load_inbox_key(transaction) or key


async def renew_inbox_key(transaction: Transaction) -> str:
    """Replace the secret; pages that knew the old one get no pushes any more."""
    await devices.delete_pages(transaction)
    key = secrets.token_urlsafe(24)
    await _save(transaction, "inbox_key", key.encode())
    return key


async def ensure_push_key(transaction: Transaction, new: bytes) -> bytes:
    """Return the private key of Web Push, in PEM; `new` becomes it if there is none."""
    if (stored := await _load(transaction, "push_key")) is not None:
        return stored
    await _save(transaction, "push_key", new)
    return new


async def save_url(transaction: Transaction, url: str) -> None:
    """Remember the base URL of the running relay for `load_url`."""
    await _save(transaction, "url", url.encode())


async def load_url(transaction: Transaction) -> str:
    """Return the base URL at the last start; empty if there was none."""
    return (await _load(transaction, "url") or b"").decode()


async def _load(transaction: Transaction, name: str) -> bytes | None:
    row = await fetch_one(transaction, "SELECT value FROM settings WHERE name = $1", name)
    return None if row is None else bytes(row[0])


async def _save(transaction: Transaction, name: str, value: bytes) -> None:
    await transaction.execute(
        "INSERT INTO settings (name, value) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value,
    )
