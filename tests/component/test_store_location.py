"""State that is deleted or replaced while the daemon runs is restored without loss."""

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from notifyd.model.errors import InUseError, StoreUnavailableError
from notifyd.outbox import database
from notifyd.outbox.commit import Commit
from notifyd.outbox.store import OutboxStore
from support.stores import entry, filled, waiting_ids


def commit(*entries, **positions):
    return Commit({}, positions, entries, "{}", 10.0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


async def titles(store):
    return [incident.title for incident in store.take_incidents()]


async def test_a_deleted_directory_is_restored(folder):
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("before"), log="1"))
        shutil.rmtree(folder)
        assert store.is_file_gone()
        await store.commit(commit(entry("after")))
        assert not store.is_file_gone()
        assert await titles(store) == ["notifyd's database was deleted"]
        with pytest.raises(InUseError, match=f"pid {os.getpid()}"):
            OutboxStore(folder)
    async with OutboxStore(folder) as store:
        stored = await store.load()
    assert {row.id for row in stored.notifications} == {"before", "after"}
    assert stored.checkpoints == {"log": "1"}


async def test_a_foreign_database_is_quarantined(folder, tmp_path):
    (tmp_path / "other").mkdir()
    other = await filled(tmp_path / "other")
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("ours")))
        shutil.copyfile(other / "notifyd.db", folder / "copy")
        (folder / "copy").rename(folder / "notifyd.db")
        await store.commit(commit(entry("more")))
        assert await titles(store) == ["notifyd's database was replaced"]
    assert waiting_ids(folder) == {"ours", "more"}
    (quarantined,) = folder.glob("notifyd.db.damaged-*[0-9]")
    assert quarantined.read_bytes() == (other / "notifyd.db").read_bytes()


async def test_commits_fail_until_the_database_can_be_restored(folder):
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("before")))
        shutil.rmtree(folder)
        folder.write_text("in the way")
        with pytest.raises(StoreUnavailableError, match=f"cannot use the state directory {folder}"):
            await store.commit(commit(entry("after")))
        assert (await store.describe("before"))["status"] == "queued"
        folder.unlink()
        await store.commit(commit(entry("after")))
    assert waiting_ids(folder) == {"before", "after"}


async def test_a_deleted_lock_file_is_locked_again(folder):
    async with OutboxStore(folder) as store:
        (folder / "lock").unlink()
        await store.commit(commit())
        with pytest.raises(InUseError):
            OutboxStore(folder)
        assert await titles(store) == []


async def test_another_daemon_that_locked_the_directory_meanwhile_keeps_it(folder):
    async with OutboxStore(folder) as store:
        shutil.rmtree(folder)
        folder.mkdir()
        with (folder / "lock").open("w+") as lock:
            lock.write("4242\n")
            lock.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(StoreUnavailableError, match=r"already runs .*pid 4242"):
                await store.commit(commit(entry("ours")))
        await store.commit(commit(entry("ours")))
    assert waiting_ids(folder) == {"ours"}


async def test_another_writer_blocks_commits_and_nothing_else(folder, monkeypatch):
    monkeypatch.setattr(database, "LOCK_WAIT", 0.1)
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("before")))
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreUnavailableError, match="another program has locked it"):
                await store.commit(commit(entry("after")))
            assert await store.describe("before")
            other.execute("ROLLBACK")
        await store.commit(commit(entry("after")))
    with closing(sqlite3.connect(folder / "notifyd.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with OutboxStore(folder) as store:  # starting does not need the write lock
            assert len((await store.load()).notifications) == 2
            with pytest.raises(StoreUnavailableError, match="another program has locked it"):
                await store.commit(commit())
