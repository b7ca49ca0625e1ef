"""The relay's database in PostgreSQL, which several relays may share.

Nothing outlives a transaction: no session lock, no prepared statement with a name, no setting. So
each transaction may get another connection of a pooling proxy.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import resources
from typing import Any, ParamSpec, Self, TypeVar

import asyncpg

from notifyd.model.errors import StoreError, StoreUnavailableError
from notifyd.relay.store.availability import AvailabilityReporter
from notifyd.relay.store.base import Row, Work
from notifyd.relay.store.postgres_wakeups import CHANNEL, Wakeups
from notifyd.relay.store.sqlite import VERSION

P = ParamSpec("P")
R = TypeVar("R")

_FIRST_VERSION = 4
"""The first file in migrations/postgres/ creates the schema of this number."""

_CONNECTIONS = 8
_CONNECT_TIMEOUT = 10.0
_STATEMENT_TIMEOUT = 10.0

_ATTEMPTS = 6
"""How often a transaction is tried that the database ended for the sake of another one."""

_MIGRATION_LOCK = 0x6E6F7469667964
"""The transaction-level advisory lock of the relay that migrates: "notifyd" as a number."""

_DRIVER_ERRORS = (
    *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    OSError,
)

_CONFLICTS = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock."""

_UNAVAILABLE = frozenset({"08", "25", "28", "3D", "53", "55", "57", "58"})
"""Classes of errors that end: connections, read-only, login, resources, locks, shutdown, disk."""


