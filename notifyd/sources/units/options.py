"""What the unit source is built with, and where the buses of systemd's managers are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from notifyd.config.triggers import UnitTriggerConfig
from notifyd.sources.journal.access import COMMAND

SYSTEM: Final = "system"
USER: Final = "user"
_SYSTEM_BUS: Final = "unix:path=/run/dbus/system_bus_socket"


@dataclass(frozen=True, slots=True)
class UnitSourceOptions:
    """triggers: by name. resolve: whether each reports recoveries.

    counts: how often in a row each reports a state, for `for` and `clear`. environ: says where the
    buses are. uid: the daemon's user. boot: the kernel's boot id. journalctl: the command.
    reconnect_delays: seconds before each attempt to connect; the last one repeats.
    """

    triggers: Mapping[str, UnitTriggerConfig]
    resolve: Mapping[str, bool]
    counts: Mapping[str, int]
    environ: Mapping[str, str]
    uid: int
    boot: str
    wall: Callable[[], float]
    journalctl: Sequence[str] = (COMMAND,)
    reconnect_delays: tuple[float, ...] = (1.0, 2.0, 5.0, 15.0, 60.0)

    def bus_of(self, trigger: str) -> str:
        """Return `system` or `user`: as configured, else the bus of a user's own daemon."""
        return self.triggers[trigger].bus or default_bus(self.environ, self.uid)


def default_bus(environ: Mapping[str, str], uid: int) -> str:
    """Return `user` for a daemon in a user's own session, else `system`."""
    is_per_user = uid != 0 and environ.get("XDG_RUNTIME_DIR")
    return USER if is_per_user else SYSTEM


def bus_address(bus: str, environ: Mapping[str, str], uid: int) -> str:
    """Return the D-Bus address of a bus."""
    if bus == SYSTEM:
        return environ.get("DBUS_SYSTEM_BUS_ADDRESS") or _SYSTEM_BUS
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    directory = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    return f"unix:path={directory}/bus"
