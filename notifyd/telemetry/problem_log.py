"""The problems of sources in the daemon's log: one line when one appears, one when it is resolved.

Of many similar problems the first are logged one by one, the others as a number. A problem that
comes and goes is logged again only after a while, and then only if it still exists.
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import NamedTuple

import structlog

from notifyd.model.health import LISTED_PER_KIND, SourceHealth
from notifyd.text.limits import strip_control_from_title

REPEAT_INTERVAL = 600.0
"""Seconds for which a problem that was logged is not logged again, even if it was resolved."""

_MISSING = "missing"
"""The kind under which missing paths are logged."""

_MAGIC = frozenset("*?[")

_GroupKey = tuple[str, str]
"""The name of a source, and a kind of problem."""

log = structlog.get_logger()


class _Lines(NamedTuple):
    """What is logged when a problem appears, and when it is resolved."""

    raised: str
    resolved: str


class ProblemReporter:
    """Lives as long as the process, so that a restarted source or a reload repeats nothing."""

    def __init__(self) -> None:
        self._groups: dict[_GroupKey, _ProblemGroup] = {}
        self._reconfigured: set[_GroupKey] = set()
        """Groups of missing paths that the last reload may have removed."""

    def pipeline_started(self) -> None:
        """Note that sources may have other paths: a missing one that is gone need not exist now."""
        self._reconfigured = {key for key in self._groups if key[1] == _MISSING}

    def update(self, healths: Iterable[SourceHealth], mono: float) -> float:
        """Log what has changed since the last update. mono: monotonic seconds.

        Returns the time of the next update in case nothing changes; inf if none is necessary.
        """
        healths = list(healths)
        found = _by_kind(healths)
        dead = {health.name for health in healths if health.dead}
        unknown = dead | {health.name for health in healths if not health.ready}
        next_update = inf
        for key in [*found, *(self._groups.keys() - found.keys())]:
            source, kind = key
            if key not in found and source in unknown:
                continue  # the source is not scanning, so none of its problems is resolved
            group = self._groups.setdefault(key, _ProblemGroup(source))
            current = found.get(key, {})
            if key in self._reconfigured and source not in unknown:
                self._reconfigured.remove(key)
                group.forget_absent(current)
            write = log.error if source in dead else log.info if kind == _MISSING else log.warning
            next_update = min(next_update, group.update(current, mono, write))
        return next_update


def _by_kind(healths: Iterable[SourceHealth]) -> dict[_GroupKey, dict[str, _Lines]]:
    """Group what is wrong by source and kind, each problem under its subject."""
    found: dict[_GroupKey, dict[str, _Lines]] = {}
    for health in healths:
        for problem in health.problems:
            if not problem.already_logged:
                message = strip_control_from_title(problem.message)
                group = found.setdefault((health.name, problem.kind), {})
                subject = problem.subject or problem.message
                group[subject] = _Lines(message, f"resolved: {message}")
        for path in health.missing_paths:
            shown = strip_control_from_title(path)
            kind = "log file" if health.name == "log" else "directory"
            found.setdefault((health.name, _MISSING), {})[path] = _missing_lines(kind, shown)
    return found


def _missing_lines(kind: str, path: str) -> _Lines:
    """Return the lines about a missing path. Of a pattern it is unknown which file appeared."""
    if _MAGIC.isdisjoint(path):
        return _Lines(f"waiting for {kind}: {path}", f"{kind} appeared: {path}")
    return _Lines(f"waiting for a {kind} that matches {path}", f"a {kind} now matches {path}")


class _ProblemGroup:
    """The problems of one kind at one source, by subject, as far as they have been logged."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._active: dict[str, _Lines] = {}
        """Problems that were logged and still exist."""
        self._logged_at: dict[str, float] = {}
        """Active problems, and those that were logged less than REPEAT_INTERVAL ago."""
        self._counted, self._count_logged_at = 0, -inf
        self._count_lines = _Lines("", "")
        """The last line about problems that are only counted, and how many it says they are."""

    def forget_absent(self, found: Mapping[str, _Lines]) -> None:
        """Forget active problems that are not in `found`, without a line in the log."""
        self._active = {key: lines for key, lines in self._active.items() if key in found}

    def update(
        self, found: Mapping[str, _Lines], mono: float, write: Callable[..., object]
    ) -> float:
        """Log what has changed. found: the current problems. write: the log at the right level.

        Returns when more may be logged; inf if nothing waits for that.
        """
        for subject in [subject for subject in self._active if subject not in found]:
            self._log_resolved(self._active.pop(subject))
        self._logged_at = {
            subject: at
            for subject, at in self._logged_at.items()
            if subject in self._active or mono < at + REPEAT_INTERVAL
        }
        self._active = {subject: found[subject] for subject in self._active}
        unlogged = [subject for subject in found if subject not in self._active]
        new = [subject for subject in unlogged if subject not in self._logged_at]
        room = max(0, LISTED_PER_KIND - len(self._logged_at))
        listed, counted = new[:room], new[room:]
        if self._counted and not counted:
            self._log_resolved(self._count_lines)
            self._counted = 0
        for subject in listed:
            self._active[subject], self._logged_at[subject] = found[subject], mono
            write(found[subject].raised, source=self._source)
        has_more = len(counted) > self._counted
        if has_more and mono >= self._count_logged_at + REPEAT_INTERVAL:
            self._counted, self._count_logged_at, has_more = len(counted), mono, False
            text = f"{len(counted)} more like this one: {found[counted[0]].raised}"
            self._count_lines = _Lines(text, f"resolved: {text}")
            write(text, source=self._source)
        if len(unlogged) == len(listed):
            return inf
        times = [at for subject, at in self._logged_at.items() if subject not in self._active]
        return min([*times, *([self._count_logged_at] if has_more else [])], default=inf) + (
            REPEAT_INTERVAL
        )

    def _log_resolved(self, lines: _Lines) -> None:
        log.info(lines.resolved, source=self._source)
