"""The problems of sources, for the daemon's log: once when they arise, once when they are over.

Of many that are alike the first are told one by one, of the others the number. What comes and goes
is told again only after a while; what is the case then is told then.
"""

from collections.abc import Callable, Iterable, Mapping
from math import inf

import structlog

from notifyd.model.health import LISTED_PER_KIND, SourceHealth
from notifyd.text.limits import strip_control_from_title

QUIET = 600.0
"""Seconds for which a problem that was told is not told again, though it came and went."""

_AWAITED = "awaited"

log = structlog.get_logger()


class ProblemReporter:
    """Lives as long as the process: a source or a pipeline that begins anew repeats nothing."""

    def __init__(self) -> None:
        self._alike: dict[tuple[str, str], _ProblemGroup] = {}

    def hear(self, healths: Iterable[SourceHealth], mono: float) -> float:
        """Tell what changed. mono: monotonic seconds.

        Returns the time at which to hear them again though nothing changed; inf if none.
        """
        found: dict[tuple[str, str], dict[str, str]] = {}
        blind, dead = set(), set()
        for health in healths:
            if health.dead:
                dead.add(health.name)
            if health.dead or not health.ready:
                blind.add(health.name)  # it is not looking, so nothing of it is over
            for kind, sentence, about, past in health.problems:
                if not past:
                    of_kind = found.setdefault((health.name, kind), {})
                    of_kind[about or sentence] = strip_control_from_title(sentence)
            for path in health.missing_paths:
                of_kind = found.setdefault((health.name, _AWAITED), {})
                of_kind[path] = strip_control_from_title(
                    f"there is no {path} yet: it is read when it comes"
                )
        again = inf
        for source, kind in [*found, *(self._alike.keys() - found.keys())]:
            if (source, kind) in found or source not in blind:
                alike = self._alike.setdefault((source, kind), _ProblemGroup(source))
                now = found.get((source, kind), {})
                tell = log.error if source in dead else log.warning
                if kind == _AWAITED:
                    tell = log.info
                again = min(again, alike.hear(now, mono, tell))
        return again


class _ProblemGroup:
    """The problems of one kind at one source, as far as they were told.

    Each is known by what it is about, or by its sentence.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._standing: dict[str, str] = {}
        self._told: dict[str, float] = {}
        """When each was told that still stands, or that was told less than QUIET ago."""
        self._more, self._more_said, self._more_at = 0, "", -inf

    def hear(self, found: Mapping[str, str], mono: float, tell: Callable[..., object]) -> float:
        """Compare with what was told, and tell the rest. found: what is the case now.

        Returns when more may be told; inf if nothing waits for its time.
        """
        for about in [about for about in self._standing if about not in found]:
            self._end(self._standing.pop(about))
        self._told = {
            about: at
            for about, at in self._told.items()
            if about in self._standing or mono < at + QUIET
        }
        self._standing = {about: found[about] for about in self._standing}
        untold = [about for about in found if about not in self._standing]
        new = [about for about in untold if about not in self._told]
        room = max(0, LISTED_PER_KIND - len(self._told))
        named, more = new[:room], new[room:]
        if self._more and not more:
            self._end(self._more_said)
            self._more = 0
        for about in named:
            self._standing[about], self._told[about] = found[about], mono
            tell(found[about], source=self._source)
        grown = len(more) > self._more
        if grown and mono >= self._more_at + QUIET:
            self._more, self._more_at, grown = len(more), mono, False
            self._more_said = f"{len(more)} more like this one: {found[more[0]]}"
            tell(self._more_said, source=self._source)
        if len(untold) == len(named):
            return inf
        times = [at for about, at in self._told.items() if about not in self._standing]
        return min([*times, *([self._more_at] if grown else [])], default=inf) + QUIET

    def _end(self, sentence: str) -> None:
        over = f"over: {sentence}"
        log.info(over, source=self._source)
