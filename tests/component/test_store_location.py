"""State that is taken away while the daemon runs: it is put back, and nothing of it is lost."""

import fcntl
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from notifyd.model.errors import InUseError, StoreUnavailableError
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


async def test_a_deleted_folder_is_written_again(folder):
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("before"), log="1"))
        shutil.rmtree(folder)
        assert store.lost()
        await store.commit(commit(entry("after")))
        assert not store.lost()
        assert await titles(store) == ["notifyd's database was deleted"]
        with pytest.raises(InUseError, match=f"pid {os.getpid()}"):
            OutboxStore(folder)
    async with OutboxStore(folder) as store:
        saved = await store.saved()
    assert {row.id for row in saved.rows} == {"before", "after"}
    assert saved.positions == {"log": "1"}


async def test_a_database_put_in_the_place_of_ours_is_set_aside(folder, tmp_path):
    (tmp_path / "other").mkdir()
    other = await filled(tmp_path / "other")
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("ours")))
        shutil.copyfile(other / "notifyd.db", folder / "copy")
        (folder / "copy").rename(folder / "notifyd.db")
        await store.commit(commit(entry("more")))
        assert await titles(store) == ["notifyd's database was replaced"]
    assert waiting_ids(folder) == {"ours", "more"}
    (aside,) = folder.glob("notifyd.db.damaged-*[0-9]")
    assert aside.read_bytes() == (other / "notifyd.db").read_bytes()


async def test_where_it_cannot_be_put_back_that_is_said_until_it_can(folder):
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("before")))
        shutil.rmtree(folder)
        folder.write_text("in the way")
        with pytest.raises(StoreUnavailableError, match=f"cannot use the state directory {folder}"):
            await store.commit(commit(entry("after")))
        assert (await store.notification("before"))["status"] == "queued"
        folder.unlink()
        await store.commit(commit(entry("after")))
    assert waiting_ids(folder) == {"before", "after"}


async def test_a_deleted_lock_is_taken_again(folder):
    async with OutboxStore(folder) as store:
        (folder / "lock").unlink()
        await store.commit(commit())
        with pytest.raises(InUseError):
            OutboxStore(folder)
        assert await titles(store) == []


async def test_another_daemon_that_took_the_folder_meanwhile_keeps_it(folder):
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


async def test_a_writer_elsewhere_holds_commits_up_and_nothing_else(folder):
    async with OutboxStore(folder) as store:
        await store.commit(commit(entry("before")))
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StoreUnavailableError, match="another program has locked it"):
                await store.commit(commit(entry("after")))
            assert await store.notification("before")
            other.execute("ROLLBACK")
        await store.commit(commit(entry("after")))
    with closing(sqlite3.connect(folder / "notifyd.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with OutboxStore(folder) as store:  # it starts all the same, and waits
            assert len((await store.saved()).rows) == 2
            with pytest.raises(StoreUnavailableError, match="another program has locked it"):
                await store.commit(commit())
