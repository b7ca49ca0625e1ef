"""Databases of earlier versions are brought up to date; one of a later version is left alone."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from notifyd.engine.clock import Clock
from notifyd.model.errors import StoreError, StoreUnavailableError
from notifyd.outbox.migration import SCHEMA
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import restore_state
from support.stores import restore_dump

DUMPS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
"""What daemons of earlier versions left, by the number of their schema."""

_KILLED = """
import os, sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None)
writer.executescript("PRAGMA journal_mode = WAL; CREATE TABLE future (a); PRAGMA user_version = 99")
os._exit(0)
"""


def test_there_is_a_dump_of_every_earlier_schema():
    assert [dump.stem for dump in DUMPS] == [str(number) for number in range(1, SCHEMA)]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
async def test_an_earlier_schema_is_taken_over_whole(dump, tmp_path):
    restore_dump(dump, tmp_path)
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as before:
        held = [before.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES]
    async with OutboxStore(tmp_path) as store:
        saved = await store.saved()
        now = Clock(saved.clock, boot="boot").now()
        state = restore_state(saved.pieces, saved.rows, seed="other", now=now)
        assert not state.strays
        assert len(state.groups) == 5
        assert len(saved.rows) == 4
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as after:
        assert after.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert after.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert held == [
            after.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES
        ]


TABLES = ("pieces", "positions", "notifications")


async def test_a_migration_that_is_cut_off_is_made_again_whole(tmp_path):
    restore_dump(DUMPS[0], tmp_path)
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as blocker:
        blocker.execute("CREATE TABLE owners (a)")  # a name that the second step wants
    with pytest.raises(StoreUnavailableError, match="owners"):
        OutboxStore(tmp_path)
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
        indices = "SELECT count(*) FROM sqlite_schema WHERE name = 'ended'"
        assert old.execute(indices).fetchone() == (0,)
        old.execute("DROP TABLE owners")
    async with OutboxStore(tmp_path) as store:
        assert len((await store.saved()).rows) == 4


def test_a_newer_schema_is_left_alone_to_the_byte(tmp_path):
    path = tmp_path / "notifyd.db"
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=True)
    (tmp_path / "notifyd.db-shm").unlink()
    files = [path, tmp_path / "notifyd.db-wal"]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    with pytest.raises(StoreError, match=r"written by a newer notifyd \(schema 99"):
        OutboxStore(tmp_path)
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before
