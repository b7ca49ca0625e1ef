"""The platform's rate limit for each workspace, as an exact window that outlasts a restart."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from notifyd.http.rate_limit import Rate
from notifyd.relay.store.base import Transaction, fetch_one


@dataclass(slots=True)
class RateWindow:
    """The requests of one workspace in the last `per` seconds.

    A leaky bucket admits twice as many in its first window, and a daemon that keeps to the
    platform's limit could not be checked against it.

    used: how many there are, with `admitted` that are not stored yet. wait: seconds until there is
    room for one more, when there is none.
    """

    rate: Rate
    used: int
    wait: float
    admitted: int = 0

    def admit(self) -> bool:
        """Count one more request, if there is room for it."""
        if self.used >= self.rate.max:
            return False
        self.used += 1
        self.admitted += 1
        return True


# --- inside a transaction of the store


async def load_windows(
    transaction: Transaction, requested: Counter[str], rate: Rate, wall: float
) -> dict[str, RateWindow]:
    """Return the windows of these workspaces. requested: how many requests each wants to make.

    A request that lies in the future, because the clock was set back, counts as if it were made
    now.
    """
    table, workspaces = transaction.json_list(1), json.dumps(sorted(requested))
    among = f"workspace_id IN (SELECT value FROM {table})"
    rows = await transaction.fetch(
        f"SELECT workspace_id, count(*), max(at) FROM requests WHERE {among} AND at > $2"
        " GROUP BY workspace_id",
        workspaces,
        wall - rate.per,
    )
    if any(row[2] > wall for row in rows):
        query = f"UPDATE requests SET at = $2 WHERE {among} AND at > $2"
        await transaction.execute(query, workspaces, wall)
    used = {row[0]: row[1] for row in rows}
    windows = {}
    for workspace_id, count in requested.items():
        stored = used.get(workspace_id, 0)
        is_short = stored + count > rate.max
        wait = await _wait(transaction, workspace_id, stored, rate, wall) if is_short else 0.0
        windows[workspace_id] = RateWindow(rate, stored, wait)
    return windows


async def _wait(
    transaction: Transaction, workspace_id: str, stored: int, rate: Rate, wall: float
) -> float:
    """Return the seconds until one of the stored requests leaves the full window."""
    row = await fetch_one(
        transaction,
        "SELECT at FROM requests WHERE workspace_id = $1 AND at > $2 ORDER BY at LIMIT 1 OFFSET $3",
        workspace_id,
        wall - rate.per,
        max(stored - rate.max, 0),
    )
    return rate.per if row is None else float(row[0]) + rate.per - wall


async def save_windows(
    transaction: Transaction, windows: Mapping[str, RateWindow], wall: float
) -> None:
    """Store the requests that were admitted."""
    admitted = [(key, wall) for key, window in windows.items() for _ in range(window.admitted)]
    query = "INSERT INTO requests (workspace_id, at) VALUES ($1, $2)"
    await transaction.execute_many(query, admitted)


async def prune(transaction: Transaction, rate: Rate, wall: float) -> None:
    """Delete the requests that no window holds any more."""
    await transaction.execute("DELETE FROM requests WHERE at <= $1", wall - rate.per)
