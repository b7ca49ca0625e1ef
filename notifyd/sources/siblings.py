"""Rotated files beside a log: what was renamed or copied, by inode and by the way it is named."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from notifyd.sources.gate import COMPRESSED, ClosedGateError, examined
from notifyd.sources.position import Key, Position

_NUMBERED = r"[._-](?:\d[\d._:T+-]*|old|prev|bak)"


class Sibling(NamedTuple):
    path: str
    key: Key
    status: os.stat_result


def renamed(lost: Mapping[Key, Position]) -> Iterator[Sibling]:
    """Find files whose names are gone and that have grown; the caller checks their content.

    One of which nothing was read yet can only be told by a name that is like its own.
    """
    by_folder: dict[str, dict[int, Key]] = {}
    for key, position in lost.items():
        if not key.lane:
            by_folder.setdefault(os.path.dirname(position.path), {})[key.inode] = key  # noqa: PTH120
    for folder, keys in by_folder.items():
        for name, inode in _listed(folder):
            if inode not in keys:
                continue
            position = lost[keys[inode]]
            base = os.path.basename(position.path)  # noqa: PTH119
            if position.check or name == base or is_rotation(name, base):
                found = _sibling(folder, name)
                if found and found.key == keys[inode] and found.status.st_size != position.offset:
                    yield found


def rotations(path: str, known: Callable[[Sibling], bool]) -> list[Sibling]:
    """List the rotated files of a log that nobody knows yet, the latest written first."""
    folder, base = os.path.split(path)
    named = (_sibling(folder, name) for name, _ in _listed(folder) if is_rotation(name, base))
    found = [sibling for sibling in named if sibling and not known(sibling)]
    return sorted(found, key=lambda sibling: sibling.status.st_mtime_ns, reverse=True)


def is_rotation(name: str, base: str) -> bool:
    """Whether a name is made from a log's name as rotating tools make it: app.log.1, app-3.log."""
    return _form(base).fullmatch(name) is not None and not name.endswith(COMPRESSED)


@lru_cache(maxsize=1024)
def _form(base: str) -> re.Pattern[str]:
    stem, dot, ending = base.rpartition(".")
    forms = [re.escape(base) + _NUMBERED]
    if stem and dot:
        forms.append(rf"{re.escape(stem)}{_NUMBERED}\.{re.escape(ending)}")
    return re.compile("|".join(forms))


def _sibling(folder: str, name: str) -> Sibling | None:
    path = os.path.join(folder, name)  # noqa: PTH118 - strings throughout
    with suppress(ClosedGateError):
        if not name.endswith(COMPRESSED) and (status := examined(path)):
            return Sibling(path, Key(status.st_dev, status.st_ino), status)
    return None


def _listed(folder: str) -> list[tuple[str, int]]:
    try:
        with os.scandir(folder) as entries:
            return [(entry.name, entry.inode()) for entry in entries]
    except OSError:
        return []
