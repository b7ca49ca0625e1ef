"""How often an idle daemon wakes up: 10 log triggers over 100 files in which nothing happens, and 5
resource triggers.

    make bench-idle               prints wake-ups a second and the CPU time of a minute

A wake-up is a voluntary context switch of any of its threads, as the kernel counts them. The peer
in the same run is the same daemon with no trigger at all.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

from support.daemon import PLENTY, Daemon, wait_for
from support.platform import Platform, in_thread

TRIGGER = """
[triggers.log{number}]
type = "log"
paths = ["{folder}/logs/*.log"]
patterns = ['pattern {number}']
"""
TRIGGERS, FILES = 10, 100
RESOURCES = """
[triggers.disk]
type = "resource"
resource = "disk"
path = "/"
critical = "100%"

[triggers.inodes]
type = "resource"
resource = "inodes"
path = "/"
critical = "100%"

[triggers.memory]
type = "resource"
resource = "memory"
critical = "100%"

[triggers.load]
type = "resource"
resource = "load"
critical = "100000%"

[triggers.killed]
type = "resource"
resource = "oom"
"""
_SETTLE = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    print(f"{'':28}wake-ups/s   CPU ms/minute")
    cases = ((0, 0, ""), (TRIGGERS, FILES, ""), (0, 5, RESOURCES))
    for triggers, watched, resources in cases:
        with tempfile.TemporaryDirectory() as name, in_thread(Platform()) as platform:
            folder = Path(name)
            (folder / "logs").mkdir()
            for number in range(FILES):
                (folder / "logs" / f"{number}.log").write_text("nothing\n")
            config = "".join(
                TRIGGER.format(number=number, folder=folder) for number in range(triggers)
            )
            with Daemon(folder, platform, PLENTY + config + resources) as daemon:
                wait_for(partial(follows, daemon, watched), what="what is watched")
                time.sleep(_SETTLE)
                woken, cpu = wake_ups(daemon.process.pid), cpu_of(daemon.process.pid)
                time.sleep(seconds)
                woken = wake_ups(daemon.process.pid) - woken
                cpu = cpu_of(daemon.process.pid) - cpu
        what = f"{triggers} log triggers, {FILES * bool(triggers)} files"
        what = "5 resource triggers at 30s" if resources else what
        print(f"{what:28}{woken / seconds:10.2f} {cpu * 1000 * 60 / seconds:15.2f}")


def follows(daemon: Daemon, files: int) -> bool:
    sources = daemon.ask("GET", "/v1/status")["sources"]
    return sum(source["watching"] for source in sources) == files


def wake_ups(pid: int) -> int:
    """Count the voluntary context switches of all threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        total += int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


def cpu_of(pid: int) -> float:
    return time.clock_gettime(~pid << 3 | 2)


if __name__ == "__main__":
    main()
