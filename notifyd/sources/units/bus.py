"""A connection to one manager of systemd over D-Bus: its units and their changes.

dbus-fast is imported with this module only, and this module only where a unit trigger exists.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from dbus_fast import AuthError, DBusError, InvalidAddressError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from notifyd.sources.units.status import NOT_FOUND, UnitStatus
from notifyd.sources.units.unit_path import UNIT_PATHS, path_of_unit, unit_of_path

_MANAGER: Final = "org.freedesktop.systemd1"
_MANAGER_PATH: Final = "/org/freedesktop/systemd1"
_MANAGER_INTERFACE: Final = f"{_MANAGER}.Manager"
_UNIT_INTERFACE: Final = f"{_MANAGER}.Unit"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_BUS: Final = "org.freedesktop.DBus"
_BUS_PATH: Final = "/org/freedesktop/DBus"
_TYPED_INTERFACES: Final = {
    suffix: f"{_MANAGER}.{suffix.capitalize()}"
    for suffix in ("service", "mount", "automount", "socket", "swap", "timer", "path", "scope")
}
"""Interfaces with the properties of one type of unit, `Result` among them, by suffix."""
_OF_MANAGER: Final = f"type='signal',sender='{_MANAGER}',interface='{_MANAGER_INTERFACE}'"
_OF_UNITS: Final = f"type='signal',sender='{_MANAGER}',interface='{_PROPERTIES}'"
_OF_BUS: Final = f"type='signal',sender='{_BUS}',interface='{_BUS}'"
_RULES: Final = (
    f"{_OF_MANAGER},member='Reloading'",
    f"{_OF_BUS},member='NameOwnerChanged',arg0='{_MANAGER}'",
)
_RULES_OF_ALL_UNITS: Final = (
    f"{_OF_UNITS},member='PropertiesChanged',path_namespace='{_MANAGER_PATH}/unit'",
    f"{_OF_MANAGER},member='UnitRemoved'",
)
_MOST_NAMED: Final = 64
"""Units that have match rules of their own; with more, the signals of all units are received."""
_TIMEOUT: Final = 20.0
"""Seconds to connect, and for each answer."""
_ALREADY_SUBSCRIBED: Final = f"{_MANAGER}.AlreadySubscribed"
_CLOSE_TIMEOUT: Final = 1.0
_ENDED: Final = "the connection to the bus has ended"
_AT_ONCE: Final = 32
"""Units that are asked for at the same time."""


class BusError(Exception):
    """The bus or the manager cannot be used. The message is a clause that says why."""


class _RefusedError(BusError):
    """The answer to a call is an error. name: as D-Bus has it."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class _Target(NamedTuple):
    """An interface of an object on the bus."""

    destination: str
    path: str
    interface: str


_THE_BUS: Final = _Target(_BUS, _BUS_PATH, _BUS)
_THE_MANAGER: Final = _Target(_MANAGER, _MANAGER_PATH, _MANAGER_INTERFACE)


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """A unit's state has changed, or its properties have."""

    status: UnitStatus


@dataclass(frozen=True, slots=True)
class UnitUnloaded:
    """systemd has forgotten a unit."""

    unit: str


@dataclass(frozen=True, slots=True)
class ManagerReloaded:
    """The manager has read its unit files again."""


@dataclass(frozen=True, slots=True)
class ManagerReplaced:
    """Another manager has taken the place of the one before."""


ManagerSignal = StatusChanged | UnitUnloaded | ManagerReloaded | ManagerReplaced


