"""Notifications on their way to devices: a row for each, until it is handed over or given up.

A row is stored together with its notification, and deleted with the outcome. A relay that is
killed in between hands it over again.
"""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay import changes, devices
from notifyd.relay.devices import DeviceKind
from notifyd.relay.store.base import Row, Transaction, fetch_one

KEPT = 86_400.0
"""Seconds after which a delivery is given up."""

_EXPIRED_AT_ONCE = 100

_TO_DEVICES = (
    "deliveries JOIN devices ON devices.id = deliveries.device"
    " JOIN notifications ON notifications.workspace_id = deliveries.workspace_id"
    " AND notifications.workspace_seq = deliveries.workspace_seq"
    " AND notifications.deleted_at IS NULL"
)


class NewDelivery(NamedTuple):
    """device: its number."""

    workspace_id: str
    workspace_seq: int
    device: int


class Delivery(NamedTuple):
    """One notification for one device, and where to.

    attempts: how many of this one have failed. failures: of the device, in a row. seconds: for
    which it is worth delivering.
    """

    id: int
    device: int
    kind: DeviceKind
    device_name: str
    address: str
    attempts: int
    failures: int
    seconds: float
    workspace_id: str
    workspace_seq: int
    seq: int
    token_name: str | None
    title: str | None
    body: str | None
    data: Json
    priority: str


class DeliveryStatus(StrEnum):
    """What an attempt led to. GONE: the device does not exist any more."""

    DONE = "done"
    RETRY = "retry"
    REFUSED = "refused"
    GONE = "gone"


class DeliveryResult(NamedTuple):
    """reason: a sentence without secrets. wait: seconds that the destination asks for."""

    status: DeliveryStatus
    reason: str = ""
    wait: float = 0.0


# --- inside a transaction of the store


async def insert(transaction: Transaction, new: Iterable[NewDelivery], wall: float) -> None:
    await transaction.execute_many(
        "INSERT INTO deliveries (workspace_id, workspace_seq, device, accepted_at)"
        " VALUES ($1, $2, $3, $4)",
        [(*delivery, wall) for delivery in new],
    )


async def claim(transaction: Transaction, most: int, lease: float, wall: float) -> list[Delivery]:
    """Take the next delivery of each device that waits for none, for `lease` seconds.

    A device gets one at a time, the oldest that is due. Another relay with the same database
    takes it when the lease is over.
    """
    await _expire(transaction, wall)
    rows = await transaction.fetch(
        "UPDATE devices SET claimed_until = $2 WHERE claimed_until <= $1 AND id IN"
        f" (SELECT DISTINCT devices.id FROM {_TO_DEVICES} WHERE devices.claimed_until <= $1"
        " AND devices.retry_at <= $1 AND deliveries.retry_at <= $1 LIMIT $3) RETURNING id",
        wall,
        wall + lease,
        most,
    )
    claimed = [await _next_of(transaction, row[0], wall) for row in rows]
    return [delivery for delivery in claimed if delivery is not None]


async def next_due(transaction: Transaction) -> float | None:
    """Return the wall time at which something can be claimed; None if nothing waits."""
    latest = "CASE WHEN {0} > {1} THEN {0} ELSE {1} END"
    retry = latest.format("deliveries.retry_at", "devices.retry_at")
    due = latest.format(f"({retry})", "devices.claimed_until")
    row = await fetch_one(transaction, f"SELECT min({due}) FROM {_TO_DEVICES}")
    return row[0] if row else None


async def finish(transaction: Transaction, delivery: Delivery, wall: float) -> None:
    """Store that a notification was handed over."""
    await _delete(transaction, delivery.id)
    await transaction.execute(
        "UPDATE devices SET failures = 0, retry_at = 0, problem = '', claimed_until = 0,"
        " last_seen_at = $2 WHERE id = $1",
        delivery.device,
        wall,
    )


async def postpone(
    transaction: Transaction,
    delivery: Delivery,
    reason: str,
    *,
    retry_at: float,
    device_retry_at: float,
) -> None:
    """Store that an attempt failed. device_retry_at: until then the device gets nothing."""
    await transaction.execute(
        "UPDATE deliveries SET attempts = attempts + 1, retry_at = $2 WHERE id = $1",
        delivery.id,
        retry_at,
    )
    await transaction.execute(
        "UPDATE devices SET failures = failures + 1, retry_at = $2, problem = $3,"
        " claimed_until = 0 WHERE id = $1",
        delivery.device,
        device_retry_at,
        reason,
    )


