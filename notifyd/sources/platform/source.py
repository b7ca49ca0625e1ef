"""The platform source: asks for what triggers watch, and reports what changed."""

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from notifyd.config.sections import RateConfig
from notifyd.config.triggers import OblienTriggerConfig
from notifyd.model.events import AlertState, Event, SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.platform.fetching import FailureKind, FetchFailedError, OpenFetcher
from notifyd.sources.platform.poll_schedule import PollSchedule, RateWindow
from notifyd.sources.platform.watched_value import KnownValue, ValueWatch, decode_known
from notifyd.sources.stored_values import (
    CheckpointValueError,
    RefusedValues,
    as_seconds,
    decode_json,
)
from notifyd.text.durations import format_duration

UNREACHABLE_AFTER = 60.0
"""Seconds without any answer after which the platform counts as not reachable."""
_RATE_KEY = "oblien:"
_GAP = 30.0
"""Seconds by which a pause may last longer than asked before it counts as a gap in time."""
_TITLES = {
    FailureKind.UNREACHABLE: "platform not reachable",
    FailureKind.REFUSED: "platform credentials refused",
}


@dataclass(frozen=True, slots=True)
class PlatformSourceOptions:
    """triggers: by name. counts: how often in a row each reports a state, for `for` and `clear`.

    rate: what the plan allows. open_fetcher: None without credentials.
    own_trigger: the trigger that reports an unreachable platform and refused credentials.
    """

    triggers: Mapping[str, OblienTriggerConfig]
    counts: Mapping[str, int]
    rate: RateConfig
    open_fetcher: Callable[[], OpenFetcher] | None
    own_trigger: str
    wall: Callable[[], float]


