"""The importer of the spool: requests of programs that found no daemon.

A file is removed only once its request is committed. A request that is read again, after a kill
between the two, is refused as known.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, Self

import structlog
from asyncinotify import Inotify, Mask
from pydantic import Field, model_validator

from notifyd.api.agent_reports import AgentReportBody
from notifyd.api.control import Control, SpooledMessage, SpooledRequest
from notifyd.api.pings import LONGEST_RUN, clip_output, parse_signal
from notifyd.api.schemas import LocalRequest, Submission
from notifyd.api.spool_directory import SpoolDirectory, SpoolFile, SpoolScan
from notifyd.http.errors import HttpError, printable
from notifyd.http.schemas import parse_json, validate
from notifyd.model.agents import AgentEvent, AgentReport
from notifyd.model.errors import StoreUnavailableError
from notifyd.model.health import Problem, SourceHealth
from notifyd.model.notifications import Json, Priority
from notifyd.model.pings import Ping

RESCAN = 60.0
"""Seconds between two scans if the kernel reports nothing, for what it did not report."""
_RETRY = 10.0
"""Seconds until files are read again that had no room or could not be removed."""
_POLL = 2.0
"""Seconds between two scans without inotify."""
_BURST = 0.1
"""Seconds from the first file of a burst to the scan that finds them all."""
_COMMITTED_AT_ONCE = 100
_LONGEST_LIFE = 31 * 86_400.0
_LATEST = 1e11
_COMPLETE = Mask.MOVED_TO | Mask.CLOSE_WRITE | Mask.ONLYDIR
_MOST_EVENTS = 1000
_LOG_PAUSE = 60.0
"""Seconds between two lines in the daemon's log about refusals of one kind."""

log = structlog.get_logger()

_Time = Annotated[float, Field(ge=0, le=_LATEST, allow_inf_nan=False)]


class _Entry(LocalRequest):
    """The content of a file. time, expires: wall-clock seconds."""

    format: Literal[1]
    kind: Literal["send", "ping", "agent"]
    time: _Time
    expires: _Time
    request: Json

    @model_validator(mode="after")
    def _check_life(self) -> Self:
        if not 0 <= self.expires - self.time <= _LONGEST_LIFE:
            raise ValueError("expires: must be at most 31 days after `time`")
        return self


class _PingRequest(LocalRequest):
    name: str
    signal: str = "success"
    rid: Annotated[str, Field(max_length=LONGEST_RUN)] = ""
    output: str = ""

    @property
    def ping(self) -> Ping:
        signal = parse_signal(self.signal)
        if signal is None:
            raise ValueError(self.signal)
        output = clip_output(self.output.encode("utf-8", "replace"))
        return Ping(self.name, signal.signal, self.rid, signal.exit_status, output)

    @model_validator(mode="after")
    def _check_signal(self) -> Self:
        if parse_signal(self.signal) is None:
            raise ValueError(f"signal: unknown (got {printable(self.signal)!r})")
        return self


class _AgentRequest(AgentReportBody):
    """The fields of the local API, and the event of its path."""

    event: Annotated[AgentEvent, Field(strict=False)]

    @property
    def spooled_report(self) -> AgentReport:
        return self.report(self.event)


def decode(file: SpoolFile) -> SpooledRequest:
    """Decode a file. HttpError: what is wrong with it, in one sentence."""
    entry = parse_json(_Entry, file.content)
    request: SpooledMessage | Ping | AgentReport
    if entry.kind == "send":
        message = validate(Submission, entry.request)
        priority = message.priority or Priority.DEFAULT
        request = SpooledMessage(message.message, priority, message.key or "", message.delay)
    elif entry.kind == "agent":
        request = validate(_AgentRequest, entry.request).spooled_report
    else:
        request = validate(_PingRequest, entry.request).ping
    return SpooledRequest(file.id, file.peer, entry.time, entry.expires, request)