class PostgresStore:
    def __init__(
        self, pool: asyncpg.Pool, connect: Callable[[], Any], *, is_clock_shared: bool
    ) -> None:
        """connect: opens a connection outside of the pool."""
        self._pool = pool
        self._is_clock_shared = is_clock_shared
        self._availability = AvailabilityReporter()
        self._wakeups = Wakeups(connect, self._notify)

    @classmethod
    async def open(cls, url: str, shown: str, *, is_clock_shared: bool = True) -> Self:
        """Connect, and create or migrate the schema; StoreError when that fails.

        shown: the URL as messages have it. is_clock_shared: whether the database's clock decides
        about rates.
        """
        settings: dict[str, Any] = {
            "timeout": _CONNECT_TIMEOUT,
            "command_timeout": _STATEMENT_TIMEOUT,
            "statement_cache_size": 0,
        }

        def connect(name: str) -> Any:
            return asyncpg.connect(url, **settings, server_settings={"application_name": name})

        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=0,  # it would log each failure to keep one open
                max_size=_CONNECTIONS,
                reset=_keep,
                **settings,
                server_settings={"application_name": "notifyd relay"},
            )
            async with pool.acquire():
                pass
        except (*_DRIVER_ERRORS, ValueError) as error:
            raise StoreError(
                f"{shown}: cannot connect ({_reason(error)}); does the server run, and are host,"
                " user, password and database right?"
            ) from None
        store = cls(
            pool, lambda: connect("notifyd relay listener"), is_clock_shared=is_clock_shared
        )
        try:
            await _migrate(pool, shown)
        except BaseException:
            await store.close()
            raise
        return store

    async def run(self, work: Work[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` in a transaction; again if the database ended that for another one."""
        try:
            result = await self._retry("BEGIN", work, *args, **kwargs)
        except StoreUnavailableError as error:
            self._availability.report_failure(error)
            raise
        self._availability.report_success()
        self._wakeups.announce()
        return result

    async def read(self, work: Work[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on one snapshot of what was committed before."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        return await self._retry(begin, work, *args, **kwargs)

    @asynccontextmanager
    async def watching(
        self, wake: Callable[[], None], position: Work[[], object]
    ) -> AsyncIterator[None]:
        task = asyncio.create_task(self._wakeups.run(wake, lambda: self.read(position)))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        # Nothing is under way: whoever uses the store has ended.
        self._pool.terminate()

    async def _retry(self, begin: str, work: Work[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, _ATTEMPTS + 1):
            progress = _Progress()
            try:
                async with self._connection() as connection:
                    return await self._transact(connection, progress, begin, work, *args, **kwargs)
            except Exception as error:
                may_repeat = _is_conflict(error) or (
                    # Connections of a server that has restarted fail once each.
                    attempt <= _CONNECTIONS and _is_lost(error) and not progress.is_committing
                )
                if attempt < _ATTEMPTS and may_repeat:
                    await asyncio.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311 - spreads
                    continue
                if _is_conflict(error) or _is_unavailable(error):
                    raise _unavailable(error) from error
                raise
        raise AssertionError  # the last attempt returns or raises

    async def _transact(
        self,
        connection: Any,
        progress: "_Progress",
        begin: str,
        work: Work[P, R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        # The server must not hold locks for a relay that it cannot hear any more.
        idle = f"SET LOCAL idle_in_transaction_session_timeout = {_STATEMENT_TIMEOUT * 1000:.0f}"
        await connection.execute(f"{begin}; {idle}")
        transaction = PostgresTransaction(connection, is_clock_shared=self._is_clock_shared)
        result = await work(transaction, *args, **kwargs)
        progress.is_committing = True
        await connection.execute("COMMIT")
        return result

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Lend a connection of the pool; after an error it is closed, which rolls back."""
        connection = await self._pool.acquire(timeout=_CONNECT_TIMEOUT)
        try:
            yield connection
        except BaseException:
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection)

    async def _notify(self, payload: str) -> None:
        """payload: hexadecimal digits and spaces. StoreUnavailableError if it was not sent."""
        try:
            async with self._connection() as connection:
                await connection.execute(f"NOTIFY {CHANNEL}, '{payload}'")
        except Exception as error:
            if _is_unavailable(error):
                raise _unavailable(error) from error
            raise


class PostgresTransaction:
    def __init__(self, connection: Any, *, is_clock_shared: bool) -> None:
        self._connection = connection
        self._is_clock_shared = is_clock_shared

    async def fetch(self, query: str, *values: object) -> Sequence[Row]:
        rows: list[Row] = await self._connection.fetch(query, *map(_storable, values))
        return rows

    async def execute(self, query: str, *values: object) -> int:
        status: str = await self._connection.execute(query, *map(_storable, values))
        return int(status.rpartition(" ")[2])

    async def execute_many(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        if converted := [tuple(map(_storable, row)) for row in rows]:
            await self._connection.executemany(query, converted)

    def json_list(self, parameter: int) -> str:
        return f"json_array_elements_text(CAST(${parameter} AS json))"

    def clock(self, parameter: int) -> str:
        own = f"CAST(${parameter} AS DOUBLE PRECISION)"
        if not self._is_clock_shared:
            return own
        # The clock at that moment: since its start, the transaction may have waited for a lock.
        shared = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"
        return f"coalesce({shared}, {own})"


class _Progress:
    """is_committing: whether COMMIT was sent, after which nothing may be repeated."""

    is_committing = False


def _storable(value: object) -> object:
    """Replace the one character that PostgreSQL's text cannot hold, NUL."""
    if isinstance(value, str) and "\0" in value:
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return value


async def _keep(_connection: Any) -> None:
    """Leave a connection as it is: a transaction leaves nothing behind."""


# --- errors


def _is_conflict(error: Exception) -> bool:
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in _CONFLICTS


def _is_lost(error: Exception) -> bool:
    """Return whether the connection was closed, which is known at once, unlike a timeout."""
    if isinstance(error, asyncpg.PostgresError):
        return error.sqlstate in ("57P01", "57P02") or str(error.sqlstate).startswith("08")
    is_closed = isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError)
    return is_closed or isinstance(error, ConnectionResetError | BrokenPipeError)


def _is_unavailable(error: Exception) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate)[:2] in _UNAVAILABLE
    return _is_lost(error) or isinstance(error, OSError)


def _unavailable(error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the relay's database cannot be used ({_reason(error)}); does PostgreSQL run?"
    )


def _reason(error: Exception) -> str:
    """Return what went wrong. Of the URL, errors of the driver name at most user and address."""
    if isinstance(error, asyncpg.ClientConfigurationError):
        return "the URL is not valid"  # the driver's message may quote it
    return " ".join(str(error).split()) or "no answer in time"


# --- the schema


async def _migrate(pool: asyncpg.Pool, shown: str) -> None:
    """Apply the migrations after the stored version, all of them or none, in one relay at once."""
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            version = await _version(connection)
            if version > VERSION:
                raise StoreError(f"{shown}: written by a newer notifyd; update this one")
            if version == VERSION:
                return
            folder = resources.files(__package__).joinpath("migrations", "postgres")
            for number in range(max(version + 1, _FIRST_VERSION), VERSION + 1):
                script = folder.joinpath(f"{number}.sql").read_text("utf-8")
                await connection.execute(script)
            await connection.execute(f"UPDATE schema_version SET version = {VERSION}")
    except _DRIVER_ERRORS as error:
        raise StoreError(
            f"{shown}: cannot be used as the relay's database ({_reason(error)}); name a database"
            " in whose schema the user may create tables"
        ) from error


async def _version(connection: Any) -> int:
    """Return the version of the schema, 0 if there is none."""
    if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
        await connection.execute(
            "CREATE TABLE schema_version (version INTEGER NOT NULL);"
            " INSERT INTO schema_version VALUES (0)"
        )
    version: int = await connection.fetchval("SELECT version FROM schema_version")
    return version
