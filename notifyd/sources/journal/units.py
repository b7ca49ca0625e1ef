"""Unit patterns of triggers: as matches of `journalctl`, and against the units of an entry."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

_MAGIC: Final = frozenset("*?[")
_EVERYTHING: Final = "*"
_TERMS: Final = (
    ("_SYSTEMD_UNIT={unit}",),
    ("_PID=1", "UNIT={unit}"),
    ("_UID=0", "OBJECT_SYSTEMD_UNIT={unit}"),
    ("_UID=0", "COREDUMP_UNIT={unit}"),
    ("_UID={uid}", "_SYSTEMD_USER_UNIT={unit}"),
    ("_UID={uid}", "USER_UNIT={unit}"),
)
"""As `journalctl --unit` and `--user-unit` ask; `Sender.units` holds the same units."""


def journalctl_matches(patterns: Iterable[str], uid: int) -> list[str]:
    """Return journalctl's arguments for these units; none, for all entries, if one is a glob."""
    units = list(dict.fromkeys(patterns))
    if any(_MAGIC.intersection(unit) for unit in units):
        return []
    words: list[str] = []
    for unit in units:
        for term in _TERMS:
            words += ["+", *(part.format(unit=unit, uid=uid) for part in term)]
    return words[1:]


def matches_any(patterns: Iterable[str], units: tuple[str, ...]) -> bool:
    """Return whether a pattern matches one of these units; `*` also matches an entry of none."""
    return any(
        pattern == _EVERYTHING or any(fnmatchcase(unit, pattern) for unit in units)
        for pattern in patterns
    )


class UnitFilter(NamedTuple):
    """The entries that one reader gives a trigger: of `patterns`, but not of `served`.

    served: patterns of the trigger whose entries another reader has given it.
    """

    patterns: tuple[str, ...]
    served: tuple[str, ...] = ()

    def accepts(self, units: tuple[str, ...]) -> bool:
        return matches_any(self.patterns, units) and not matches_any(self.served, units)
