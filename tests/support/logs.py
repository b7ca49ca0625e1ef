"""A log source with real files, real matching, and a recorder in the place of the engine."""

import asyncio
import atexit
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path

from notifyd.config.triggers import LogTriggerConfig
from notifyd.engine.sources import pattern_set
from notifyd.matching import RecordMatcher, Scanner
from notifyd.sources.logs.discovery.inotify import FsHints, InotifyWatcher
from notifyd.sources.logs.options import LogSourceOptions
from notifyd.sources.logs.source import LogSource
from notifyd.sources.logs.tailer import Tailer
from support.recorder import Recorder


def trigger(*paths, patterns=".", **keys):
    given = {"type": "log", "paths": [str(path) for path in paths], "patterns": patterns} | keys
    return LogTriggerConfig.model_validate(given)


@cache
def compiled_patterns():
    """Return the directory where the tests of this process keep compiled patterns."""
    directory = tempfile.mkdtemp(prefix="notifyd-patterns-")
    atexit.register(shutil.rmtree, directory)
    return Path(directory)


def scanner_for(triggers):
    return lambda names: Scanner(
        [pattern_set(name, triggers[name]) for name in names], cache=compiled_patterns()
    )


def record_matcher_for(triggers):
    return lambda name: RecordMatcher(pattern_set(name, triggers[name], records=True))


def log_options(triggers, *, wall=time.time, excluded_dirs=(), **keys):
    scanner, matcher = scanner_for(triggers), record_matcher_for(triggers)
    return LogSourceOptions(triggers, scanner, matcher, wall, tuple(excluded_dirs), **keys)


open_tailers = []
"""The tailers of this test, which `conftest.py` closes after it."""


def tailer(triggers, checkpoints, **keys):
    open_tailers.append(Tailer(log_options(triggers, **keys), checkpoints))
    return open_tailers[-1]


class CountingExecutor(ThreadPoolExecutor):
    """Counts the tasks that it is given."""

    tasks = 0

    def submit(self, *args, **kwargs):
        self.tasks += 1
        return super().submit(*args, **kwargs)

    async def until_idle(self, seconds, within=45.0):
        """Wait until it is given no task for so many seconds."""
        async with asyncio.timeout(within):
            before = None
            while before != self.tasks:
                before = self.tasks
                await asyncio.sleep(seconds)


@asynccontextmanager
async def running(triggers, *, checkpoints=None, watch=InotifyWatcher, scan_interval=300.0):
    """Run a source with these triggers; yield a recorder after the first scan."""
    if not isinstance(triggers, dict):
        triggers = {"t": triggers}
    recorder = Recorder(checkpoints)
    with CountingExecutor(1) as executor:
        recorder.executor = executor
        recorder.source = LogSource(
            log_options(triggers),
            recorder.checkpoints,
            executor=executor,
            scan_interval=scan_interval,
            make_watcher=watch,
        )
        task = asyncio.create_task(recorder.source.run(recorder.emit))
        try:
            await until(lambda: recorder.batches or task.done())
            yield recorder
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


async def until(condition, within=45.0):
    """Wait for a condition that no batch announces."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - no event is set for it
            await asyncio.sleep(0.005)


def append(path, *lines):
    with path.open("ab") as file:
        for line in lines:
            file.write(line if isinstance(line, bytes) else f"{line}\n".encode())


reading_from_start = partial(trigger, read_from="beginning")


class VirtualDaemon:
    """A tailer that can be killed; what it has committed survives. Its time is virtual."""

    def __init__(self, triggers, **keys):
        self.triggers, self.keys = triggers, keys
        self.checkpoints = {}
        self.events = []
        self.now = 0.0
        self.wall = 1_000_000.0
        self.batch, self.polls = None, 0
        self.start()

    def start(self):
        self.tailer = tailer(
            self.triggers, dict(self.checkpoints), wall=lambda: self.wall, **self.keys
        )
        self.poll_all()

    def kill(self):
        self.tailer.close()

    def restart(self):
        self.kill()
        self.start()

    def poll_all(self, hints=None, *, commit=True):
        """Poll until nothing is left to read. Without `commit`, the results are lost."""
        self.poll(hints, commit=commit)
        while self.batch.more:
            self.poll(FsHints(), commit=commit)

    def poll(self, hints=None, *, commit=True):
        """Poll once, which may leave something to read."""
        hints = FsHints(all=True) if hints is None else hints
        self.batch = self.tailer.poll(hints, self.now)
        self.polls += 1
        if not commit:
            return
        self.events += self.batch.events
        for key, value in self.batch.checkpoints.items():
            if value is None:
                self.checkpoints.pop(key, None)
            else:
                self.checkpoints[key] = value

    def pass_time(self, seconds):
        self.now += seconds
        self.wall += seconds
        self.poll_all()

    @property
    def problems(self):
        return [problem.message for problem in self.batch.problems]

    def lines(self, name="t"):
        return [event.line for event in self.events if event.trigger == name]
