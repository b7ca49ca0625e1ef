"""Devices: where notifications go besides the open inbox pages, and which ones each wants.

The token of an app is stored for the platform's API alone: there is no push service for it here,
and its deliveries are only counted. Web Push and Apprise devices are handed what they get by
delivery_worker.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay.schemas import DeviceRequest, format_time, parse_number
from notifyd.relay.store.base import Row, Transaction, fetch_one


class DeviceKind(StrEnum):
    """How a device is reached: not from here, by Web Push, or through Apprise."""

    APP = "app"
    WEB_PUSH = "web_push"
    APPRISE = "apprise"


class Subscription(NamedTuple):
    """Which notifications a device gets: of these workspaces and channels; none named: of all."""

    workspaces: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    def includes(self, workspace_id: str, channel: str) -> bool:
        """channel: empty for a notification that has none."""
        has_workspace = not self.workspaces or workspace_id in self.workspaces
        return has_workspace and (not self.channels or channel in self.channels)


class NewDevice(NamedTuple):
    """A device that is handed its notifications. address: of its kind, and never returned."""

    device_id: str
    kind: DeviceKind
    name: str
    address: str
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Device:
    """Times are wall-clock seconds. `device_info` is any JSON that the app sends.

    problem: why the last delivery failed; empty if it did not. The token of the push service and
    the address are stored but never returned.
    """

    id: int
    device_id: str
    platform: str | None
    device_info: object
    created_at: float
    last_seen_at: float
    kind: DeviceKind
    name: str
    subscription: Subscription
    muted_until: float
    problem: str

    def as_json(self) -> Json:
        """Return what the platform's API shows; what it does not know only where it is set."""
        own: Json = {
            "kind": "" if self.kind is DeviceKind.APP else self.kind,
            "name": self.name,
            "workspaces": list(self.subscription.workspaces),
            "channels": list(self.subscription.channels),
            "muted_until": self.muted_until and format_time(self.muted_until),
            "problem": self.problem,
        }
        return {
            "id": self.id,
            "device_id": self.device_id,
            "platform": self.platform,
            "device_info": self.device_info,
            "status": "active",
            "last_seen_at": format_time(self.last_seen_at),
            "created_at": format_time(self.created_at),
            **{name: value for name, value in own.items() if value},
        }


class Receiver(NamedTuple):
    """What decides whether a device gets a notification."""

    id: int
    device_id: str
    kind: DeviceKind
    subscription: Subscription
    is_muted: bool


_COLUMNS = (
    "id, device_id, platform, device_info, created_at, last_seen_at, kind, name, workspaces,"
    " channels, muted_until, problem"
)


# --- inside a transaction of the store


async def register(transaction: Transaction, request: DeviceRequest, wall: float) -> Device | None:
    """Store the device of an app; one with the same device_id is updated and keeps its number.

    Without workspaces or channels in the request, it keeps those that it has. None if the
    device_id is new and consists of digits: a path could not tell it from a number.
    """
    is_number = parse_number(request.device_id) is not None
    if is_number and await find(transaction, request.device_id) is None:
        return None
    await transaction.execute(
        "INSERT INTO devices (device_id, fcm_token, platform, device_info, created_at,"
        " last_seen_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (device_id) DO UPDATE SET"
        " fcm_token = excluded.fcm_token, platform = excluded.platform,"
        " device_info = excluded.device_info, last_seen_at = excluded.last_seen_at",
        request.device_id,
        request.fcm_token,
        request.platform,
        json.dumps(request.device_info),
        wall,
        wall,
    )
    for column, names in (("workspaces", request.workspaces), ("channels", request.channels)):
        if names is not None:
            query = f"UPDATE devices SET {column} = $2 WHERE device_id = $1"
            await transaction.execute(query, request.device_id, json.dumps(names))
    return await find(transaction, request.device_id)