async def fail(transaction: Transaction, delivery: Delivery, reason: str) -> None:
    """Give up a delivery that can never succeed, and show the reason with its notification."""
    key = (delivery.workspace_id, delivery.workspace_seq)
    await _note(transaction, *key, delivery.device_name, reason)
    await _delete(transaction, delivery.id)
    query = "UPDATE devices SET problem = $2, claimed_until = 0 WHERE id = $1"
    await transaction.execute(query, delivery.device, reason)


async def drop_device(transaction: Transaction, delivery: Delivery, reason: str) -> None:
    """Delete a device that does not exist any more; what waits for it is given up."""
    query = "SELECT workspace_id, workspace_seq FROM deliveries WHERE device = $1 ORDER BY id"
    for workspace_id, workspace_seq in await transaction.fetch(query, delivery.device):
        await _note(transaction, workspace_id, workspace_seq, delivery.device_name, reason)
    await devices.delete(transaction, str(delivery.device))


async def release_all(transaction: Transaction) -> None:
    """End the claims of an earlier process, if nobody else uses this database."""
    await transaction.execute("UPDATE devices SET claimed_until = 0")


async def prune(transaction: Transaction) -> None:
    """Delete what is not to be handed over: its notification was deleted."""
    await transaction.execute(
        "DELETE FROM deliveries WHERE NOT EXISTS (SELECT 1 FROM notifications WHERE"
        " notifications.workspace_id = deliveries.workspace_id"
        " AND notifications.workspace_seq = deliveries.workspace_seq AND deleted_at IS NULL)"
    )


async def _next_of(transaction: Transaction, device: int, wall: float) -> Delivery | None:
    row = await fetch_one(
        transaction,
        "SELECT deliveries.id, devices.id, devices.kind, devices.name, devices.address,"
        " deliveries.attempts, devices.failures, deliveries.accepted_at, deliveries.workspace_id,"
        " deliveries.workspace_seq, seq, token_name, title, body, data, priority"
        f" FROM {_TO_DEVICES} WHERE devices.id = $1 AND deliveries.retry_at <= $2"
        " ORDER BY deliveries.id LIMIT 1",
        device,
        wall,
    )
    return None if row is None else _delivery(row, wall)


def _delivery(row: Row, wall: float) -> Delivery:
    seconds = max(row[7] + KEPT - wall, 0.0)
    return Delivery(
        *(row[0], row[1], DeviceKind(row[2]), row[3], row[4], row[5], row[6], seconds),
        *(row[8], row[9], row[10], row[11], row[12], row[13], json.loads(row[14]), row[15]),
    )


async def _expire(transaction: Transaction, wall: float) -> None:
    rows = await transaction.fetch(
        "SELECT deliveries.id, deliveries.workspace_id, deliveries.workspace_seq, devices.name,"
        " devices.problem FROM deliveries JOIN devices ON devices.id = deliveries.device"
        " WHERE deliveries.accepted_at <= $1 ORDER BY deliveries.accepted_at LIMIT $2",
        wall - KEPT,
        _EXPIRED_AT_ONCE,
    )
    for number, workspace_id, workspace_seq, name, problem in rows:
        reason = f"gave up after 24 hours: {problem or 'the relay was not running'}"
        await _note(transaction, workspace_id, workspace_seq, name, reason)
        await _delete(transaction, number)


async def _note(
    transaction: Transaction, workspace_id: str, workspace_seq: int, device: str, reason: str
) -> None:
    """Store with a notification that a device did not get it, as a change that pages follow."""
    revision = await changes.next_revision(transaction)
    query = "SELECT undelivered FROM notifications WHERE workspace_id = $1 AND workspace_seq = $2"
    row = await fetch_one(transaction, query, workspace_id, workspace_seq)
    if row is None:
        return
    undelivered = [*json.loads(row[0]), {"device": device, "reason": reason}]
    await transaction.execute(
        "UPDATE notifications SET undelivered = $3, revision = $4"
        " WHERE workspace_id = $1 AND workspace_seq = $2",
        workspace_id,
        workspace_seq,
        json.dumps(undelivered),
        revision,
    )


async def _delete(transaction: Transaction, number: int) -> None:
    await transaction.execute("DELETE FROM deliveries WHERE id = $1", number)