class ManagerConnection:
    """Signals are queued in their order from the moment it is open."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._paths: dict[str, str] = {}
        """Object paths of loaded units, by name."""
        self._owner = ""
        self._signals: deque[ManagerSignal] = deque()
        self._arrived = asyncio.Event()
        self._typed: dict[str, Mapping[str, object]] = {}
        """Properties by object path, until those of the unit itself follow."""
        self._is_reloading = False
        self._closed: asyncio.Future[None] = asyncio.ensure_future(self._wait_closed())

    @classmethod
    @asynccontextmanager
    async def open(
        cls, address: str, units: Sequence[str] | None
    ) -> "AsyncIterator[ManagerConnection]":
        """Connect and subscribe; BusError if that is impossible.

        units: those whose signals are wanted; None for all.
        """
        try:
            async with asyncio.timeout(_TIMEOUT):
                bus = await MessageBus(bus_address=address).connect()
        except TimeoutError:
            raise BusError(f"the bus at {address} does not answer") from None
        except (OSError, EOFError, AuthError, InvalidAddressError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise BusError(f"cannot connect to the bus at {address} ({reason})") from None
        connection = cls(bus)
        try:
            await connection._subscribe(units)
            yield connection
        finally:
            bus.disconnect()
            await asyncio.wait([connection._closed], timeout=_CLOSE_TIMEOUT)

    async def _wait_closed(self) -> None:
        with suppress(Exception):  # the reason is of no use: it is connected again
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._arrived.set()

    async def _subscribe(self, units: Sequence[str] | None) -> None:
        self._bus.add_message_handler(self._handle)
        for rule in (*_RULES, *_unit_rules(units)):
            await self._call(_THE_BUS, "AddMatch", "s", rule)
        await self._subscribe_to_manager()

    async def _subscribe_to_manager(self) -> None:
        try:
            await self._call(_THE_MANAGER, "Subscribe")
        except _RefusedError as error:  # its name may have changed hands and come back
            if error.name != _ALREADY_SUBSCRIBED:
                raise
        (self._owner,) = await self._call(_THE_BUS, "GetNameOwner", "s", _MANAGER)

    async def units(self, patterns: Sequence[str]) -> list[str]:
        """Return the loaded units that match one of the patterns."""
        (found,) = await self._call(_THE_MANAGER, "ListUnitsByPatterns", "asas", [], list(patterns))
        self._paths = {unit[0]: unit[6] for unit in found}
        return list(self._paths)

    async def statuses(self, units: Iterable[str]) -> list[UnitStatus]:
        """Return what the manager says of these units; unloaded ones are loaded for it."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def ask(unit: str) -> UnitStatus:
            async with slots:
                return await self._status(unit)

        return await asyncio.gather(*map(ask, units))

    async def _status(self, unit: str) -> UnitStatus:
        try:
            path = self._paths.get(unit)
            if path is None:
                (path,) = await self._call(_THE_MANAGER, "LoadUnit", "s", unit)
            # As in signals: the properties of the unit itself are never older than the others.
            properties: dict[str, object] = {}
            typed = _TYPED_INTERFACES.get(unit.rpartition(".")[2])
            for interface in (typed, _UNIT_INTERFACE) if typed else (_UNIT_INTERFACE,):
                target = _Target(_MANAGER, path, _PROPERTIES)
                (found,) = await self._call(target, "GetAll", "s", interface)
                properties |= _values(found)
        except _RefusedError:  # no valid name, or unloaded meanwhile
            return UnitStatus(unit, "inactive", load=NOT_FOUND)
        return UnitStatus.from_properties(unit, properties)

    async def signals(self, within: float | None) -> list[ManagerSignal]:
        """Wait for signals and return all there are; none after `within` seconds.

        BusError once the connection has ended.
        """
        if not self._signals:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._arrived.wait()
        self._arrived.clear()
        found = list(self._signals)
        self._signals.clear()
        if not found and self._closed.done():
            self._arrived.set()
            raise BusError(_ENDED)
        if any(isinstance(each, ManagerReplaced) for each in found):
            await self._subscribe_to_manager()
        return found

    async def _call(
        self, target: _Target, member: str, signature: str = "", *body: object
    ) -> list[Any]:
        call = Message(
            destination=target.destination,
            path=target.path,
            interface=target.interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        try:
            async with asyncio.timeout(_TIMEOUT):
                reply = await self._bus.call(call)
        except TimeoutError:
            raise BusError(f"{target.destination} does not answer") from None
        except (OSError, EOFError, DBusError) as error:
            raise BusError(f"{_ENDED} ({error})") from None
        if reply is None:
            raise BusError(_ENDED)
        if reply.message_type is MessageType.ERROR:
            reason = reply.body[0] if reply.body else reply.error_name
            message = f"{target.destination} refused {member} ({reason})"
            raise _RefusedError(message, reply.error_name or "")
        return list(reply.body)

    def _handle(self, message: Message) -> None:
        """Queue what a signal says. Those of others than the bus and the manager do not count."""
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.sender == _BUS and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if name == _MANAGER and owner:
                # The end of a reload comes from the new one, or never.
                self._owner, self._is_reloading = owner, False
                self._typed.clear()
                self._queue(ManagerReplaced())
        elif message.sender == self._owner:
            self._handle_manager(message)

    def _handle_manager(self, message: Message) -> None:
        match message.member, message.body:
            case "PropertiesChanged", [str(interface), dict(changed), _]:
                self._note_properties(message.path or "", interface, changed)
            case "UnitRemoved", [str(unit), str(path)] if not self._is_reloading:
                self._typed.pop(path, None)
                self._queue(UnitUnloaded(unit))
            case "Reloading", [bool(is_active)]:  # it removes and adds each unit meanwhile
                self._is_reloading = is_active
                if not is_active:
                    self._queue(ManagerReloaded())

    def _note_properties(self, path: str, interface: str, changed: Mapping[str, Variant]) -> None:
        """Complete a status: systemd sends the properties of a unit's type just before its own."""
        if not path.startswith(UNIT_PATHS):
            return
        if interface in _TYPED_INTERFACES.values():
            self._typed[path] = _values(changed)
        elif interface == _UNIT_INTERFACE and "ActiveState" in changed:
            properties = {**self._typed.pop(path, {}), **_values(changed)}
            unit = unit_of_path(path)
            self._queue(StatusChanged(UnitStatus.from_properties(unit, properties)))

    def _queue(self, signal: ManagerSignal) -> None:
        self._signals.append(signal)
        self._arrived.set()


def _unit_rules(units: Sequence[str] | None) -> Iterator[str]:
    """Yield match rules for the signals of these units, or of all: each signal wakes the daemon."""
    if units is None or len(units) > _MOST_NAMED:
        yield from _RULES_OF_ALL_UNITS
        return
    for unit in units:
        yield f"{_OF_UNITS},member='PropertiesChanged',path='{path_of_unit(unit)}'"
        yield f"{_OF_MANAGER},member='UnitRemoved',arg0='{unit}'"


def _values(properties: Mapping[str, Variant]) -> dict[str, object]:
    return {name: variant.value for name, variant in properties.items()}