async def add(
    transaction: Transaction, new: NewDevice, wall: float, muted_until: float | None = None
) -> Device:
    """Store a device that is handed its notifications, or replace the one with its device_id.

    muted_until: until then it is handed nothing; None leaves that as it is.
    """
    await transaction.execute(
        "INSERT INTO devices (device_id, fcm_token, platform, device_info, created_at,"
        " last_seen_at, kind, name, address, workspaces, channels)"
        " VALUES ($1, '', $2, 'null', $3, $3, $4, $5, $6, $7, $8)"
        " ON CONFLICT (device_id) DO UPDATE SET kind = excluded.kind, name = excluded.name,"
        " address = excluded.address, workspaces = excluded.workspaces,"
        " channels = excluded.channels, last_seen_at = excluded.last_seen_at,"
        " failures = 0, retry_at = 0, problem = ''",
        new.device_id,
        "web" if new.kind is DeviceKind.WEB_PUSH else None,
        wall,
        new.kind,
        new.name,
        new.address,
        json.dumps(new.subscription.workspaces),
        json.dumps(new.subscription.channels),
    )
    if muted_until is not None:
        query = "UPDATE devices SET muted_until = $2 WHERE device_id = $1"
        await transaction.execute(query, new.device_id, muted_until)
    found = await find(transaction, new.device_id)
    if found is None:
        raise LookupError(new.device_id)
    return found


async def list_all(transaction: Transaction) -> list[Device]:
    """Return the devices, oldest first."""
    return await _select(transaction, "ORDER BY id")


async def find(transaction: Transaction, device_id: str) -> Device | None:
    return next(iter(await _select(transaction, "WHERE device_id = $1", device_id)), None)


async def load_addresses(transaction: Transaction) -> dict[int, str]:
    """Return the address of each device by its number; nobody may be shown more than a mask."""
    return {row[0]: row[1] for row in await transaction.fetch("SELECT id, address FROM devices")}


async def load_receivers(transaction: Transaction, wall: float) -> list[Receiver]:
    rows = await transaction.fetch(
        "SELECT id, device_id, kind, workspaces, channels, muted_until FROM devices ORDER BY id"
    )
    return [
        Receiver(row[0], row[1], DeviceKind(row[2]), _subscription(row[3:5]), row[5] > wall)
        for row in rows
    ]


async def delete(transaction: Transaction, name: str) -> bool:
    """Delete the device with this number or, if there is none, with this device_id."""
    number = parse_number(name)
    if number is not None and await transaction.execute(
        "DELETE FROM devices WHERE id = $1", number
    ):
        await _delete_orphans(transaction)
        return True
    deleted = await transaction.execute("DELETE FROM devices WHERE device_id = $1", name) > 0
    await _delete_orphans(transaction)
    return deleted


async def delete_pages(transaction: Transaction) -> None:
    """Delete the devices that inbox pages have added."""
    query = "DELETE FROM devices WHERE kind = $1"
    await transaction.execute(query, DeviceKind.WEB_PUSH)
    await _delete_orphans(transaction)


async def count(transaction: Transaction, kind: DeviceKind) -> int:
    row = await fetch_one(transaction, "SELECT count(*) FROM devices WHERE kind = $1", kind)
    return row[0] if row else 0


async def _delete_orphans(transaction: Transaction) -> None:
    """Delete what waits for devices that are gone: it would never be handed over."""
    await transaction.execute("DELETE FROM deliveries WHERE device NOT IN (SELECT id FROM devices)")


async def _select(transaction: Transaction, where: str, *values: object) -> list[Device]:
    rows = await transaction.fetch(f"SELECT {_COLUMNS} FROM devices {where}", *values)
    return [_device(row) for row in rows]


def _device(row: Row) -> Device:
    """Convert a row of `_COLUMNS`."""
    return Device(
        *(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5], DeviceKind(row[6]), row[7]),
        *(_subscription(row[8:10]), row[10], row[11]),
    )


def _subscription(lists: Sequence[str]) -> Subscription:
    return Subscription(*(tuple(json.loads(names)) for names in lists))
