"""What a durable send to the relay costs on each engine, beside a bare aiohttp handler.

    make bench-relay              prints sends per second, and their ratios to the bare handler's

Each send is answered once it is committed: SQLite with synchronous=FULL, PostgreSQL with fsync on
and synchronous_commit=on, in a server of its own on a Unix socket. The peer in the same run parses
the same JSON and answers at once. All share the machine with the clients; the CPU is that of the
handler or the relay, without PostgreSQL's.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE, Popen

import aiohttp
from idle import cpu_of

from support.postgres import PostgresServer, find_binaries

PEER = """
import sys
from aiohttp import web

async def accept(request):
    message = await request.json()
    answer = {"success": True, "delivered": 0, "failed": 0, "devices": len(message)}
    return web.json_response(answer)

app = web.Application()
app.router.add_post("/notifications/send", accept)
print("API http://127.0.0.1:" + sys.argv[1], flush=True)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
CLIENT = {"OBLIEN_CLIENT_ID": "client", "OBLIEN_CLIENT_SECRET": "secret"}
PEER_PORT = 18_789


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sends", type=int, default=1500, help="in each round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--workspaces", type=int, default=300)
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        measured = started(stack, folder)
        tokens = {
            name: asyncio.run(mint(url, asked.workspaces)) for name, (_, url) in measured.items()
        }
        print(f"{'clients':9}{'':10}{'sends/s':>9}{'ratio':>7}{'sends/CPU s':>13}{'ratio':>7}")
        for clients in asked.clients:
            costs = dict.fromkeys(measured, (0.0, 0.0))
            for round_number in range(asked.rounds + 1):
                for name, (pid, url) in measured.items():
                    spent = measure(pid, url, tokens[name], asked.sends, clients)
                    if round_number:  # the first one is for whatever is made once
                        costs[name] = tuple(map(sum, zip(costs[name], spent, strict=True)))
            total, bare = asked.sends * asked.rounds, costs["bare"]
            for name, (cpu, elapsed) in costs.items():
                print(
                    f"{clients:<9}{name:10}{total / elapsed:9.0f}{bare[1] / elapsed:7.2f}"
                    f"{total / cpu:13.0f}{bare[0] / cpu:7.2f}"
                )


def started(stack: ExitStack, folder: Path) -> dict[str, tuple[int, str]]:
    """Start the peer and a relay on each engine; return process and URL of each."""
    commands = {
        "bare": ([sys.executable, "-c", PEER, str(PEER_PORT)], {}),
        "sqlite": (relay_command(), {"NOTIFYD_RELAY_DATABASE": str(folder / "relay.db")}),
    }
    if binaries := find_binaries():
        server = PostgresServer(binaries, folder / "pg")
        server.start()
        stack.callback(server.stop)
        commands["postgres"] = (relay_command(), {"NOTIFYD_RELAY_DATABASE": server.url()})
    measured = {}
    for name, (command, environment) in commands.items():
        process = Popen(command, stdout=PIPE, env={**os.environ, **CLIENT, **environment})
        stack.callback(process.wait)
        stack.callback(process.kill)
        measured[name] = (
            process.pid,
            re.search(r"http://\S+", process.stdout.readline().decode())[0],
        )
    return measured


def relay_command() -> list[str]:
    words = ["relay", "--listen", "127.0.0.1:0", "--rate", "100000"]
    return [sys.executable, "-m", "notifyd", *words]


async def mint(url: str, workspaces: int) -> list[str]:
    """Create a token for each workspace; the bare handler takes any."""
    headers = {"X-Client-ID": "client", "X-Client-Secret": "secret"}
    tokens = []
    async with aiohttp.ClientSession(headers=headers) as session:
        for number in range(workspaces):
            body = {"workspace_id": f"w{number}"}
            async with session.post(f"{url}/notifications/tokens", json=body) as answer:
                is_relay = answer.status == 200
                tokens.append((await answer.json())["token"]["token"] if is_relay else "any")
    return tokens


def measure(pid: int, url: str, tokens: list[str], sends: int, clients: int) -> tuple[float, float]:
    """Send; return the seconds of the process's CPU, and of time."""
    cpu, began = cpu_of(pid), time.monotonic()
    asyncio.run(send_all(url, tokens, sends, clients))
    return cpu_of(pid) - cpu, time.monotonic() - began


async def send_all(url: str, tokens: list[str], sends: int, clients: int) -> None:
    left = iter(range(sends))

    async def one(session: aiohttp.ClientSession) -> None:
        for number in left:
            headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"}
            body = {"title": f"build {number}", "body": "all green", "data": {"run": str(number)}}
            async with session.post(
                f"{url}/notifications/send", json=body, headers=headers
            ) as answer:
                assert answer.status == 200, await answer.text()

    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(one(session) for _ in range(clients)))


if __name__ == "__main__":
    main()
