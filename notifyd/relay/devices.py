"""Registered devices. There is no push service here: deliveries to them are only counted."""

import json
from dataclasses import dataclass

from notifyd.model.notifications import Json
from notifyd.relay.schemas import DeviceRequest, format_time, parse_number
from notifyd.relay.store import Connection


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


# --- on the store's thread


def register(connection: Connection, request: DeviceRequest, wall: float) -> Device | None:
    """Store a device; one with the same device_id is updated and keeps its number.

    None if the device_id is new and consists of digits: a path could not tell it from a number.
    """
    if parse_number(request.device_id) is not None and not count(connection, request.device_id):
        return None
    connection.execute(
        "INSERT INTO devices (device_id, fcm_token, platform, device_info, created_at,"
        " last_seen_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (device_id) DO UPDATE SET"
        " fcm_token = excluded.fcm_token, platform = excluded.platform,"
        " device_info = excluded.device_info, last_seen_at = excluded.last_seen_at",
        (
            request.device_id,
            request.fcm_token,
            request.platform,
            json.dumps(request.device_info),
            wall,
            wall,
        ),
    )
    return _select(connection, "WHERE device_id = ?", request.device_id)[0]


def list_all(connection: Connection) -> list[Device]:
    """Return the devices, oldest first."""
    return _select(connection, "ORDER BY id")


def delete(connection: Connection, name: str) -> bool:
    """Delete the device with this number or, if there is none, with this device_id."""
    number = parse_number(name)
    deleted = connection.execute("DELETE FROM devices WHERE id = ?", (number,)).rowcount
    if not deleted:
        deleted = connection.execute("DELETE FROM devices WHERE device_id = ?", (name,)).rowcount
    return deleted > 0


def count(connection: Connection, device_id: str | None) -> int:
    """Count all devices, or those with one device_id."""
    query = "SELECT count(*) FROM devices WHERE ?1 IS NULL OR device_id = ?1"
    number: int = connection.execute(query, (device_id,)).fetchone()[0]
    return number


def _select(connection: Connection, where: str, *values: object) -> list[Device]:
    columns = "id, device_id, platform, device_info, created_at, last_seen_at"
    query = f"SELECT {columns} FROM devices {where}"  # noqa: S608 - both parts are our own text
    rows = connection.execute(query, values)
    return [Device(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5]) for row in rows]
