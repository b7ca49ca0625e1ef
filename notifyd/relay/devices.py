"""Registered devices. There is no push service here: deliveries to them are only counted."""

import json
from dataclasses import dataclass, replace

from notifyd.model.notifications import Json
from notifyd.relay.schemas import format_time
from notifyd.relay.store import Connection


@dataclass(frozen=True, slots=True)
class Device:
    """Times are wall-clock seconds. `device_info` is any JSON that the app sends."""

    device_id: str
    fcm_token: str
    platform: str
    device_info: object
    created_at: float
    updated_at: float

    def as_json(self) -> Json:
        return {
            "device_id": self.device_id,
            "fcm_token": self.fcm_token,
            "platform": self.platform,
            "device_info": self.device_info,
            "created_at": format_time(self.created_at),
            "updated_at": format_time(self.updated_at),
        }


# --- on the store's thread


def register(connection: Connection, device: Device) -> Device:
    """Store a device; one with the same id is updated and keeps the time of its creation."""
    connection.execute(
        "INSERT INTO devices VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (device_id) DO UPDATE SET"
        " fcm_token = excluded.fcm_token, platform = excluded.platform,"
        " device_info = excluded.device_info, updated_at = excluded.updated_at",
        (
            device.device_id,
            device.fcm_token,
            device.platform,
            json.dumps(device.device_info),
            device.created_at,
            device.updated_at,
        ),
    )
    query = "SELECT created_at FROM devices WHERE device_id = ?"
    row = connection.execute(query, (device.device_id,)).fetchone()
    return replace(device, created_at=row[0])


def list_all(connection: Connection) -> list[Device]:
    """Return the devices, oldest first."""
    rows = connection.execute(
        "SELECT device_id, fcm_token, platform, device_info, created_at, updated_at"
        " FROM devices ORDER BY created_at, device_id"
    )
    return [Device(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5]) for row in rows]


def delete(connection: Connection, device_id: str) -> bool:
    return connection.execute("DELETE FROM devices WHERE device_id = ?", (device_id,)).rowcount > 0


def count(connection: Connection, device_id: str | None) -> int:
    """Count all devices, or those with one id."""
    query = "SELECT count(*) FROM devices WHERE ?1 IS NULL OR device_id = ?1"
    number: int = connection.execute(query, (device_id,)).fetchone()[0]
    return number
