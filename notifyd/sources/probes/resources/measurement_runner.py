"""Blocking measurements on threads of their own, so that one that hangs holds nothing up."""

import _thread
import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from notifyd.sources.probes.resources.measurement import Measure, MeasureError, Measurement
from notifyd.text.durations import format_duration

MOST_SECONDS: Final = 10.0
"""A measurement that takes longer hangs, as one of an unreachable network file system does."""

T = TypeVar("T")
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


async def run_in_thread(work: Callable[[], T], timeout: float) -> T:  # noqa: ASYNC109 - the thread continues
    """Run blocking work on a thread that does not hold up the end of the process.

    TimeoutError if it takes longer; the thread continues. Exceptions of the work are raised.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as failure:  # noqa: BLE001 - raised where it is awaited
            error = failure
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    _thread.start_new_thread(run, ())  # threading.Thread would wait for its start: one more wake-up
    async with asyncio.timeout(timeout):
        return await done
