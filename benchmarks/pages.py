"""Open inbox pages while notifications keep coming: from the send to each page, with a kill.

    make bench-pages              prints p50 and p99 of both, and what was lost (nothing must be)

The relay is killed once in the middle and started again; its pages reconnect with the last event
that they saw. Times around the kill are not counted, everything else is.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

import aiohttp

from notifyd.relay import credentials, tokens
from notifyd.relay.store.sqlite import SqliteStore
from support.ports import free_port

_AROUND_THE_KILL = 3.0


class Pages:
    """What the open pages have seen. Numbers are the notifications' own, from their titles."""

    def __init__(self, count: int, url: str) -> None:
        self.url = url
        self.seen: list[set[int]] = [set() for _ in range(count)]
        self.repeated = 0
        self.delays: list[float] = []
        self.sent: dict[int, float] = {}
        self.is_counting = True
        self.changed = asyncio.Event()

    async def complete(self, total: int) -> None:
        """Wait until every page has seen all, for a minute at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while any(len(seen) < total for seen in self.seen):
                    self.changed.clear()
                    await self.changed.wait()

    async def follow(self, session: aiohttp.ClientSession, page: int) -> None:
        """Read the stream of one page, for ever."""
        last = "0.0"
        while True:
            try:
                headers = {"Last-Event-ID": last}
                async with session.get(self.url, headers=headers) as response:
                    async for line in response.content:
                        if line.startswith(b"id: "):
                            last = line[4:].decode().strip()
                        elif line.startswith(b'data: {"seq"') and b'"title"' in line:
                            self._count(page, json.loads(line[6:]))
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)

    def _count(self, page: int, notification: dict) -> None:
        number = int(notification["title"])
        if number in self.seen[page]:
            self.repeated += 1
        self.seen[page].add(number)
        self.changed.set()
        if self.is_counting and number in self.sent:
            self.delays.append(time.perf_counter() - self.sent[number])


async def measure(folder: Path, rate: int, seconds: float, count: int) -> None:
    database, port = folder / "relay.db", free_port()
    store = await SqliteStore.open(database)
    key = await store.run(credentials.ensure_inbox_key)
    _, token = await store.run(tokens.mint, "w", "bench", {}, time.time())
    await store.close()
    base = f"http://127.0.0.1:{port}"
    relay = await start(database, port, base)
    pages = Pages(count, f"{base}/inbox/events?key={key}")
    acknowledged: set[int] = set()
    answers: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    endless = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=endless) as session,
        asyncio.TaskGroup() as group,
    ):
        following = [group.create_task(pages.follow(session, n)) for n in range(count)]

        async def send(number: int) -> None:
            """Send until it is acknowledged, always with the same key."""
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(number)}
            pages.sent[number] = began = time.perf_counter()
            while number not in acknowledged:
                try:
                    async with session.post(
                        f"{base}/notifications/send",
                        data=json.dumps({"title": str(number)}),
                        headers=headers,
                    ) as response:
                        if response.status == 200:
                            acknowledged.add(number)
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
            if pages.is_counting:
                answers.append(time.perf_counter() - began)

        sending, total = [], int(rate * seconds)
        began, killed = time.perf_counter(), 0.0
        for number in range(total):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            if number == total // 2:
                pages.is_counting = False
                relay.send_signal(signal.SIGKILL)
                await relay.wait()
                relay, killed = await start(database, port, base), time.perf_counter()
            elif killed and time.perf_counter() > killed + _AROUND_THE_KILL:
                pages.is_counting = True
            sending.append(group.create_task(send(number)))
        await asyncio.gather(*sending)
        await pages.complete(total)
        for task in following:
            task.cancel()
    relay.terminate()
    await relay.wait()
    report(total, count, answers, pages)


async def start(database: Path, port: int, base: str) -> Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "notifyd", "relay", "--database", str(database)),
        *("--listen", f"127.0.0.1:{port}", "--rate", "100000"),
        stdout=DEVNULL,
        env=os.environ | {"OBLIEN_CLIENT_ID": "bench", "OBLIEN_CLIENT_SECRET": "bench"},
    )
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{base}/favicon.ico"):
                    return process
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


def report(total: int, count: int, answers: list[float], pages: Pages) -> None:
    lost = sum(total - len(seen) for seen in pages.seen)
    print(f"{total} notifications, {count} pages, one kill: {lost} lost, {pages.repeated} twice")
    for what, times in (("send to answer", answers), ("send to a page", pages.delays)):
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(f"{what:16} p50 {p50 * 1000:7.1f} ms   p99 {p99 * 1000:7.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=int, default=200, help="notifications a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pages", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), args.rate, args.seconds, args.pages))


if __name__ == "__main__":
    main()
