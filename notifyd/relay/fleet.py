"""The workspaces that report to the relay, as they are stored, and what is said about them.

All times are wall-clock seconds of the relay.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay import sends
from notifyd.relay.fleet_notices import NoticeBatch, back_notices, missing_notices
from notifyd.relay.fleet_schemas import format_report, parse_report
from notifyd.relay.fleet_state import (
    FleetReport,
    Workspace,
    WorkspaceState,
    allowed_silence,
    derive_state,
    due_time,
    find_reasons,
    quiet_time,
)
from notifyd.relay.store.base import Row, Transaction, fetch_one

COLLECTING = allowed_silence() / 3
"""Seconds for which losses are collected: those of one moment are noticed within one interval."""

MERGED = 600.0
"""Seconds after a notification about many workspaces until the next one about missing ones."""

KEPT = 30 * 86_400.0
"""Seconds for which a workspace that reports no more is shown."""

EPHEMERAL_KEPT = 86_400.0

_IS_EPHEMERAL = "(watched_as = 'ephemeral' OR (watched_as = '' AND ephemeral = 1))"
_COLUMNS = f"workspace_id, report, reported_at, due_at, {_IS_EPHEMERAL}, paused_until, missing_at"


class ListedWorkspace(NamedTuple):
    workspace: Workspace
    missing_at: float | None

    def as_json(self, now: float, quiet_until: float) -> Json:
        workspace, report = self.workspace, self.workspace.report
        return {
            "workspace_id": workspace.workspace_id,
            "state": derive_state(workspace, now, quiet_until).value,
            "reasons": find_reasons(report),
            "host": report.host,
            "version": report.version,
            "reported_at": workspace.reported_at,
            "announcement": report.announcement.value,
            "waiting": report.waiting,
            "oldest_age": report.oldest_age,
            "token": report.token,
            "worst": report.worst and report.worst._asdict(),
            "problems": report.problems,
            "slept": report.slept,
            "ephemeral": workspace.is_ephemeral,
            "paused_until": workspace.paused_until,
        }


class FleetList(NamedTuple):
    """total: how many workspaces there are, listed or not."""

    workspaces: list[ListedWorkspace]
    total: int
    quiet_until: float


class _Watch(NamedTuple):
    """The row of fleet_watch."""

    alive_at: float
    quiet_until: float
    merged_until: float


# --- inside a transaction of the store


async def record(
    transaction: Transaction,
    workspace_id: str,
    report: FleetReport,
    wall: float,
    *,
    is_ephemeral: bool = False,
) -> None:
    """Store a report. A workspace of which it was said that it is missing is back."""
    await transaction.execute(
        "INSERT INTO fleet_workspaces (workspace_id, report, first_at, reported_at, changed_at,"
        " due_at, ephemeral) VALUES ($1, $2, $3, $3, $3, $4, $5)"
        " ON CONFLICT (workspace_id) DO UPDATE SET report = excluded.report,"
        " reported_at = excluded.reported_at, changed_at = excluded.changed_at,"
        " due_at = excluded.due_at, ephemeral = excluded.ephemeral,"
        " back_at = CASE WHEN fleet_workspaces.told_at IS NULL THEN fleet_workspaces.back_at"
        " ELSE excluded.reported_at END, missing_at = NULL, told_at = NULL",
        workspace_id,
        format_report(report),
        wall,
        due_time(report, wall),
        int(is_ephemeral),
    )


async def list_workspaces(transaction: Transaction, since: float) -> FleetList:
    """Return the workspaces that changed at `since` or later."""
    rows = await transaction.fetch(
        f"SELECT {_COLUMNS} FROM fleet_workspaces WHERE changed_at >= $1 ORDER BY workspace_id",
        since,
    )
    watch = await _load_watch(transaction)
    return FleetList(
        [_listed(row) for row in rows],
        await _count(transaction, "SELECT count(*) FROM fleet_workspaces"),
        watch.quiet_until if watch else 0.0,
    )


async def count_states(transaction: Transaction, wall: float) -> dict[str, int]:
    """Count the workspaces in each state."""
    listed = await list_workspaces(transaction, 0.0)
    counts = dict.fromkeys(map(str, WorkspaceState), 0)
    for each in listed.workspaces:
        counts[derive_state(each.workspace, wall, listed.quiet_until)] += 1
    return counts


async def pause(
    transaction: Transaction, workspace_id: str, until: float | None, wall: float
) -> bool:
    """Say nothing about a workspace before `until`; None: from now on again."""
    return await _change(transaction, "paused_until", until, workspace_id, wall)


async def watch_as(transaction: Transaction, workspace_id: str, kind: str, wall: float) -> bool:
    """Watch a workspace as `ephemeral` or as `permanent`, whatever it says of itself."""
    return await _change(transaction, "watched_as", kind, workspace_id, wall)


async def forget(transaction: Transaction, workspace_id: str) -> bool:
    """Delete a workspace from the fleet; it returns with its next report."""
    query = "DELETE FROM fleet_workspaces WHERE workspace_id = $1"
    return await transaction.execute(query, workspace_id) > 0


async def look(transaction: Transaction, wall: float) -> int:
    """Find who is missing and who is back; store what there is to say. Returns how much that is.

    It may be called by several relays, at any time.
    """
    await _lock_watch(transaction, wall)
    watch = await _load_watch(transaction) or _Watch(wall, 0.0, 0.0)
    quiet_until = max(watch.quiet_until, quiet_time(watch.alive_at, wall))
    # A clock that was set back must not hide anybody.
    await transaction.execute(
        "UPDATE fleet_workspaces SET reported_at = $1, due_at = $2 WHERE reported_at > $1",
        wall,
        wall + allowed_silence(),
    )
    if wall >= quiet_until:
        await _mark_missing(transaction, wall)
        await _forget_revoked(transaction)
    lost = await _missing_batch(transaction, watch, wall)
    found = await _back_batch(transaction, wall)
    drafts = [*await _tell_missing(transaction, lost, wall), *await _tell_back(transaction, found)]
    if drafts:
        await sends.store_own(transaction, drafts, wall)
    merged_until = wall + MERGED if lost.is_mass else watch.merged_until
    await transaction.execute(
        "UPDATE fleet_watch SET alive_at = $1, quiet_until = $2, merged_until = $3 WHERE id = 1",
        wall,
        quiet_until,
        merged_until,
    )
    return len(drafts)


async def newest_change(transaction: Transaction) -> float:
    """Return when a workspace changed last; 0 if there is none."""
    row = await fetch_one(transaction, "SELECT max(changed_at) FROM fleet_workspaces")
    return (row and row[0]) or 0.0


async def prune(transaction: Transaction, wall: float) -> None:
    """Forget workspaces that have not reported for long."""
    await transaction.execute(
        f"DELETE FROM fleet_workspaces WHERE reported_at <= $1"
        f" OR ({_IS_EPHEMERAL} AND reported_at <= $2)",
        wall - KEPT,
        wall - EPHEMERAL_KEPT,
    )
    query = "DELETE FROM fleet_transitions WHERE since <= $1"
    await transaction.execute(query, wall - 2 * KEPT)


async def _lock_watch(transaction: Transaction, wall: float) -> None:
    """Let one relay look at a time."""
    await transaction.execute(
        "INSERT INTO fleet_watch (id, rounds, alive_at, quiet_until, merged_until)"
        " VALUES (1, 1, $1, 0, 0) ON CONFLICT (id) DO UPDATE SET rounds = fleet_watch.rounds + 1",
        wall,
    )


async def _load_watch(transaction: Transaction) -> _Watch | None:
    query = "SELECT alive_at, quiet_until, merged_until FROM fleet_watch WHERE id = 1"
    row = await fetch_one(transaction, query)
    return None if row is None else _Watch(*row)


async def _forget_revoked(transaction: Transaction) -> None:
    """Forget the silent whose tokens were all revoked: they cannot report, and nobody waits."""
    await transaction.execute(
        "DELETE FROM fleet_workspaces WHERE missing_at IS NOT NULL AND told_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM tokens WHERE revoked_at IS NULL"
        " AND tokens.workspace_id = fleet_workspaces.workspace_id)"
    )


async def _mark_missing(transaction: Transaction, wall: float) -> None:
    # Of one that was back for so short that nothing was said, it is said already.
    await transaction.execute(
        "UPDATE fleet_workspaces SET missing_at = $1, changed_at = $1,"
        " told_at = CASE WHEN back_at IS NULL THEN NULL ELSE $1 END, back_at = NULL"
        f" WHERE missing_at IS NULL AND due_at <= $1 AND NOT {_IS_EPHEMERAL}",
        wall,
    )


async def _missing_batch(transaction: Transaction, watch: _Watch, wall: float) -> NoticeBatch:
    """Return the workspaces of which it is time to say that they are missing."""
    rows = await transaction.fetch(
        "SELECT workspace_id, reported_at, missing_at FROM fleet_workspaces"
        " WHERE missing_at IS NOT NULL AND told_at IS NULL"
        f" AND (paused_until IS NULL OR paused_until <= $1) AND NOT {_IS_EPHEMERAL}"
        " ORDER BY workspace_id",
        wall,
    )
    total = await _count(
        transaction, f"SELECT count(*) FROM fleet_workspaces WHERE NOT {_IS_EPHEMERAL}"
    )
    row = await fetch_one(
        transaction,
        "SELECT count(*), min(reported_at) FROM fleet_workspaces WHERE told_at IS NOT NULL",
    )
    told, told_since = row or (0, None)
    batch = NoticeBatch({row[0]: row[1] for row in rows}, told, total, told_since)
    first = min((row[2] for row in rows), default=wall)
    is_due = wall >= watch.merged_until and (batch.is_small_fleet or wall >= first + COLLECTING)
    return batch if is_due else batch._replace(since={})


async def _back_batch(transaction: Transaction, wall: float) -> NoticeBatch:
    """Return the workspaces of which it is time to say that they are back."""
    rows = await transaction.fetch(
        "SELECT workspace_id, back_at FROM fleet_workspaces WHERE back_at IS NOT NULL"
        " ORDER BY workspace_id"
    )
    told = await _count(
        transaction, "SELECT count(*) FROM fleet_workspaces WHERE told_at IS NOT NULL"
    )
    batch = NoticeBatch({row[0]: row[1] for row in rows}, told, told + len(rows))
    first = min(batch.since.values(), default=wall)
    is_due = batch.is_small_fleet or wall >= first + COLLECTING
    return batch if is_due else batch._replace(since={})


async def _tell_missing(
    transaction: Transaction, batch: NoticeBatch, wall: float
) -> Sequence[sends.OwnNotification]:
    if not batch.since:
        return []
    fresh = await _claim(transaction, "missing", batch)
    await transaction.execute(
        "UPDATE fleet_workspaces SET told_at = $1"
        f" WHERE workspace_id IN (SELECT value FROM {transaction.json_list(2)})",
        wall,
        _names(batch.since),
    )
    return missing_notices(fresh, wall)


async def _tell_back(
    transaction: Transaction, batch: NoticeBatch
) -> Sequence[sends.OwnNotification]:
    if not batch.since:
        return []
    fresh = await _claim(transaction, "back", batch)
    lost = await transaction.fetch(
        "SELECT workspace_id, max(since) FROM fleet_transitions WHERE transition = 'missing'"
        f" AND workspace_id IN (SELECT value FROM {transaction.json_list(1)})"
        " GROUP BY workspace_id",
        _names(batch.since),
    )
    await transaction.execute(
        "UPDATE fleet_workspaces SET back_at = NULL"
        f" WHERE workspace_id IN (SELECT value FROM {transaction.json_list(1)})",
        _names(batch.since),
    )
    return back_notices(fresh, {row[0]: row[1] for row in lost})


async def _claim(transaction: Transaction, transition: str, batch: NoticeBatch) -> NoticeBatch:
    """Return what of a batch was not said before, by this relay or by another."""
    statement = (
        "INSERT INTO fleet_transitions (workspace_id, transition, since) VALUES ($1, $2, $3)"
        " ON CONFLICT (workspace_id, transition, since) DO NOTHING"
    )
    fresh = {
        workspace_id: since
        for workspace_id, since in batch.since.items()
        if await transaction.execute(statement, workspace_id, transition, since)
    }
    return batch._replace(since=fresh)


async def _change(
    transaction: Transaction, column: str, value: object, workspace_id: str, wall: float
) -> bool:
    query = f"UPDATE fleet_workspaces SET {column} = $1, changed_at = $2 WHERE workspace_id = $3"
    return await transaction.execute(query, value, wall, workspace_id) > 0


async def _count(transaction: Transaction, query: str) -> int:
    row = await fetch_one(transaction, query)
    return row[0] if row else 0


def _names(workspace_ids: Iterable[str]) -> str:
    return json.dumps(list(workspace_ids))


def _listed(row: Row) -> ListedWorkspace:
    workspace = Workspace(row[0], parse_report(row[1]), row[2], row[3], bool(row[4]), row[5])
    return ListedWorkspace(workspace, row[6])
