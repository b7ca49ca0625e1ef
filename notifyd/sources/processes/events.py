"""The events that triggers report of the processes that they watch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from notifyd.model.events import Event
from notifyd.sources.processes.process_match import ProcessMatch
from notifyd.sources.processes.registry import ProcessRegistry
from notifyd.sources.processes.selector import ProcessSelector
from notifyd.sources.processes.tail import read_tail
from notifyd.sources.processes.watched import ExitInfo, WatchedProcess, exit_event, start_event
from notifyd.sources.waiting import run_in_thread

_TAIL_TIMEOUT = 3.0
"""Seconds; a file system that hangs holds up no report."""


class ProcessReporter:
    """selectors: by trigger. registry: knows which triggers are armed. wall: returns epoch seconds.

    has_unknown_status: failures may have been missed, because an exit status was unknown.
    """

    def __init__(
        self,
        selectors: Mapping[str, ProcessSelector],
        registry: ProcessRegistry,
        wall: Callable[[], float],
    ) -> None:
        self._selectors, self._registry, self._wall = selectors, registry, wall
        self.has_unknown_status = False
        self._reading: set[Path] = set()
        """Files with a read under way, which may hang."""

    def start_events(
        self, match: ProcessMatch, watched: WatchedProcess, triggers: Sequence[str]
    ) -> list[Event]:
        """Return the starts to report at once; those of wrappers are held until they exec."""
        reported = [
            name
            for name in triggers
            if name in self._registry.armed and "start" in self._selectors[name].on
        ]
        now_jobs = set(match.triggers) - set(match.wrapper_for)
        due = [name for name in watched.held_starts if name in now_jobs]
        due += [name for name in reported if name in now_jobs and not match.is_leftover]
        held = (*watched.held_starts, *(name for name in reported if name in match.wrapper_for))
        watched.held_starts = tuple(name for name in held if name not in now_jobs)
        return [
            start_event(name, self._selectors[name].name, watched, self._wall()) for name in due
        ]

    def held_starts(self, watched: WatchedProcess) -> list[Event]:
        """Return the starts that were held."""
        return [
            start_event(name, self._selectors[name].name, watched, self._wall())
            for name in watched.held_starts
        ]

    async def exit_events(
        self, triggers: Iterable[str], watched: WatchedProcess, exit_info: ExitInfo
    ) -> list[Event]:
        """Return the exits that these triggers report."""
        events = []
        for name in triggers:
            on = self._selectors[name].on
            if "failure" in on and exit_info.status is None and not exit_info.while_stopped:
                self.has_unknown_status = True
            if "exit" in on or ("failure" in on and exit_info.is_failure):
                events.append(await self._exit_event(name, watched, exit_info))
        return events

    async def _exit_event(
        self, trigger: str, watched: WatchedProcess, exit_info: ExitInfo
    ) -> Event:
        """Return an exit, with the last lines of the job's log if the trigger names one."""
        selector = self._selectors[trigger]
        if selector.tail is not None:
            tail = await self._tail(selector.tail, selector.tail_lines)
            exit_info = exit_info._replace(tail=tail)
        return exit_event(trigger, selector.name, watched, self._wall(), exit_info)

    async def _tail(self, path: Path, lines: int) -> str:
        """Return the last lines of a file; none while a read of it hangs."""
        if path in self._reading:
            return ""

        def read() -> str:
            try:
                return read_tail(path, lines)
            finally:
                self._reading.discard(path)

        self._reading.add(path)
        try:
            return await run_in_thread(read, _TAIL_TIMEOUT)
        except TimeoutError:
            return ""
