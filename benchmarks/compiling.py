"""How long 500 patterns take to be ready, and how long the event loop waits for it meanwhile.

    make bench-compiling          prints both times, and the loop's worst delay

The first start compiles them, the next one takes them from the disk.
"""

import asyncio
import itertools
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus

from notifyd.matching import PatternSet, Scanner, approximate

COUNT = 500
_PROGRAMS = (
    r"sshd\[\d+\]: ", r"nginx(\[\d+\])?: ", r"kernel: \[ *\d+\.\d+\] ", r"postgres\[\d+\]: .*",
    r"^\S+ \d+ [\d:]{8} \S+ dockerd\[\d+\]: ", r"haproxy\[\d+\]: .*", r"mysqld\[\d+\]: .*",
    r'"logger": ?"[^"]*", .*"message": ?"', r"\bpython\d?(\.\d+)?\b.*", r"(?i)\bcelery\b.*",
    r"java\[\d+\]: (WARN|ERROR) +\[[^\]]+\] ", r"named\[\d+\]: ", r"systemd\[\d+\]: ",
)  # fmt: skip
_EVENTS = (
    r"(?P<what>connection|session|request) from (?P<ip>\d{1,3}(\.\d{1,3}){3}) (refused|reset)",
    r"(?:out of|no more) (memory|disk space|file descriptors|inodes)",
    r"(?i)(error|critical|fatal)[:\]] (?P<msg>.{1,200})",
    r"took (?P<ms>\d{4,}) ?ms(?! in the background)",
    r"user (?P<user>[a-z_][\w.-]{0,31}) (was )?(denied|locked|expelled)\b",
    r"exit(ed)? (code|status)[ =](?P<code>[1-9]\d*)$",
    r"(certificate|token|licence) .* (expires|expired) (on|in) \S+",
    r"(could not|cannot|failed to) (open|read|write|bind|lock) [\"'/](?P<path>[^\"' ]+)",
    r"HTTP/\d(\.\d)?\" 5\d\d \d+ .*(upstream|timeout)",
    r"replication (lag|delay)[^\d]*(?P<s>\d+(\.\d+)?)",
    r"signal \(?(6|7|8|11|SEGV|ABRT)\)?",
    r"(retry|attempt) \d+ of \d+ .*giving up",
    r"sector \d+|I/O error|remount(ed|ing) .*read-only",
    r"checksum (mismatch|error).{0,40}[0-9a-f]{8,64}",
    r"deadlock|lock wait timeout",
    r"queue .* (full|over \d+%)",
    r"temperature .* (\d{2,3}) ?(°C|C|degrees)",
    r"(?<!un)reachable: (no|lost) .*",
    r"(\w+)=\S+ \1=\S+",
    r"backup .*(incomplete|aborted|older than \d+ (days|hours))",
)

_PLACES = ("api", "db", "cache", "web", "job", "mail", "cron")


def patterns(count: int) -> list[str]:
    """Give varied patterns: those of the corpus, and every program with every event."""
    whole = [program + event for program, event in itertools.product(_PROGRAMS, _EVENTS)]
    whole += [f"{event} [{place}]+" for event, place in itertools.product(_EVENTS, _PLACES)]
    # a flag for the whole pattern stands at its beginning
    legal = ["(?i)" * ("(?i)" in one) + one.replace("(?i)", "") for one in whole]
    random.Random(1).shuffle(legal)
    return ([sample.pattern for sample in corpus.samples(100)] + legal)[:count]


async def delays(work: asyncio.Future[object]) -> float:
    """Tell by how much the loop was late at worst until the work is done: seconds."""
    worst = 0.0
    while not work.done():
        began = time.monotonic()
        await asyncio.sleep(0.001)
        worst = max(worst, time.monotonic() - began - 0.001)
    return worst


async def measured(rules: list[PatternSet], cache: Path) -> tuple[float, float]:
    """Build a scanner beside a running loop; returns seconds of it and the loop's worst delay."""
    with ThreadPoolExecutor(1) as thread:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        worst = await delays(loop.run_in_executor(thread, lambda: Scanner(rules, cache=cache)))
        return time.monotonic() - began, worst


def main() -> None:
    every = patterns(COUNT)
    rules = [PatternSet(f"t{at}", tuple(every[at : at + 10])) for at in range(0, COUNT, 10)]
    as_lines = sum(approximate(pattern).expression is None for pattern in every)
    print(f"{len(set(every))} patterns, {as_lines} of them tried on every line")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what in ("first start", "next start"):
            took, worst = asyncio.run(measured(rules, folder / "cache"))
            print(f"{what:22}{took:8.2f} s   the loop's worst delay {worst * 1000:.1f} ms")


if __name__ == "__main__":
    main()
