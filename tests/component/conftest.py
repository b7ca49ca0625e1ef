import subprocess
import time
from uuid import uuid4

import pytest

from notifyd.sources.processes import procfs
from support.listeners import BRISK, LISTENERS
from support.logs import open_tailers
from support.socket_api import daemon


@pytest.fixture(autouse=True)
def _closed_tailers():
    yield
    while open_tailers:
        open_tailers.pop().close()


@pytest.fixture
async def served(tmp_path):
    """The local API over a double of the daemon, at the shipped limits."""
    async with daemon(tmp_path / "s") as running:
        yield running


@pytest.fixture(params=LISTENERS)
async def listener(request, tmp_path):
    """The local API and the relay, each at its shipped limits."""
    async with LISTENERS[request.param](tmp_path) as running:
        yield running


@pytest.fixture(params=LISTENERS)
async def brisk(request, tmp_path):
    """The same with short limits, for clients that let them pass."""
    async with LISTENERS[request.param](tmp_path, **BRISK) as running:
        yield running


@pytest.fixture
def tag():
    """Return a word for command lines that selects only this test's processes."""
    return f"tag-{uuid4().hex}"


@pytest.fixture
def spawn(request):
    started = []

    def spawn(script, tag, command=("sh", "-c"), **keys):
        child = subprocess.Popen([*command, script, tag], stdin=subprocess.PIPE, **keys)
        started.append(child)
        while procfs.may_exec(child.pid):  # Popen returns shortly before /proc shows the command
            time.sleep(0.001)
        return child

    yield spawn
    for child in started:
        child.kill()
        child.stdin.close()
        if child.stdout:
            child.stdout.close()
        child.wait()
