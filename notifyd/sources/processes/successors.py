"""Which processes continue a job that has ended: copies that it forked without exec."""

import asyncio
from collections.abc import Container, Sequence
from math import inf

from notifyd.sources.processes.process_match import ProcessMatch
from notifyd.sources.processes.scanner import ProcessScanner
from notifyd.sources.processes.watched import ExitInfo, WatchedProcess

ExitedProcess = tuple[WatchedProcess, ExitInfo]


async def find_successors(
    scanner: ProcessScanner, exited: Sequence[ExitedProcess], watched_pids: Container[int]
) -> list[tuple[WatchedProcess, ProcessMatch]]:
    """Return each launcher among the ended processes with a copy that continues its job.

    Other copies that jobs have left behind are not watched, or not yet. watched_pids: processes
    that are watched already, which continue nothing.
    """
    if not exited:
        return []
    since = min(watched.start for watched, _ in exited)
    loop = asyncio.get_running_loop()
    copies = await loop.run_in_executor(None, scanner.orphaned_copies, since)
    successors = []
    for match in copies:
        origin = _find_origin(match, exited)
        if origin is None or match.pid in watched_pids:
            continue
        watched, exit_info = origin
        if exit_info.is_launcher(scanner.timing.launcher_time):
            successors.append((watched, match))
        else:
            wait = inf if exit_info.while_stopped else scanner.timing.leftover_wait
            scanner.postpone(match, wait)
    return successors


def _find_origin(match: ProcessMatch, exited: Sequence[ExitedProcess]) -> ExitedProcess | None:
    """Return the ended process, the youngest possible, of which a match is a copy."""
    possible = [
        (watched, exit_info)
        for watched, exit_info in exited
        if watched.start <= match.start
        and set(watched.triggers) & set(match.triggers)
        # A daemon that started while notifyd was stopped has a group of its own.
        and (not exit_info.while_stopped or watched.group == match.group)
    ]
    return max(possible, key=lambda each: each[0].start, default=None)
