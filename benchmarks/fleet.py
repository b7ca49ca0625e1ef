"""A fleet of 10,000 workspaces: an hour in virtual time on SQLite, then reports over HTTP.

Some fall asleep, wake, update or vanish all the time. After twenty minutes a host with 2,120 of
them is lost for ten minutes, and later the relay itself is off for ten. Prints what a look and a
report cost, and everything that was said. WORKSPACES sets their number.
"""

import asyncio
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp

from notifyd.http.open_connections import ConnectionLimits
from notifyd.relay import fleet, notifications
from notifyd.relay.fleet_state import Announcement, FleetReport
from notifyd.relay.server import LIMITS, open_relay
from notifyd.relay.store.base import Transaction
from notifyd.relay.store.sqlite import SqliteStore

NUMBER = int(os.environ.get("WORKSPACES", "10000"))
SECONDS = 3600
T0 = 1_800_000_000.0
LOOK = 15
LOST = range(NUMBER * 212 // 1000)
LOST_FROM, LOST_UNTIL = 1200, 1800
OUTAGE = range(2400, 3000)


class Workspace:
    """Reports once a minute, unless it sleeps; asleep_until: of the simulation's clock."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number, self.name, self.chance = number, f"w{number:05d}", chance
        self.next_at = chance.uniform(0, 60)
        self.is_ephemeral = number % 50 == 0

    def is_lost(self, now: float) -> bool:
        return self.number in LOST and LOST_FROM <= now < LOST_UNTIL

    def report(self) -> FleetReport:
        """Return the next report, and set when the one after it is due."""
        dice, wait, announcement = self.chance.random(), 60.0, Announcement.NONE
        if dice < 0.004:
            announcement, wait = Announcement.SLEEPING, self.chance.uniform(300, 1500)
        elif dice < 0.008:
            announcement, wait = Announcement.STOPPING, self.chance.uniform(60, 900)
        elif dice < 0.012:
            announcement, wait = Announcement.UPDATING, self.chance.uniform(60, 600)
        elif dice < 0.02 and self.is_ephemeral:
            wait = 1e9  # it vanishes
        self.next_at += wait * self.chance.uniform(0.9, 1.1)
        return FleetReport("1.0", self.name, announcement=announcement)


async def simulate(folder: Path) -> None:
    store = await SqliteStore.open(folder / "virtual.db")
    chance = random.Random(7)
    workspaces = [Workspace(number, chance) for number in range(NUMBER)]
    query = "INSERT INTO tokens (workspace_id, metadata, token_prefix, token_hash, created_at)"

    async def mint(transaction: Transaction) -> None:
        rows = [(each.name, "{}", "onp_", each.name.encode(), T0) for each in workspaces]
        await transaction.execute_many(f"{query} VALUES ($1, $2, $3, $4, $5)", rows)

    async def record(transaction: Transaction, now: float) -> int:
        count = 0
        for each in workspaces:
            if each.next_at <= now:
                report = each.report()
                if now not in OUTAGE and not each.is_lost(now):
                    count += 1
                    await fleet.record(
                        transaction, each.name, report, T0 + now, is_ephemeral=each.is_ephemeral
                    )
        return count

    await store.run(mint)
    looks, reports, spent = [], 0, 0.0
    for now in range(0, SECONDS, LOOK):
        started = time.perf_counter()
        reports += await store.run(record, now)
        spent += time.perf_counter() - started
        if now not in OUTAGE:
            started = time.perf_counter()
            await store.run(fleet.look, T0 + now)
            looks.append(time.perf_counter() - started)
    started = time.perf_counter()
    states = await store.read(fleet.count_states, T0 + SECONDS)
    listing = time.perf_counter() - started
    print(f"{NUMBER:,} workspaces, {reports:,} reports in one virtual hour")
    print(f"report, batched: {spent / reports * 1e6:.0f} µs")
    print(f"look: median {statistics.median(looks) * 1e3:.1f} ms, most {max(looks) * 1e3:.0f} ms")
    print(f"deriving all states: {listing * 1e3:.0f} ms: {states}")
    for note in await store.read(notifications.after, 0, 100):
        print(f"  at {note.received_at - T0:5.0f} s  {note.title}")
    await store.close()


async def serve(folder: Path) -> None:
    """Measure reports over HTTP, each its own transaction on the disk."""
    wide = ConnectionLimits(header_size=LIMITS.header_size, connections=400, per_client=400)
    async with (
        open_relay(folder / "real.db", limits=wide) as relay,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session,
    ):
        tokens = [await relay.mint_token(f"w{number}", "t") for number in range(500)]
        times = []

        async def report(token: str) -> None:
            started = time.perf_counter()
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{relay.url}/fleet/report"
            async with session.post(url, json={"version": "1.0"}, headers=headers) as response:
                assert response.status == 200, await response.text()
            times.append(time.perf_counter() - started)

        started = time.perf_counter()
        await asyncio.gather(*map(report, tokens))
        spent = time.perf_counter() - started
        p99 = statistics.quantiles(times, n=100)[98]
        print(f"HTTP, 64 at once: {len(tokens) / spent:.0f} reports/s, p99 {p99 * 1e3:.0f} ms")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        await simulate(Path(folder))
        await serve(Path(folder))


asyncio.run(main())
