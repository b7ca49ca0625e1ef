"""Rotated files beside a log: what was renamed or copied, by inode and by the way it is named."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from notifyd.sources.log.permission import COMPRESSED, ClosedGateError, examined
from notifyd.sources.log.position import Key, Position

_NUMBER = re.compile(r"\d[\d._:T+-]*|old|prev|bak")


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
            if position.check or name == base or base in originals(name):
                found = _sibling(folder, name)
                if found and found.key == keys[inode] and found.status.st_size != position.offset:
                    yield found


def rotations(paths: Collection[str]) -> dict[str, list[Sibling]]:
    """List by log the rotated files beside it, the latest written first; only where there are."""
    found: dict[str, list[Sibling]] = {}
    for folder in {os.path.dirname(path) for path in paths}:  # noqa: PTH120
        for name, _ in _listed(folder):
            for base in originals(name):
                path = os.path.join(folder, base)  # noqa: PTH118
                if path in paths and (sibling := _sibling(folder, name)):
                    found.setdefault(path, []).append(sibling)
    for siblings in found.values():
        siblings.sort(key=lambda sibling: sibling.status.st_mtime_ns, reverse=True)
    return found


def originals(name: str) -> set[str]:
    """List what a log may be called that rotating tools would rename so.

    app.log.1, app.log-20240131 and app-20240131.log all come of app.log.
    """
    if name.endswith(COMPRESSED):
        return set()
    stem, dot, ending = name.rpartition(".")
    return {*_unnumbered(name), *(base + dot + ending for base in _unnumbered(stem))}


def _unnumbered(name: str) -> Iterator[str]:
    for place, sign in enumerate(name):
        if place and sign in "._-" and _NUMBER.fullmatch(name, place + 1):
            yield name[:place]


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
