"""Damaged databases: notifyd always starts, keeps what is readable, and tells of it once."""

import asyncio
import json
import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from notifyd.clock import Clock
from notifyd.model import Parcel, Priority, Row, Status
from notifyd.outbox.aside import KEPT, aside, install
from notifyd.outbox.commit import Commit
from notifyd.outbox.queries import Entry
from notifyd.outbox.salvage import salvage
from notifyd.outbox.store import Store
from notifyd.shaping.codec import restored
from support.stores import crash_image, filled, waiting_ids

PAGE = 4096


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A database as a killed daemon leaves it: some of it in the -wal only."""
    return asyncio.run(filled(tmp_path_factory.mktemp("sound")))


def zero_page(data, dice):
    at = dice.randrange(max(1, len(data) // PAGE)) * PAGE
    data[at : at + PAGE] = bytes(PAGE)


def flip_bytes(data, dice):
    for _ in range(dice.randrange(1, 40)):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def tear_page(data, dice):
    at = dice.randrange(max(1, len(data) // PAGE)) * PAGE
    data[at : at + PAGE // 2] = dice.randbytes(PAGE // 2)


def truncate(data, dice):
    del data[dice.randrange(1, len(data)) :]


HARM = (zero_page, flip_bytes, tear_page, truncate)


def harmed(path, dice):
    data = bytearray(path.read_bytes())
    dice.choice(HARM)(data, dice)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(50))
async def test_any_damage_is_survived(sound, tmp_path, seed):
    dice = random.Random(seed)
    crash_image(sound, tmp_path)
    for _ in range(dice.choice((1, 1, 1, 3))):
        harmed(tmp_path / dice.choice(("notifyd.db", "notifyd.db", "notifyd.db-wal")), dice)
    before = waiting_ids(sound)
    async with Store(tmp_path) as store:
        saved = await store.saved()
        clock = Clock(saved.clock, boot="boot")
        state = restored(saved.pieces, saved.rows, seed="seed", now=clock.now())
        assert {row.id for row in saved.rows} <= before
        assert set(saved.positions) <= {f"log:{number}" for number in range(60)}
        for row in saved.rows:
            assert (await store.parcel(row.id)).id == row.id
        await store.commit(Commit({}, {"log:new": "1"}, (), clock.saved(clock.now()), 10.0))
        assert state.deadline() >= 0
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as mended:
        assert mended.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
