"""Counts the generations of logs that were lost before they were read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from notifyd.model.health import Problem
from notifyd.sources.logs.checkpoint import LOST
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.reading.registry import CHECKPOINT_TTL, Registry
from notifyd.sources.stored_values import CheckpointValueError, StoredFields

_MOST_COMPRESSED: Final = 10_000
"""Compressed generations that are remembered as counted."""
_MOST_LOGS: Final = 1_000
"""Logs whose counts are stored."""
_ROW: Final = ("path", "deleted", "compressed", "last")


@dataclass(slots=True)
class _Counts:
    """Of one log. last: when the last generation was lost, in wall-clock seconds."""

    deleted: int = 0
    compressed: int = 0
    last: float = 0.0


class LostGenerations:
    """By log, how many generations were deleted or compressed unread.

    The counts are stored, and kept for CHECKPOINT_TTL after the last loss.
    """

    def __init__(self, registry: Registry, scanner: PathScanner) -> None:
        self._registry = registry
        self._counts: dict[str, _Counts] = {}
        self._is_changed = False
        self._counted: set[tuple[str, int]] = set()
        """Path and modification time of compressed generations."""
        if not registry.lost_generations:
            return
        try:
            restored = _decode(registry.lost_generations)
        except CheckpointValueError as error:
            registry.refuse(LOST, "counts of lost log generations", error, "they begin at 0")
            return
        self._counts = {path: each for path, each in restored.items() if scanner.patterns_for(path)}

    def add_deleted(self, log: str, number: int, wall: float) -> None:
        if number:
            self._counts_of(log, wall).deleted += number

    def add_compressed(self, log: str, path: str, mtime_ns: int, wall: float) -> None:
        """Count a compressed generation, once."""
        if (path, mtime_ns) in self._counted:
            return
        if len(self._counted) >= _MOST_COMPRESSED:
            self._counted.clear()
        self._counted.add((path, mtime_ns))
        self._counts_of(log, wall).compressed += 1

    def _counts_of(self, log: str, wall: float) -> _Counts:
        counts = self._counts.setdefault(log, _Counts())
        counts.last = wall
        self._is_changed = True
        return counts

    def store(self, wall: float) -> None:
        """Store the counts if they have changed, all at once: one value holds those of all logs."""
        if not self._is_changed:
            return
        self._is_changed = False
        recent = {
            path: each
            for path, each in sorted(self._counts.items(), key=lambda item: item[1].last)
            if each.last + CHECKPOINT_TTL >= wall
        }
        self._counts = dict(list(recent.items())[-_MOST_LOGS:])
        self._registry.apply({LOST: _encode(self._counts)})

    @property
    def problems(self) -> tuple[Problem, ...]:
        fix = "keep more rotated files, or rotate at a larger size"
        deleted = {path: each.deleted for path, each in self._counts.items()}
        compressed = {path: each.compressed for path, each in self._counts.items()}
        return (
            *_problems("deleted", deleted, fix),
            *_problems(
                "compressed", compressed, "add delaycompress to the log's logrotate configuration"
            ),
        )


def _encode(counts: Mapping[str, _Counts]) -> str:
    rows = [[path, each.deleted, each.compressed, each.last] for path, each in counts.items()]
    return json.dumps({"logs": rows}, separators=(",", ":"))


def _decode(text: str) -> dict[str, _Counts]:
    """Decode what `_encode` returned; CheckpointValueError for anything else."""
    return {
        row.text("path"): _Counts(
            row.integer("deleted"), row.integer("compressed"), row.seconds("last")
        )
        for row in StoredFields.decode(text).rows("logs", _ROW)
    }


def _problems(kind: str, counts: Mapping[str, int], fix: str) -> Iterator[Problem]:
    for log, number in sorted(counts.items()):
        if not number:
            continue
        generations = "1 generation" if number == 1 else f"{number} generations"
        message = f"{log} lost {generations}, {kind} before being read; {fix}"
        yield Problem(kind, message, subject=log)
