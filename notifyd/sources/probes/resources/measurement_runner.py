"""Blocking measurements on threads of their own, so that one that hangs holds nothing up."""

from collections.abc import Iterable, Mapping
from typing import Final

from notifyd.sources.probes.resources.measurement import Measure, MeasureError, Measurement
from notifyd.sources.waiting import run_in_thread
from notifyd.text.durations import format_duration

MOST_SECONDS: Final = 10.0
"""A measurement that takes longer hangs, as one of an unreachable network file system does."""

Result = Measurement | MeasureError


class MeasurementRunner:
    """Takes the measurements of triggers by name, one after the other."""

    def __init__(self, measures: Mapping[str, Measure], *, timeout: float = MOST_SECONDS) -> None:
        self._measures, self._timeout = measures, timeout
        self._hanging: dict[str, _Batch] = {}

    async def measure(self, names: Iterable[str]) -> dict[str, Result]:
        """Measure these; what hangs is left alone until it answers, and is an error meanwhile."""
        for name in [name for name, hanging in self._hanging.items() if hanging.is_done]:
            del self._hanging[name]
        results: dict[str, Result] = {}
        left = list(names)
        while left:
            for name in self._hanging.keys() & left:
                waited = format_duration(self._timeout)
                results[name] = MeasureError(f"no answer within {waited}; waiting for it")
            batch = _Batch(self._measures, [name for name in left if name not in self._hanging])
            try:
                await run_in_thread(batch.run, self._timeout)
            except TimeoutError:
                batch.is_abandoned = True
                self._hanging[batch.current] = batch
            results |= dict(batch.results)
            left = [name for name in left if name not in results]
        return results


class _Batch:
    """The work of one thread. current: the name that it is measuring."""

    def __init__(self, measures: Mapping[str, Measure], names: list[str]) -> None:
        self._measures, self._names = measures, names
        self.results: dict[str, Result] = {}
        self.current = ""
        self.is_abandoned = self.is_done = False

    def run(self) -> None:
        for name in self._names:
            self.current = name
            try:
                result: Result = self._measures[name]()
            except MeasureError as error:
                result = error
            if self.is_abandoned:
                break
            self.results[name] = result
        self.is_done = True
