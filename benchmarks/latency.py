"""From a line written to its request at the API, and from `send` to the same; with the daemon idle.

    make bench-latency            prints p50, p99 and the ratio to a bare request over loopback

The peer in the same run is the least that anybody could do: one HTTP request per event, with no
log, no database, no rules.
"""

import argparse
import asyncio
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from support.daemon import PLENTY, Daemon, wait_for
from support.platform import Platform, in_thread

CONFIG = (
    PLENTY
    + """
[triggers.each]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['ALERT (?P<what>.*)']
debounce = "0s"
cooldown = "0s"

[socket]
rate = {{ max = 100000, per = "1s" }}
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name, in_thread(Platform()) as platform:
        folder = Path(name)
        log = folder / "app.log"
        log.touch()
        with Daemon(folder, platform, CONFIG.format(folder=folder)) as daemon:
            lines = [line_to_request(platform, log) for _ in idle(daemon, runs)]
            sends = [send_to_request(platform, daemon) for _ in idle(daemon, runs)]
        bare = asyncio.run(requests(platform, runs))
    print(f"{'':24}p50 ms   p99 ms   p50 to the peer's")
    floor = statistics.median(bare)
    for what, times in (
        ("bare request", bare),
        ("line to request", lines),
        ("send to request", sends),
    ):
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(f"{what:22}{p50 * 1000:8.2f} {p99 * 1000:8.2f} {p50 / floor:8.1f} x")


def idle(daemon: Daemon, runs: int) -> Iterator[int]:
    """Count runs, each beginning when nothing is left to do of the one before."""
    for number in range(runs):
        wait_for(daemon.quiet, what="calm")
        time.sleep(0.02)  # what the platform answered is on disk by now
        yield number


def line_to_request(platform: Platform, log: Path) -> float:
    count = len(platform.received)
    started = time.monotonic()
    with log.open("ab", buffering=0) as file:
        file.write(b"ALERT something happened\n")
    return platform.waited(count + 1)[-1].time - started


def send_to_request(platform: Platform, daemon: Daemon) -> float:
    count = len(platform.received)
    body = b'{"title":"x"}'
    head = f"POST /notifications/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(daemon.socket))
        started = time.monotonic()
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        client.recv(4096)
    return platform.waited(count + 1)[-1].time - started


async def requests(platform: Platform, runs: int) -> list[float]:
    times = []
    headers = {"Authorization": f"Bearer {platform.token}", "Idempotency-Key": "x"}
    async with aiohttp.ClientSession() as session:
        for _ in range(runs):
            count = len(platform.received)
            started = time.monotonic()
            url = f"{platform.url}/notifications/send"
            async with session.post(url, json={"title": "x"}, headers=headers) as answer:
                await answer.read()
            times.append(platform.received[count].time - started)
    return times


if __name__ == "__main__":
    main()
