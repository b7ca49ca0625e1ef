import os
import sys

from notifyd.sources.processes import procfs
from notifyd.sources.processes.exit_watcher import ExitWatcher
from support.logs import until


async def test_a_zombie_that_is_no_longer_watched_is_not_reported(tag, spawn):
    child = spawn("", tag, [sys.executable, "-c"])
    pidfd = os.pidfd_open(child.pid)
    watcher = ExitWatcher()
    try:
        watcher.add(pidfd, child.pid)
        await until(lambda: procfs.read_stat(child.pid).is_zombie)
        assert watcher.poll(0.0, 10) == []
        assert watcher.deadline is not None
        watcher.remove(pidfd)
        watcher.remove(pidfd)
        assert watcher.deadline is None
        child.wait()
        assert watcher.poll(100.0, 10) == []
    finally:
        watcher.close()
        os.close(pidfd)
