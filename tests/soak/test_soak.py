"""The whole daemon for a long while under everything at once; in the end the books must balance.

SOAK_SECONDS says for how long (1800), SOAK_SEED with which dice.
"""

import os
import random
import sqlite3
import time
from contextlib import closing

import pytest

from soak import books
from soak.disk import Disk
from soak.keeper import Keeper
from soak.weather import Weather
from soak.writers import TRIGGERS, Client, Writer
from support.daemon import Daemon, wait_for
from support.platform import Platform, in_thread
from support.replies import ok

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
MOST, PER = 8, 1.0
CONFIG = f"""
rate_limit = {{{{ max = {MOST}, per = "{PER:g}s" }}}}
budget = {{{{ max = 60, per = "10s" }}}}
socket.rate = {{{{ max = 100000, per = "1s" }}}}
api.timeout = "1s"
api.token_file = "{{folder}}/token"
"""


@pytest.fixture
def api():
    with in_thread(Platform()) as platform:
        yield platform


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path / "state", SEED + 3)
    yield disk
    disk.close()


@pytest.mark.soak
def test_the_books_balance_in_the_end(api, disk, tmp_path, record_property):
    log, token = tmp_path / "app.log", tmp_path / "token"
    log.touch()
    token.write_text(Platform.token)
    config = CONFIG.format(folder=tmp_path) + TRIGGERS.format(log=log)
    daemon = Daemon(tmp_path, api, config)
    keeper = Keeper(daemon, SEED)
    writer, weather = Writer(log, SEED + 1), Weather(api, token, SEED + 2)
    clients = [Client(daemon, f"client{number}", SEED + 10 + number) for number in range(3)]
    threads = [writer, weather, disk, *clients]
    keeper.revive()
    try:
        for thread in threads:
            thread.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(keeper.random.uniform(0.2, 5))
            keeper.act()
        for thread in reversed(threads):
            thread.done.set()
            thread.join()
        api.default = ok()
        keeper.revive()
        daemon.ask("POST", "/v1/retry")
        wait_for(lambda: daemon.quiet(held=True), 300, lambda: daemon.ask("GET", "/v1/status"))
        figures(api, disk, keeper, writer, weather, clients, record_property)
        reckon(api, disk, daemon, keeper, writer, weather, clients)
    finally:
        for thread in threads:
            thread.done.set()
        daemon.__exit__()


def figures(api, disk, keeper, writer, weather, clients, record_property):  # noqa: PLR0917
    asked = sum(client.asked for client in clients)
    acknowledged = sum(len(client.acknowledged) for client in clients)
    record_property(
        "figures",
        f"soak, seed {SEED}: {SECONDS:.0f} s; {writer.lines} lines, {writer.written.total()} of "
        f"them matches, {writer.rotations} rotations; {asked} requests, {acknowledged} "
        f"acknowledged; {len(api.delivered)} notifications in {len(api.received)} calls of the API;"
        f" daemon: {dict(keeper.did)}; API: {dict(weather.had)}; "
        + (f"disk full {len(disk.full)} times" if disk.mounted else "no small disk: not root"),
    )


def reckon(api, disk, daemon, keeper, writer, weather, clients):  # noqa: PLR0917
    received = list(api.received)
    delivered = books.messages(received)
    counts = books.told(delivered)
    requests = counts.pop("socket", 0)
    acknowledged = [name for client in clients for name in client.acknowledged]
    with closing(sqlite3.connect(disk.folder / "notifyd.db")) as database:
        counting = "SELECT count(*) FROM notifications WHERE status = 'replaced'"
        (replaced,) = database.execute(counting).fetchone()
    asked = sum(client.asked for client in clients)
    nudges = [*keeper.starts, *keeper.reloads, *(new for _, new, _ in weather.revoked)]
    assert dict(counts) == dict(writer.written)
    assert len(acknowledged) <= requests + replaced <= asked
    assert books.missing(acknowledged, delivered, daemon.ask) == []
    assert books.doubled(delivered, {"each", "common", "socket"}) == []
    assert books.crowded(received, MOST, PER) == []
    assert books.hurried(received, keeper.kills, disk.full) == []
    assert books.stubborn(received, weather.revoked, nudges) == []
    assert "Traceback" not in daemon.log.read_text()
