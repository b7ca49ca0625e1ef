"""A million lines written to a followed log at once, while a client asks on the socket.

    make bench-burst              prints the socket's p50 and p99, and by how much memory grew

The peer in the same run is the same daemon asked while nothing is written.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import corpus

from support.daemon import PLENTY, Daemon, wait_for
from support.platform import Platform, in_thread

CONFIG = (
    PLENTY
    + """
[triggers.burst]
type = "log"
paths = ["{folder}/app.log"]
patterns = {patterns}

[socket]
rate = {{ max = 100000, per = "1s" }}
"""
)
PATTERNS = 10
_AT_ONCE = 20
LINE = 110
"""Bytes of a line of the corpus, about."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=100, help="one line in so many matches")
    args = parser.parse_args()
    samples = corpus.samples(PATTERNS)
    print(f"{'':20}p50 ms   p99 ms  requests   RSS MB")
    with tempfile.TemporaryDirectory() as name, in_thread(Platform()) as platform:
        folder = Path(name)
        ready, log = folder / "ready", folder / "app.log"
        planted = corpus.write(ready, args.lines * LINE, samples, args.every)
        log.touch()
        patterns = json.dumps([sample.pattern for sample in samples])  # JSON's strings are TOML's
        with Daemon(folder, platform, CONFIG.format(folder=folder, patterns=patterns)) as daemon:
            warm = corpus.write(folder / "warm", 20_000 * LINE, samples, args.every)
            append(folder / "warm", log)
            wait_for(lambda: matches(daemon) >= warm, within=60, what="the first lines")
            wait_for(daemon.quiet, within=60, what="calm")
            rss = told("idle", asked(daemon, lambda: False, least=500), daemon)
            began = time.monotonic()
            append(ready, log)
            wrote = time.monotonic() - began
            times = asked(daemon, lambda: matches(daemon) < warm + planted)
            seconds = time.monotonic() - began
            after = told("burst", times, daemon)
    print(
        f"{planted} matches in {args.lines / 1e6:.1f} M lines, written in {wrote:.1f} s, all "
        f"counted after {seconds:.1f} s; memory grew by {after - rss:.1f} MB"
    )


def append(source: Path, log: Path) -> None:
    with source.open("rb") as lines, log.open("ab", buffering=0) as file:
        while block := lines.read(256 << 10):
            file.write(block)


def asked(daemon: Daemon, going_on: Callable[[], bool], least: int = 100) -> list[float]:
    """Send messages until it is over; returns how long each took to be on disk, in seconds."""
    times: list[float] = []
    while len(times) < least or going_on():
        for _ in range(_AT_ONCE):
            began = time.monotonic()
            daemon.send(title="x", key="the same")
            times.append(time.monotonic() - began)
    return times


def matches(daemon: Daemon) -> int:
    return int(daemon.ask("GET", "/v1/status")["triggers"]["burst"]["matches"])


def told(what: str, times: list[float], daemon: Daemon) -> float:
    """Print a row; returns how much memory the daemon holds, in MB."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    rss = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(f"{what:18}{p50 * 1000:8.2f} {p99 * 1000:8.2f} {len(times):9} {rss:8.1f}")
    return rss


if __name__ == "__main__":
    main()