class SpoolImporter:
    """Imports from these directories as long as it runs."""

    def __init__(self, directories: Sequence[SpoolDirectory], control: Control) -> None:
        self._directories, self._control = directories, control
        self._refusals = _RefusalLog()
        self._problems: tuple[str, ...] = ()
        self._has_foreign: dict[Path, bool] = {}

    async def run(self) -> None:
        """Import what is there, and then whatever appears, until cancelled."""
        for directory in self._directories:
            directory.create()
        with _DirectoryWatch() as watch:
            while True:
                usable = [each for each in self._directories if each.is_usable]
                watch.add(each.path for each in usable)
                pauses = [await self._import_scan(each) for each in usable]
                self._report_problems()
                await watch.wait(min(pauses, default=RESCAN))

    def health(self) -> list[SourceHealth]:
        """Return what is wrong with the directories, as of a source; nothing if all is well."""
        problems = tuple(Problem("spool", problem) for problem in self._problems)
        return [SourceHealth("spool", len(self._directories), problems)] if problems else []

    async def _import_scan(self, directory: SpoolDirectory) -> float:
        """Import what one scan finds; return the seconds until the next one.

        Files that are left wait for the other directories.
        """
        try:
            scan = await asyncio.to_thread(directory.scan)
            self._has_foreign[directory.path] = scan.foreign > 0
            done = await self._import(directory, scan)
            gone = await asyncio.to_thread(directory.remove, done)
            await self._control.forget_spooled(gone)
        except (OSError, StoreUnavailableError) as error:
            log.debug("spool not imported", path=str(directory.path), reason=str(error))
            return _RETRY
        if scan.has_more and gone:
            return 0.0
        return RESCAN if len(gone) == len(scan.files) else _RETRY

    async def _import(self, directory: SpoolDirectory, scan: SpoolScan) -> list[str]:
        """Commit the requests of these files; return the names of those to be removed."""
        done: list[str] = []
        requests: list[SpooledRequest] = []
        refused = Counter(scan.refused)
        for file in scan.files:
            await asyncio.sleep(0)  # the largest malformed file takes 10 ms
            try:
                requests.append(decode(file))
            except HttpError as error:
                refused[file.peer.uid, f"malformed: {error}"] += 1
                done.append(file.id)
        left = iter(requests)
        while batch := list(islice(left, _COMMITTED_AT_ONCE)):
            refusals = await self._control.import_spooled(batch)
            for request, refusal in zip(batch, refusals, strict=True):
                if refusal in ("unknown_heartbeat", "expired", "outdated"):
                    refused[request.peer.uid, _sentence(request, refusal)] += 1
                if refusal != "no_room":
                    done.append(request.id)
        self._refusals.add(directory.path, refused)
        return done

    def _report_problems(self) -> None:
        """Log problems of the directories when they begin."""
        found = [problem for each in self._directories if (problem := each.problem)]
        found += [
            f"the spool {path} has files that notifyd did not write; remove them"
            for path, has_foreign in self._has_foreign.items()
            if has_foreign
        ]
        for problem in sorted(set(found) - set(self._problems)):
            log.warning(problem)
        self._problems = tuple(found)


def _sentence(request: SpooledRequest, refusal: str) -> str:
    if isinstance(request.request, Ping):
        name = printable(request.request.heartbeat)
        if refusal == "unknown_heartbeat":
            return f"a ping of {name!r}, which is no heartbeat"
        return f"a ping of {name!r} that is {refusal}"
    if isinstance(request.request, AgentReport):
        return f"an event of {request.request.agent} that is {refusal}"
    return "too old; its message is counted in a digest"


class _RefusalLog:
    """Logs refused files, those of one user once a minute at most."""

    def __init__(self) -> None:
        self._refused: dict[tuple[Path, int], tuple[str, int]] = {}
        self._next: dict[tuple[Path, int], float] = {}

    def add(self, path: Path, refused: Counter[tuple[int, str]]) -> None:
        now = asyncio.get_running_loop().time()
        self._next = {key: at for key, at in self._next.items() if at > now}
        for (uid, reason), count in refused.items():
            first, counted = self._refused.get((path, uid), (reason, 0))
            self._refused[path, uid] = (first, counted + count)
        for key in [key for key in self._refused if key not in self._next]:
            self._next[key] = now + _LOG_PAUSE
            reason, count = self._refused.pop(key)
            what = "refused files in the spool"
            log.warning(what, path=str(key[0]), uid=key[1], files=count, reason=reason)


class _DirectoryWatch:
    """Waits until a file appears in one of the directories."""

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        with suppress(OSError):
            self._inotify = Inotify(sync_timeout=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def add(self, paths: Iterable[Path]) -> None:
        """Watch these directories too. One that is watched already stays so."""
        if self._inotify is None:
            return
        for path in paths:
            with suppress(OSError):
                self._inotify.add_watch(path, _COMPLETE)

    async def wait(self, seconds: float) -> None:
        """Wait for a file, at most so many seconds."""
        if self._inotify is None:
            await asyncio.sleep(min(seconds, _POLL))
            return
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._inotify.fd, ready.set)
        try:
            async with asyncio.timeout(seconds):
                await ready.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(self._inotify.fd)
        await asyncio.sleep(_BURST)
        for _ in range(_MOST_EVENTS):
            if self._inotify.sync_get() is None:
                return
