"""Registered devices. There is no push service here: deliveries to them are only counted."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from notifyd.model.notifications import Json
from notifyd.relay.schemas import DeviceRequest, format_time, parse_number
from notifyd.relay.store.base import Transaction


@dataclass(frozen=True, slots=True)
class Device:
    """Times are wall-clock seconds. `device_info` is any JSON that the app sends.

    The token of the push service is stored but never returned.
    """

    id: int
    device_id: str
    platform: str | None
    device_info: object
    created_at: float
    last_seen_at: float

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "device_id": self.device_id,
            "platform": self.platform,
            "device_info": self.device_info,
            "status": "active",
            "last_seen_at": format_time(self.last_seen_at),
            "created_at": format_time(self.created_at),
        }


# --- inside a transaction of the store


async def register(transaction: Transaction, request: DeviceRequest, wall: float) -> Device | None:
    """Store a device; one with the same device_id is updated and keeps its number.

    None if the device_id is new and consists of digits: a path could not tell it from a number.
    """
    is_number = parse_number(request.device_id) is not None
    if is_number and not await _select(transaction, "WHERE device_id = $1", request.device_id):
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
    return (await _select(transaction, "WHERE device_id = $1", request.device_id))[0]


async def list_all(transaction: Transaction) -> list[Device]:
    """Return the devices, oldest first."""
    return await _select(transaction, "ORDER BY id")


async def delete(transaction: Transaction, name: str) -> bool:
    """Delete the device with this number or, if there is none, with this device_id."""
    number = parse_number(name)
    if number is not None and await transaction.execute(
        "DELETE FROM devices WHERE id = $1", number
    ):
        return True
    return await transaction.execute("DELETE FROM devices WHERE device_id = $1", name) > 0


async def count(transaction: Transaction) -> int:
    """Count all devices."""
    rows = await transaction.fetch("SELECT count(*) FROM devices")
    number: int = rows[0][0]
    return number


async def find_registered(transaction: Transaction, device_ids: Iterable[str]) -> frozenset[str]:
    """Return those of the device_ids that are registered."""
    table = transaction.json_list(1)
    query = f"SELECT device_id FROM devices WHERE device_id IN (SELECT value FROM {table})"
    rows = await transaction.fetch(query, json.dumps(list(device_ids)))
    return frozenset(row[0] for row in rows)


async def _select(transaction: Transaction, where: str, *values: object) -> list[Device]:
    columns = "id, device_id, platform, device_info, created_at, last_seen_at"
    query = f"SELECT {columns} FROM devices {where}"
    rows = await transaction.fetch(query, *values)
    return [Device(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5]) for row in rows]
