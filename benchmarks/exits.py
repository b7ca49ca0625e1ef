"""Thousands of processes that end at once: how many exit statuses are right, and what it costs.

    make bench-exits              prints what was found of 10,000 exits, and the CPU time for them

The peer in the same run is what is usually written with psutil: a loop that lists the processes
once a second and compares them with the last list. It learns of an end, but of no status. Without
psutil, only the daemon's source is measured.
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from support.processes import running, watched
from support.recorder import Recorder

TAG = f"exits-{os.getpid()}"
STATUSES = 200
_PATIENCE = 600.0
PARENT = """
import os, sys
count, statuses, tag = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
waiting, ends = os.pipe()
actions = [(os.POSIX_SPAWN_DUP2, waiting, 0), (os.POSIX_SPAWN_CLOSE, ends)]
for number in range(count):
    script = f"read x; exit {number % statuses}"
    os.posix_spawn("/bin/sh", ["sh", "-c", script, tag], {}, file_actions=actions)
print("started", flush=True)
sys.stdin.readline()
os.close(ends)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=10_000)
    count = parser.parse_args().processes
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(f"{'':10}ends found   right status   CPU s to find them   CPU s for their ends")
    asyncio.run(notifyd(count))
    if find_spec("psutil"):
        psutil_loop(count)


async def notifyd(count: int) -> None:
    recorder = Recorder()
    with waiting(count) as end:
        began = time.process_time()
        async with running(recorder, connector=False, job={"cmdline": f"^sh .*{TAG}"}):
            await recorder.until(lambda: len(watched(recorder)) >= count, _PATIENCE)
            found = time.process_time()
            end()
            await recorder.until(lambda: len(recorder.events) >= count, _PATIENCE)
            ended = time.process_time()
    statuses = Counter(event.facts.get("exit_code") for event in recorder.events)
    wanted = Counter(str(number % STATUSES) for number in range(count))
    right = sum((statuses & wanted).values())
    report("notifyd", (len(recorder.events), right), (found - began, ended - found))


def psutil_loop(count: int) -> None:
    import psutil  # noqa: PLC0415 - it need not be installed

    with waiting(count) as end:
        began = time.process_time()
        found: set[int] = set()
        while len(found) < count:
            each = psutil.process_iter(["cmdline"])
            found = {one.pid for one in each if TAG in (one.info["cmdline"] or [])}
        seen = time.process_time()
        end()
        gone = 0
        while gone < count:
            time.sleep(1.0)
            gone = len(found - set(psutil.pids()))
        ended = time.process_time()
    report("psutil", (gone, 0), (seen - began, ended - seen))


@contextmanager
def waiting(count: int) -> Iterator[Callable[[], object]]:
    """Start processes that wait; yield what ends them all at once."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(count), str(STATUSES), TAG],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert parent.stdout.readline() == b"started\n"
        yield lambda: parent.communicate(b"\n")
    finally:
        if parent.poll() is None:
            parent.communicate(b"\n")


def report(name: str, counts: tuple[int, int], seconds: tuple[float, float]) -> None:
    print(f"{name:10}{counts[0]:10}{counts[1]:15}{seconds[0]:21.2f}{seconds[1]:23.2f}")


if __name__ == "__main__":
    main()
