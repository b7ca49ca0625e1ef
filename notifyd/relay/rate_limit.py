"""The platform's rate limit for each workspace, as an exact window that outlasts a restart."""

from notifyd.http.rate_limit import Rate
from notifyd.model.errors import NotifydError
from notifyd.relay.store import Connection


class WorkspaceRateError(NotifydError):
    """A workspace sends too fast. wait: seconds until there is room for one more."""

    def __init__(self, workspace_id: str, wait: float) -> None:
        super().__init__(f"workspace {workspace_id} sends too fast")
        self.wait = wait


# --- on the store's thread


def check(connection: Connection, workspace_id: str, rate: Rate, wall: float) -> None:
    """Raise WorkspaceRateError unless fewer than `max` requests lie in the last `per` seconds.

    A leaky bucket admits twice as many in its first window, and a daemon that keeps to the
    platform's limit could not be checked against it. A request that lies in the future, because
    the clock was set back, counts as if it were made now.
    """
    query = (
        "SELECT min(at, ?3) FROM requests WHERE workspace_id = ?1 AND at > ?2"
        " ORDER BY at DESC LIMIT 1 OFFSET ?4"
    )
    row = connection.execute(query, (workspace_id, wall - rate.per, wall, rate.max - 1)).fetchone()
    if row:
        raise WorkspaceRateError(workspace_id, row[0] + rate.per - wall)


def record(connection: Connection, workspace_id: str, rate: Rate, wall: float) -> None:
    """Count a request, and drop those that no window holds any more. Call it in a transaction."""
    connection.execute("DELETE FROM requests WHERE at <= ?", (wall - rate.per,))
    connection.execute("UPDATE requests SET at = ?1 WHERE at > ?1", (wall,))
    connection.execute("INSERT INTO requests VALUES (?, ?)", (workspace_id, wall))
