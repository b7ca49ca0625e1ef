"""Where the relay's database is: a file, or the URL of a PostgreSQL database."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

from notifyd.model.errors import StoreError
from notifyd.relay.store.base import RelayStore
from notifyd.relay.store.sqlite import SqliteStore

_SCHEMES = frozenset({"postgresql", "postgres"})


class PostgresUrl:
    """The URL of a PostgreSQL database, which may hold a password. As text it is without it."""

    def __init__(self, parts: SplitResult) -> None:
        self._parts = parts

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a URL; ValueError, which does not repeat it, if it is not one of PostgreSQL."""
        try:
            parts = urlsplit(text)
            _ = parts.port
        except ValueError:
            raise ValueError("invalid port or host in the URL of the database") from None
        if parts.scheme not in _SCHEMES:
            raise ValueError("not a postgresql:// URL")
        return cls(parts)

    @property
    def with_password(self) -> str:
        """Return the whole URL, for the driver alone."""
        return self._parts._replace(scheme="postgresql").geturl()

    def __str__(self) -> str:
        # A query can hold a password as well, and its other parts help nobody who reads an error.
        user, at, host = self._parts.netloc.rpartition("@")
        return f"postgresql://{user.partition(':')[0]}{at}{host}{self._parts.path}"

    def __repr__(self) -> str:
        return f"PostgresUrl({self})"


Database = Path | PostgresUrl | Literal[":memory:"]


def parse_database(text: str) -> Path | PostgresUrl:
    """Return the file or the URL; ValueError for a URL that is not one of PostgreSQL."""
    scheme, separator, _ = text.partition("://")
    if not separator:
        return Path(text)
    if scheme.lower() not in _SCHEMES:
        raise ValueError("use a file, or a URL such as postgresql://user@host/database")
    return PostgresUrl.parse(text)


async def open_store(database: Database, wall: Callable[[], float] | None = None) -> RelayStore:
    """Open or create the relay's database; StoreError when that fails.

    wall: the clock that decides about rates, instead of the database's own.
    """
    if not isinstance(database, PostgresUrl):
        return await SqliteStore.open(database)
    try:
        from notifyd.relay.store.postgres import PostgresStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise StoreError(
            "PostgreSQL needs the Python package asyncpg: install notifyd with its extra,"
            " pip install 'workspace-notifyd[postgres]'"
        ) from None
    return await PostgresStore.open(
        database.with_password, str(database), is_clock_shared=wall is None
    )
