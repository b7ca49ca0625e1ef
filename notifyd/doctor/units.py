"""Check: systemd answers over D-Bus, if a trigger watches units."""

import asyncio

from notifyd.config.triggers import UnitTriggerConfig
from notifyd.doctor.finding import CheckOutcome, Finding
from notifyd.doctor.subject import Subject
from notifyd.sources.units.options import USER, bus_address, default_bus

_FIXES = {
    "system": "as root: apt-get install dbus && systemctl start dbus; a container has no systemd",
    "user": "as root: loginctl enable-linger {user}",
}


def check(subject: Subject) -> CheckOutcome:
    environ, uid = subject.environ, subject.user.uid
    buses = {
        trigger.bus or default_bus(environ, uid)
        for trigger in subject.settings.triggers.values()
        if isinstance(trigger, UnitTriggerConfig)
    }
    if not buses:
        return CheckOutcome("no trigger watches them")
    findings = []
    for bus in sorted(buses):
        if problem := asyncio.run(_problem(bus_address(bus, environ, uid))):
            fix = _FIXES[USER if bus == USER else "system"].format(user=subject.user.name)
            findings.append(Finding.fault(f"units cannot be watched: {problem}", fix))
    return CheckOutcome(f"systemd answers on the {' and '.join(sorted(buses))} bus", findings)


async def _problem(address: str) -> str:
    """Return why the manager cannot be asked; empty if it can."""
    from notifyd.sources.units.bus import (  # noqa: PLC0415 - dbus-fast, only with a unit trigger
        BusError,
        ManagerConnection,
    )

    try:
        async with ManagerConnection.open(address, []):
            return ""
    except BusError as error:
        return str(error)