class PlatformSource:
    """Polls one path after the other, all within one rate that restarts do not reset.

    checkpoints: `oblien:` stores the times of the last requests, `oblien:<trigger>` the last value.
    """

    name = "oblien"

    def __init__(self, options: PlatformSourceOptions, checkpoints: Mapping[str, str]) -> None:
        self._options = options
        self._watches = [
            ValueWatch(name, config, options.counts[name])
            for name, config in options.triggers.items()
        ]
        self._refused = RefusedValues(self.name)
        self._known: dict[str, KnownValue] = {}
        times = self._restore_times(checkpoints)
        self._window = RateWindow(options.rate.max, options.rate.per, times)
        for watch in self._watches:
            self._restore(watch, checkpoints.get(_key(watch.name)))
        keys = {_RATE_KEY, *(_key(watch.name) for watch in self._watches)}
        self._obsolete_keys = checkpoints.keys() - keys
        self._failures: dict[str, FetchFailedError] = {}
        """The last failure by path; a path that answered has none."""
        self._not_numbers: set[str] = set()
        self._failing_since: float | None = None
        self._reported: dict[FailureKind, bool] = {}
        self._schedule: PollSchedule | None = None

    def _restore_times(self, checkpoints: Mapping[str, str]) -> tuple[float, ...]:
        if _RATE_KEY not in checkpoints:
            return ()
        try:
            return _decode_times(checkpoints[_RATE_KEY])
        except CheckpointValueError as error:
            self._refused.add(_RATE_KEY, "times of requests", error, "the rate starts anew")
            now = self._options.wall()
            return (now,) * self._options.rate.max  # the unknown requests may just have been made

    def _restore(self, watch: ValueWatch, stored: str | None) -> None:
        if stored is None:
            return
        try:
            known = decode_known(stored, watch.terms)
        except CheckpointValueError as error:
            consequence = "a change since then is not reported"
            what = f"last value of trigger {watch.name}"
            self._refused.add(_key(watch.name), what, error, consequence)
            return
        if known is not None:
            self._known[watch.name] = known

    def health(self) -> SourceHealth:
        return SourceHealth(self.name, len(self._watches), tuple(self._problems()))

    def _problems(self) -> list[Problem]:
        if self._options.open_fetcher is None:
            message = (
                "oblien triggers need API credentials: set OBLIEN_CLIENT_ID and "
                "OBLIEN_CLIENT_SECRET in the daemon's environment and restart it"
            )
            return [Problem("credentials", message)]
        problems = [
            Problem("request", f"GET {path} failed: {error}", subject=path)
            for path, error in self._failures.items()
        ]
        problems += [
            Problem(
                "value",
                f"{name}: the value is not a number and cannot be compared; check `value`",
                subject=name,
            )
            for name in sorted(self._not_numbers)
        ]
        if self._schedule is not None and self._schedule.stretch > 1:
            rate = self._options.rate
            asked = min(watch.every for watch in self._options.triggers.values())
            actual = format_duration(round(asked * self._schedule.stretch, 1))
            problems.append(
                Problem(
                    "rate",
                    f"polled less often than asked, for example every {actual} instead of "
                    f"{format_duration(asked)}: [platform] rate allows {rate.max} requests in "
                    f"{format_duration(rate.per)}; raise `every`, or the rate if the plan has more",
                    subject="rate",
                )
            )
        return [*problems, *self._refused.problems]

    async def run(self, emit: Emit) -> None:
        """Poll until cancelled."""
        await emit(SourceBatch((), dict.fromkeys(self._obsolete_keys)))
        self._refused.log()
        if self._options.open_fetcher is None:
            await asyncio.Event().wait()
            return
        async with self._options.open_fetcher() as fetcher:
            intervals: dict[str, float] = {}
            for watch in self._watches:
                every = self._options.triggers[watch.name].every
                intervals[watch.path] = min(every, intervals.get(watch.path, every))
            schedule = PollSchedule(
                intervals,
                self._window,
                now=self._options.wall(),
                random=_random(),
            )
            self._schedule = schedule
            while True:
                now = self._options.wall()
                path, due = schedule.next(now)
                await asyncio.sleep(max(0.0, due - now))
                now = self._options.wall()
                if now > due + _GAP:
                    schedule.restart(now)
                    self._failing_since = None
                if now < schedule.next(now)[1]:
                    continue  # the clock was set back, or another path is due first
                self._window.take(now)
                await emit(SourceBatch((), {_RATE_KEY: self._encoded_times()}))
                try:
                    answer = await fetcher.fetch(path)
                except FetchFailedError as error:
                    await self._fail(path, error, emit)
                else:
                    await self._succeed(path, answer, emit)

    async def _succeed(self, path: str, answer: object, emit: Emit) -> None:
        now = self._options.wall()
        self._window.answered(now)
        self._scheduled.succeeded(path, now, _random())
        self._failures.pop(path, None)
        self._failing_since = None
        events, stored = self._recovered(now), {_RATE_KEY: self._encoded_times()}
        for watch in self._watches:
            if watch.path != path:
                continue
            before = self._known.get(watch.name)
            known, event = watch.evaluate(answer, before, now)
            missing = watch.is_number_missing(answer)
            (self._not_numbers.add if missing else self._not_numbers.discard)(watch.name)
            if event is not None:
                events.append(event)
            if known != before:
                stored[_key(watch.name)] = known.encode(watch.terms)
                self._known[watch.name] = known
        await emit(SourceBatch(tuple(events), stored))

    async def _fail(self, path: str, error: FetchFailedError, emit: Emit) -> None:
        now = self._options.wall()
        self._window.answered(now)
        self._scheduled.failed(
            path,
            now,
            random=_random(),
            retry_after=error.retry_after,
        )
        self._failures[path] = error
        if error.kind is not FailureKind.UNREACHABLE:
            self._failing_since = None
        elif self._failing_since is None:
            self._failing_since = now
        events = []
        if error.kind is FailureKind.REFUSED:
            events += self._report(FailureKind.REFUSED, now, str(error), is_firing=True)
        elif self._failing_since is not None and now >= self._failing_since + UNREACHABLE_AFTER:
            events += self._report(FailureKind.UNREACHABLE, now, str(error), is_firing=True)
        await emit(SourceBatch(tuple(events), {_RATE_KEY: self._encoded_times()}))

    def _recovered(self, now: float) -> list[Event]:
        """Say after an answer that neither failure lasts; after a start nothing is known."""
        return [
            event
            for kind in _TITLES
            for event in self._report(kind, now, "the platform answers again", is_firing=False)
        ]

    def _report(
        self, kind: FailureKind, now: float, message: str, *, is_firing: bool
    ) -> list[Event]:
        if self._reported.get(kind) is is_firing:
            return []
        self._reported[kind] = is_firing
        state = AlertState.FIRING if is_firing else AlertState.RESOLVED
        facts = {"event": "platform", "name": _TITLES[kind]}
        return [Event(self._options.own_trigger, now, message, facts=facts, alert_state=state)]

    @property
    def _scheduled(self) -> PollSchedule:
        if self._schedule is None:
            raise RuntimeError("the source is not running")
        return self._schedule

    def _encoded_times(self) -> str:
        return json.dumps([round(time, 3) for time in self._window.times])


def _decode_times(text: str) -> tuple[float, ...]:
    value = decode_json(text)
    if not isinstance(value, list):
        raise CheckpointValueError("it must be an array of times")
    return tuple(as_seconds(item) for item in value)


def _random() -> float:
    return random.random()  # noqa: S311 - spreads load only


def _key(trigger: str) -> str:
    return f"oblien:{trigger}"
