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
    parser.add_argument("--requests", type=int, default=3000)
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
                for connections in asked.connections:
                    ours = measure(daemon.process.pid, daemon.socket, asked.requests, connections)
                    bare = measure(peer.pid, path, asked.requests, connections)
                    print(
                        f"{connections:<14}{ours[0]:14.0f}{bare[0]:12.0f}{ours[0] / bare[0]:7.2f}"
                        f"{ours[1]:8.0f}{ours[1] / bare[1]:7.2f}"
                    )
        finally:
            peer.kill()
            peer.wait()


def measure(pid: int, path: Path, requests: int, connections: int) -> tuple[float, float]:
    """Return the requests per second of the process's CPU, and per second of time."""
    cpu, began = cpu_of(pid), time.monotonic()
    asyncio.run(send(path, requests, connections))
    return requests / (cpu_of(pid) - cpu), requests / (time.monotonic() - began)


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
