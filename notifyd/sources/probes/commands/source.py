"""The command source: runs the command of each trigger again and again, and reports results."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from notifyd.config.shaping import ResolvedShaping
from notifyd.config.triggers import CommandTriggerConfig
from notifyd.model.events import AlertState, Event, SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.probes.commands.changed_output import (
    KnownOutput,
    decode_output,
    describe_change,
    terms_of,
)
from notifyd.sources.probes.commands.check import Check, CheckResult
from notifyd.sources.probes.commands.environment import base_environment
from notifyd.sources.probes.commands.runner import CommandRequest, CommandRunner
from notifyd.sources.probes.condition_filter import ConditionFilter
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues

_FIRST_STARTS: Final = 10.0
"""Seconds over which the first starts are spread."""
_MOST_AT_ONCE: Final = 16
"""Commands that run at the same time; further ones wait."""


@dataclass(frozen=True, slots=True)
class CommandSourceOptions:
    """triggers, shapings: by name."""

    triggers: Mapping[str, CommandTriggerConfig]
    shapings: Mapping[str, ResolvedShaping]
    wall: Callable[[], float]


class Probe:
    """One trigger, and what is known of it between two runs.

    known: the last output of a check for changes. problem: what keeps the command from saying
    anything; empty if nothing does.
    """

    def __init__(self, name: str, config: CommandTriggerConfig, shaping: ResolvedShaping) -> None:
        self.name, self.config = name, config
        self.key = f"command:{name}"
        self.terms = terms_of(config.run)
        self.check = Check(config)
        self.filter = ConditionFilter(shaping.begin_after, shaping.end_after)
        self.known: KnownOutput | None = None
        self._was_ok = False
        self._failing_since: float | None = None
        """Wall-clock seconds; None also where the failure began before the first result."""
        self._failure = ""
        """The outcome of a failure that has not ended: an unknown result changes nothing."""
        self.problem = ""
        self.request = CommandRequest(
            name,
            config.run,
            base_environment(os.environ) | config.env,
            str(config.cwd),
            config.timeout,
            is_joined=config.check == "exit",
        )

    def events(self, result: CheckResult, wall: float) -> list[Event]:
        """Return the events that the fold needs of a result."""
        condition = self._condition(result, wall)
        events = [condition] if self.filter.admits(condition) else []
        if self.config.check != "changed" or not result.is_ok:
            return events
        before, self.known = self.known, KnownOutput.of(result.value)
        if before is not None and before.digest != self.known.digest:
            line = describe_change(before.text, self.known.text)
            facts = {"event": "check", "check": "changed", "value": self.known.text}
            facts |= {"before": before.text}
            events.append(Event(self.name, wall, line, facts=facts))
        return events

    def _condition(self, result: CheckResult, wall: float) -> Event:
        if result.outcome != "unknown":
            self._failure = "" if result.is_ok else result.outcome
        outcome = self._failure or result.outcome
        facts = {"event": "check", "check": self.config.check, "outcome": outcome}
        facts |= {"reason": result.reason, "after": result.details, "value": result.value}
        if result.status is not None and result.status >= 0:
            facts["exit_code"] = str(result.status)
        if result.is_ok and self._failing_since is not None:
            facts["duration"] = str(round(max(0.0, wall - self._failing_since)))
            self._failing_since = None
        elif not result.is_ok and self._was_ok:
            self._failing_since = wall
        self._was_ok = result.is_ok
        if self.config.check == "changed":
            facts["value"] = ""
        state = AlertState.RESOLVED if result.is_ok else AlertState.FIRING
        return Event(self.name, wall, result.line, facts=facts, alert_state=state)


class CommandSource:
    """checkpoints: `command:<trigger>` stores the last output of a check for changes."""

    name = "command"

    def __init__(self, options: CommandSourceOptions, checkpoints: Mapping[str, str]) -> None:
        self._wall = options.wall
        self._probes = [
            Probe(name, config, options.shapings[name]) for name, config in options.triggers.items()
        ]
        self._refused = RefusedValues(self.name)
        self._obsolete_keys = set(checkpoints)
        for probe in self._probes:
            if probe.config.check == "changed" and probe.key in checkpoints:
                self._obsolete_keys.remove(probe.key)
                self._restore(probe, checkpoints[probe.key])
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)

    def _restore(self, probe: Probe, stored: str) -> None:
        try:
            probe.known = decode_output(stored, probe.terms)
        except CheckpointValueError as error:
            what = f"last output of trigger {probe.name}"
            consequence = "a change since then is not reported"
            self._refused.add(probe.key, what, error, consequence)

    def health(self) -> SourceHealth:
        problems = [
            Problem("start", f"{probe.name}: {probe.problem}", subject=probe.name)
            for probe in self._probes
            if probe.problem
        ]
        return SourceHealth(self.name, len(self._probes), (*problems, *self._refused.problems))

    async def run(self, emit: Emit) -> None:
        """Run the commands until cancelled; what still runs then is killed."""
        await emit(SourceBatch((), dict.fromkeys(self._obsolete_keys)))
        self._refused.log()
        async with CommandRunner() as runner:
            try:
                async with asyncio.TaskGroup() as group:
                    for number, probe in enumerate(self._probes):
                        spread = min(probe.config.every, _FIRST_STARTS)
                        delay = spread * number / len(self._probes)
                        group.create_task(self._repeat(probe, runner, emit, delay))
            except ExceptionGroup as failed:  # Python 3.11.2 wraps what an `except*` raises
                raise failed.exceptions[0] from None

    async def _repeat(self, probe: Probe, runner: CommandRunner, emit: Emit, delay: float) -> None:
        """Run one command at its times. A time that passes while it still runs is left out."""
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            async with self._slots:
                result = await runner.run(probe.request)
            await self._report(probe, probe.check.evaluate(result), result.error, emit)
            passed = max(0.0, loop.time() - due) // probe.config.every
            due += (passed + 1) * probe.config.every

    async def _report(self, probe: Probe, result: CheckResult, problem: str, emit: Emit) -> None:
        """Emit what a result changes; nothing if it changes nothing."""
        known, had_problem = probe.known, probe.problem
        events = probe.events(result, self._wall())
        probe.problem = problem
        stored: dict[str, str | None] = {}
        if probe.known is not None and probe.known != known:
            stored[probe.key] = probe.known.encode(probe.terms)
        if events or stored or problem != had_problem:
            await emit(SourceBatch(tuple(events), stored))
