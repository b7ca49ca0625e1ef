"""A D-Bus daemon of the test's own, and on it a scripted stand-in for systemd's manager."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

NAME = "org.freedesktop.systemd1"
PATH = "/org/freedesktop/systemd1"
MANAGER = f"{NAME}.Manager"
UNIT = f"{NAME}.Unit"
SERVICE = f"{NAME}.Service"
PROPERTIES = "org.freedesktop.DBus.Properties"
_CONFIG = """
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
_SIGNATURES = {
    **dict.fromkeys(("ActiveState", "SubState", "LoadState", "Result", "Restart"), "s"),
    **dict.fromkeys(("ExecMainCode", "ExecMainStatus"), "i"),
    "NRestarts": "u",
    "InvocationID": "ay",
    **dict.fromkeys(("StateChangeTimestampMonotonic", "StateChangeTimestamp"), "t"),
    "ExecMainStartTimestamp": "t",
}
_OF_UNIT = (
    *("ActiveState", "SubState", "LoadState", "InvocationID"),
    *("StateChangeTimestampMonotonic", "StateChangeTimestamp"),
)
_WALL = 1_700_000_000_000_000
_PAST = 60_000_000
"""Microseconds by which the manager's clock is behind, so that every state has lasted."""


class BusDaemon:
    """A real dbus-daemon with a socket in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "bus"
        self.address = f"unix:path={self.socket}"
        self._config = folder / "bus.conf"
        self._config.write_text(_CONFIG.format(socket=self.socket))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout.readline(), "dbus-daemon did not start"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None
            self.socket.unlink(missing_ok=True)


class Manager:
    """Answers as systemd's manager does, and sends its signals. units: properties by name."""

    def __init__(self, bus: MessageBus) -> None:
        self.units: dict[str, dict[str, object]] = {}
        self.subscribed = asyncio.Event()
        self._bus = bus
        self._subscribers: set[str | None] = set()
        self._runs = 0
        bus.add_message_handler(self._answer)

    async def set(self, unit: str, *, announced: bool = True, **properties: object) -> None:
        """Change properties of a unit, which may be new, and send its signals if `announced`."""
        now = time.monotonic_ns() // 1000 - _PAST
        known = self.units.setdefault(unit, _new_unit())
        known |= {
            "StateChangeTimestampMonotonic": now,
            "StateChangeTimestamp": 1_700_000_000_000_000,
        }
        known |= properties
        if announced:
            for interface in (SERVICE, UNIT):
                body = [interface, self._properties(unit, interface), []]
                await self._signal(_path(unit), PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    async def start(self, unit: str, **options: object) -> None:
        self._runs += 1
        invocation = self._runs.to_bytes(16, "big")
        ended = {"Result": "success", "ExecMainCode": 0, "ExecMainStatus": 0}
        up = {"ActiveState": "active", "SubState": "running", "InvocationID": invocation}
        up |= {"ExecMainStartTimestamp": _WALL}
        await self.set(unit, **up, **ended, **options)

    async def fail(self, unit: str, status: int, **options: object) -> None:
        ended = {"Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": status}
        await self.set(unit, ActiveState="failed", SubState="failed", **ended, **options)

    async def reset(self, unit: str) -> None:
        await self.set(unit, ActiveState="inactive", SubState="dead", Result="success")

    async def unload(self, unit: str) -> None:
        del self.units[unit]
        await self._signal(PATH, MANAGER, "UnitRemoved", "so", [unit, _path(unit)])

    async def reload(self) -> None:
        """Reload the unit files, as systemd does: every unit is removed and added meanwhile."""
        await self.begin_reload()
        for unit in self.units:
            await self._signal(PATH, MANAGER, "UnitRemoved", "so", [unit, _path(unit)])
        await self._signal(PATH, MANAGER, "Reloading", "b", [False])

    async def begin_reload(self) -> None:
        await self._signal(PATH, MANAGER, "Reloading", "b", [True])

    async def lose_name(self) -> None:
        """Release the name and take it again, as a manager does when it restarts."""
        await self._bus.release_name(NAME)
        await self._bus.request_name(NAME)

    async def _signal(
        self, path: str, interface: str, member: str, signature: str, body: list[object]
    ) -> None:
        await self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _answer(self, call: Message) -> Message | None:
        if call.message_type is not MessageType.METHOD_CALL:
            return None
        match call.member, call.body:
            case "Subscribe", []:
                if call.sender in self._subscribers:
                    return Message.new_error(call, f"{NAME}.AlreadySubscribed", "Already.")
                self._subscribers.add(call.sender)
                self.subscribed.set()
                return Message.new_method_return(call)
            case "ListUnitsByPatterns", [[], patterns]:
                found = [
                    [unit, "", "loaded", "", "", "", _path(unit), 0, "", "/"]
                    for unit in self.units
                    if any(fnmatchcase(unit, pattern) for pattern in patterns)
                ]
                return Message.new_method_return(call, "a(ssssssouso)", [found])
            case "LoadUnit", [unit]:
                return Message.new_method_return(call, "o", [_path(unit)])
            case "GetAll", [interface]:
                unit = _unit(call.path)
                found = self._properties(unit, interface)
                return Message.new_method_return(call, "a{sv}", [found])
        return Message.new_error(call, "org.example.Unknown", f"no {call.member}")

    def _properties(self, unit: str, interface: str) -> dict[str, Variant]:
        missing = _new_unit() | {"LoadState": "not-found"}
        return {
            name: Variant(_SIGNATURES[name], value)
            for name, value in self.units.get(unit, missing).items()
            if (name in _OF_UNIT) == (interface == UNIT)
        }


@asynccontextmanager
async def manager_on(daemon: BusDaemon) -> AsyncIterator[Manager]:
    """Run a manager on a bus."""
    bus = await MessageBus(bus_address=daemon.address).connect()
    try:
        manager = Manager(bus)
        await bus.request_name(NAME)
        yield manager
    finally:
        bus.disconnect()


def _new_unit() -> dict[str, object]:
    return {
        "ActiveState": "inactive",
        "SubState": "dead",
        "LoadState": "loaded",
        "InvocationID": b"",
        "StateChangeTimestampMonotonic": 0,
        "StateChangeTimestamp": 0,
        "Result": "success",
        "ExecMainCode": 0,
        "ExecMainStatus": 0,
        "NRestarts": 0,
        "Restart": "no",
    }


def _path(unit: str) -> str:
    label = "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in unit)
    return f"{PATH}/unit/{label}"


def _unit(path: str) -> str:
    head, *rest = path.rpartition("/")[2].split("_")
    return head + "".join(bytes.fromhex(part[:2]).decode() + part[2:] for part in rest)
