"""Damaged databases: notifyd always starts, keeps what is readable, and reports it once."""

import asyncio
import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from notifyd.engine.clock import Clock
from notifyd.outbox.commit import Commit
from notifyd.outbox.quarantine import MAX_KEPT, quarantine_path, swap_in
from notifyd.outbox.recovery.recover import recover
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import restore_state
from support.examples import THOROUGH
from support.stores import crash_image, entry, filled, waiting_ids

PAGE = 4096


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """A database as a killed daemon leaves it: some of it in the -wal only."""
    return asyncio.run(filled(tmp_path_factory.mktemp("intact")))


def zero_page(data, rng):
    at = rng.randrange(max(1, len(data) // PAGE)) * PAGE
    data[at : at + PAGE] = bytes(PAGE)


def flip_bytes(data, rng):
    for _ in range(rng.randrange(1, 40)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def tear_page(data, rng):
    at = rng.randrange(max(1, len(data) // PAGE)) * PAGE
    data[at : at + PAGE // 2] = rng.randbytes(PAGE // 2)


def truncate(data, rng):
    del data[rng.randrange(1, len(data)) :]


DAMAGE = (zero_page, flip_bytes, tear_page, truncate)


def damage(path, rng):
    data = bytearray(path.read_bytes())
    rng.choice(DAMAGE)(data, rng)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(50))
async def test_notifyd_starts_after_any_damage(intact, tmp_path, seed):
    rng = random.Random(seed)
    crash_image(intact, tmp_path)
    for _ in range(rng.choice((1, 1, 1, 3))):
        damage(tmp_path / rng.choice(("notifyd.db", "notifyd.db", "notifyd.db-wal")), rng)
    before = waiting_ids(intact)
    async with OutboxStore(tmp_path) as store:
        stored = await store.load()
        clock = Clock(stored.clock, boot="boot")
        state = restore_state(
            stored.state_entries, stored.notifications, seed="seed", now=clock.now()
        )
        assert {row.id for row in stored.notifications} <= before
        assert set(stored.checkpoints) <= {f"log:{number}" for number in range(60)}
        for row in stored.notifications:
            assert (await store.payload(row.id)).id == row.id
        await store.commit(Commit({}, {"log:new": "1"}, (), clock.serialize(clock.now()), 10.0))
        assert state.notifications.keys() == {row.id for row in stored.notifications}
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as repaired:
        assert repaired.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_what_lies_behind_the_damage_is_kept(intact, tmp_path):
    """Only the content of the page is lost, even if it is the root of everything else."""
    before = waiting_ids(intact)
    pages = range((intact / "notifyd.db").stat().st_size // PAGE)
    for page in (*pages[:6], *pages[9 :: 9 if THOROUGH else 27]):
        folder = tmp_path / str(page)
        folder.mkdir()
        crash_image(intact, folder)
        with (folder / "notifyd.db").open("r+b") as file:
            file.seek(page * PAGE)
            file.write(bytes(PAGE))
        async with OutboxStore(folder) as store:
            kept = {row.id for row in (await store.load()).notifications}
        assert len(before - kept) <= 16, page
        shutil.rmtree(folder)


async def test_commits_behind_a_gap_in_the_write_ahead_log_are_kept(tmp_path):
    live, killed = tmp_path / "live", tmp_path / "killed"
    killed.mkdir()
    async with OutboxStore(live) as store:
        for number in range(30):
            await store.commit(Commit({}, {}, (entry(f"{number}", body="b"),), "{}", 1.0))
        crash_image(live, killed)
    with (killed / "notifyd.db-wal").open("r+b") as log:
        log.seek(40_000)  # in one of the first commits
        log.write(b"\xff" * 10)
    async with OutboxStore(killed) as store:
        kept = {row.id for row in (await store.load()).notifications}
    assert kept == {str(number) for number in range(30)}
    assert {path.name.partition("-")[2][15:] for path in killed.glob("*.damaged-*")} >= {"", "-wal"}


async def test_a_torn_last_commit_is_not_damage(tmp_path):
    live, killed = tmp_path / "live", tmp_path / "killed"
    killed.mkdir()
    async with OutboxStore(live) as store:
        for number in range(30):
            await store.commit(Commit({}, {}, (entry(f"{number}"),), "{}", 1.0))
        crash_image(live, killed)
    log = killed / "notifyd.db-wal"
    log.write_bytes(log.read_bytes()[:-1000])
    async with OutboxStore(killed) as store:
        kept = {row.id for row in (await store.load()).notifications}
    assert kept == {str(number) for number in range(29)}
    assert not list(killed.glob("*.damaged-*"))


@pytest.mark.parametrize("step", range(4))
async def test_a_kill_during_the_exchange_is_completed_at_the_next_start(intact, tmp_path, step):
    crash_image(intact, tmp_path)
    damage(tmp_path / "notifyd.db", random.Random(2))
    path = tmp_path / "notifyd.db"
    recover(path, 1_700_000_000.0)
    place = quarantine_path(path, 1_700_000_000.0)
    for tail in ("", "-wal", "-shm")[:step]:
        old = path.with_name(path.name + tail)
        if old.exists():
            old.rename(place.with_name(place.name + tail))
    async with OutboxStore(tmp_path) as store:
        stored = await store.load()
    assert len(stored.notifications) > 100
    assert len([name for name in stored.state_entries if name.startswith("incident:")]) == 1
    assert [found.name for found in sorted(tmp_path.glob("*.damaged-*"))][:2] == [
        place.name,
        place.name + "-wal",
    ]


async def test_two_databases_quarantined_in_one_second_are_both_kept(intact, tmp_path):
    database, wall = tmp_path / "notifyd.db", 1_700_000_000.0
    for content in (b"one", b"two"):
        database.write_bytes(content * 5000)
        recover(database, wall)
        swap_in(database)
    assert quarantine_path(database, wall).read_bytes() == b"one" * 5000
    assert quarantine_path(database, wall + 1).read_bytes() == b"two" * 5000


async def test_only_the_latest_quarantined_databases_are_kept(intact, tmp_path):
    for number in range(MAX_KEPT + 2):
        crash_image(intact, tmp_path)
        recover(tmp_path / "notifyd.db", 1_700_000_000.0 + number)
        swap_in(tmp_path / "notifyd.db")
    kept = sorted(path.name for path in tmp_path.glob("*.damaged-*[0-9]"))
    assert kept == [
        quarantine_path(tmp_path / "notifyd.db", 1_700_000_000.0 + number).name
        for number in range(2, MAX_KEPT + 2)
    ]
    assert len(list(tmp_path.glob("*.damaged-*-wal"))) == MAX_KEPT
