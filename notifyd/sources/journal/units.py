"""Which units a trigger listens to: what `journalctl` is asked for, and whom an entry goes to."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from notifyd.config.triggers import LogTriggerConfig

_MAGIC: Final = frozenset("*?[")
_EVERYTHING: Final = "*"
_ROUTES_KEPT: Final = 4096
_TERMS: Final = (
    ("_SYSTEMD_UNIT={unit}",),
    ("_PID=1", "UNIT={unit}"),
    ("_UID=0", "OBJECT_SYSTEMD_UNIT={unit}"),
    ("_UID=0", "COREDUMP_UNIT={unit}"),
    ("_UID={uid}", "_SYSTEMD_USER_UNIT={unit}"),
    ("_UID={uid}", "USER_UNIT={unit}"),
)
"""As `journalctl --unit` and `--user-unit` ask; the same that `Sender.units` holds."""


def matches(patterns: Iterable[str], uid: int) -> list[str]:
    """Write journalctl's arguments for these units; none, for all entries, if one is a glob."""
    wanted = list(dict.fromkeys(patterns))
    if any(_MAGIC.intersection(pattern) for pattern in wanted):
        return []
    words: list[str] = []
    for unit in wanted:
        for term in _TERMS:
            words += ["+", *(part.format(unit=unit, uid=uid) for part in term)]
    return words[1:]


def listed(patterns: Iterable[str], units: tuple[str, ...]) -> bool:
    """Say whether a pattern names one of these units; `*` also fits an entry of none."""
    return any(
        pattern == _EVERYTHING or any(fnmatchcase(unit, pattern) for unit in units)
        for pattern in patterns
    )


class Wanted(NamedTuple):
    """What a trigger wants of a reading. without: what it has been given of these by another."""

    units: tuple[str, ...]
    without: tuple[str, ...] = ()


class Route(NamedTuple):
    """The triggers that an entry goes to: those that look at entries, and those at records."""

    lines: tuple[str, ...]
    records: tuple[str, ...]


class Router:
    """wanted: by trigger, of the reading whose entries are to be routed."""

    def __init__(
        self, triggers: Mapping[str, LogTriggerConfig], wanted: Mapping[str, Wanted]
    ) -> None:
        self._triggers, self._wanted = triggers, dict(wanted)
        self._routes: dict[tuple[str, ...], Route] = {}

    def route(self, units: tuple[str, ...]) -> Route:
        """Find where an entry about these units goes."""
        found = self._routes.get(units)
        if found is None:
            if len(self._routes) >= _ROUTES_KEPT:
                self._routes.clear()
            found = self._routes[units] = self._found(units)
        return found

    def _found(self, units: tuple[str, ...]) -> Route:
        names = [
            name
            for name, wanted in self._wanted.items()
            if listed(wanted.units, units) and not listed(wanted.without, units)
        ]
        whole = [name for name in names if self._triggers[name].multiline is not None]
        return Route(tuple(name for name in names if name not in whole), tuple(whole))
