"""What a durable request costs: the daemon's socket beside an aiohttp handler that stores nothing.

    make bench-requests           prints requests per second of CPU and of time, and their ratios

Each request is answered once it is on disk. The peer in the same run parses the same JSON on the
same kind of socket and answers at once.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen

import aiohttp
from idle import cpu_of

from support.daemon import Daemon, wait_for
from support.platform import Platform, in_thread

CONFIG = """
[budget]
max = 100000
total = 100000

[delivery]
digest = false

[socket]
rate = { max = 100000, per = "1s" }
"""
PEER = """
import sys
from aiohttp import web

async def accept(request):
    message = await request.json()
    answer = {"success": True, "id": message["title"], "status": "queued"}
    return web.json_response(answer, status=202)

app = web.Application()
app.router.add_post("/notifications/send", accept)
web.run_app(app, path=sys.argv[1], print=None)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=600, help="in each round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    asked = parser.parse_args()
    print(
        f"{'connections':14}{'daemon/CPU s':>14}{'peer/CPU s':>12}{'ratio':>7}{'/s':>8}{'ratio':>7}"
    )
    with tempfile.TemporaryDirectory() as name, in_thread(Platform()) as platform:
        folder = Path(name)
        path = folder / "peer.sock"
        peer = Popen([sys.executable, "-c", PEER, str(path)])
        try:
            with Daemon(folder, platform, CONFIG) as daemon:
                wait_for(path.exists, what="the peer")
                measured = {"daemon": (daemon.process.pid, daemon.socket), "peer": (peer.pid, path)}
                for pid, socket in measured.values():  # whatever is made once
                    measure(pid, socket, 100, 1)
                for connections in asked.connections:
                    ours, bare = (
                        [sum(rounds) for rounds in zip(*costs, strict=True)]
                        for costs in in_turns(measured, asked.rounds, asked.requests, connections)
                    )
                    total = asked.rounds * asked.requests
                    print(
                        f"{connections:<14}{total / ours[0]:14.0f}{total / bare[0]:12.0f}"
                        f"{bare[0] / ours[0]:7.2f}{total / ours[1]:8.0f}{bare[1] / ours[1]:7.2f}"
                    )
        finally:
            peer.kill()
            peer.wait()


def in_turns(
    measured: Mapping[str, tuple[int, Path]], rounds: int, requests: int, connections: int
) -> list[list[tuple[float, float]]]:
    """Measure each in every round, so that all share the moods of the machine."""
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, (pid, path) in measured.items():
            costs[name].append(measure(pid, path, requests, connections))
    return list(costs.values())


def measure(pid: int, path: Path, requests: int, connections: int) -> tuple[float, float]:
    """Send requests; return the seconds of the process's CPU, and of time."""
    cpu, began = cpu_of(pid), time.monotonic()
    asyncio.run(send(path, requests, connections))
    return cpu_of(pid) - cpu, time.monotonic() - began


async def send(path: Path, requests: int, connections: int) -> None:
    left = iter(range(requests))

    async def one(session: aiohttp.ClientSession) -> None:
        for number in left:
            body = {"title": f"build {number}", "body": "all green", "data": {"run": str(number)}}
            async with session.post("http://x/notifications/send", json=body) as answer:
                assert answer.status == 202, await answer.text()

    connector = aiohttp.UnixConnector(str(path), limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(one(session) for _ in range(connections)))


if __name__ == "__main__":
    main()
