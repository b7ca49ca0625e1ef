"""What the relay asks of a database: functions that run inside one transaction.

The functions stand in tokens.py, devices.py, notifications.py, … and are the same for every engine.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Row = Sequence[Any]
"""The columns of one row, in the order of the query."""


class Transaction(Protocol):
    """One open transaction. Values stand in a query as $1, $2, … on every engine."""

    async def fetch(self, query: str, *values: object) -> Sequence[Row]:
        """Return all rows of a query, or of a change with RETURNING."""

    async def execute(self, query: str, *values: object) -> int:
        """Make a change and return how many rows it met."""

    async def execute_many(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        """Make the same change for each row of values."""

    def json_list(self, parameter: int) -> str:
        """Return a table whose column `value` holds the strings of a JSON list in $parameter."""

    def clock(self, parameter: int) -> str:
        """Return an expression for the time that decides about rates, in seconds since the epoch.

        $parameter: the time by the relay's own clock, which is that one unless relays share the
        database.
        """


Work = Callable[Concatenate[Transaction, P], Awaitable[R]]
"""A function that awaits nothing but its transaction. It may be called again if that failed."""


class RelayStore(Protocol):
    """A database of the relay. All methods raise StoreUnavailableError when it cannot be used."""

    async def run(self, work: Work[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` in a transaction and commit it; nothing is changed if it raises."""

    async def read(self, work: Work[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work`, which changes nothing, without waiting for those that do."""

    def watching(
        self, wake: Callable[[], None], position: Work[[], object]
    ) -> AbstractAsyncContextManager[None]:
        """While inside, call `wake` when another relay may have changed something.

        position: a value that each change of what `wake` is about makes another.
        """

    async def close(self) -> None: ...


async def fetch_one(transaction: Transaction, query: str, *values: object) -> Row | None:
    """Return the first row of a query; None if there is none."""
    return next(iter(await transaction.fetch(query, *values)), None)


async def read_clock(transaction: Transaction, wall: float) -> float:
    """Return the time of `Transaction.clock`. wall: by the relay's own clock."""
    row = await fetch_one(transaction, f"SELECT {transaction.clock(1)}", wall)
    return wall if row is None else float(row[0])
