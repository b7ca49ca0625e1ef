"""What a build beside the daemon costs it, while 10 triggers wait for processes of their own.

    make bench-execs              prints execs, wake-ups and the share of a core, each per second

A wake-up is a voluntary context switch of any of its threads, as the kernel counts them. The peer
in the same run reads `/proc/PID/stat` and `/proc/PID/cmdline` of every process once a second, as
psutil does; it sees no process that lives for a shorter time.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from subprocess import Popen

from idle import cpu_of, wake_ups

from support.daemon import PLENTY, Daemon
from support.platform import Platform, in_thread

TRIGGER = """
[triggers.job{number}]
type = "process"
cmdline = 'train-{number}\\.py'
"""
TRIGGERS = 10
BUILD = """
import os, sys, time
rate, began, count = float(sys.argv[1]), time.monotonic(), 0
while True:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    count += 1
    time.sleep(max(0.0, began + count / rate - time.monotonic()))
"""
PEER = """
import os, time
while True:
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        for name in ("stat", "cmdline"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    file.read()
            except OSError:
                pass
    time.sleep(1.0)
"""
_SETTLE = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=800.0, help="execs a second to aim for")
    asked = parser.parse_args()
    print(f"{'':28}execs/s  wake-ups/s   % of a core")
    config = "".join(TRIGGER.format(number=number) for number in range(TRIGGERS))
    with (
        tempfile.TemporaryDirectory() as name,
        in_thread(Platform()) as platform,
        Daemon(Path(name), platform, PLENTY + config) as daemon,
    ):
        time.sleep(_SETTLE)
        peer = Popen([sys.executable, "-c", PEER])
        try:
            for rate in (0.0, asked.rate):
                measure(rate, asked.seconds, {"notifyd": daemon.process.pid, "scan": peer.pid})
        finally:
            peer.kill()
            peer.wait()


def measure(rate: float, seconds: float, pids: dict[str, int]) -> None:
    build = Popen([sys.executable, "-c", BUILD, str(rate)]) if rate else None
    try:
        before = {name: (wake_ups(pid), cpu_of(pid)) for name, pid in pids.items()}
        first = execs()
        time.sleep(seconds)
        done = (execs() - first) / seconds
        for name, pid in pids.items():
            woken, cpu = wake_ups(pid) - before[name][0], cpu_of(pid) - before[name][1]
            print(f"{name:28}{done:7.0f}{woken / seconds:12.1f}{100 * cpu / seconds:14.2f}")
    finally:
        if build is not None:
            build.kill()
            build.wait()


def execs() -> int:
    """Count the processes forked since boot."""
    text = Path("/proc/stat").read_text()
    return int(text.partition("\nprocesses ")[2].split()[0])


if __name__ == "__main__":
    main()
