"""The store on real SQLite files."""

import asyncio
import json
import os
import sqlite3
import stat
from contextlib import closing

import pytest

from notifyd.model.errors import InUseError
from notifyd.model.notifications import Peer, Status
from notifyd.outbox import queries
from notifyd.outbox.commit import Commit
from notifyd.outbox.database import WAL_KEPT
from notifyd.outbox.history import AT_ONCE, forget
from notifyd.outbox.queries import Entry
from notifyd.outbox.store import OutboxStore
from support.stores import entry, parcel, row


def commit(*entries, pieces=None, positions=None, wall=10.0, forget=None):
    return Commit(pieces or {}, positions or {}, entries, "{}", wall, forget)


async def test_what_was_committed_is_there_for_the_next_process(tmp_path):
    peer = Peer(1000, 100, 7)
    whole = row("a", not_before=3.5, attempts=2, failures=1, group='["app"]', key="k", peer=peer)
    async with OutboxStore(tmp_path) as store:
        await store.commit(
            commit(
                Entry(whole, parcel("a")),
                pieces={"group:x": "1", "gone": "2"},
                positions={"log:y": "3", "log:gone": "4"},
            )
        )
        await store.commit(commit(pieces={"gone": None}, positions={"log:gone": None}))
    async with OutboxStore(tmp_path) as store:
        saved = await store.saved()
        assert await store.payload("a") == parcel("a")
    assert saved.rows == [
        row(
            "a",
            not_before=3.5,
            attempts=2,
            failures=1,
            group='["app"]',
            key="k",
            peer=peer,
            title="Title",
        )
    ]
    assert saved.pieces == {"group:x": "1"}
    assert saved.positions == {"log:y": "3"}
    assert saved.clock == "{}"


async def test_a_row_keeps_its_text_until_it_gets_a_new_one(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(Entry(row("a"), parcel("a", "One"))))
        await store.commit(commit(Entry(row("a", Status.ATTEMPTING, attempts=1), None)))
        assert (await store.payload("a")).title == "One"
        assert (await store.notification("a"))["status"] == "attempting"
        await store.commit(commit(Entry(row("a", count=9), parcel("a", "Nine"))))
        shown = await store.notification("a")
    assert (shown["title"], shown["count"]) == ("Nine", 9)


async def test_a_commit_is_all_or_nothing(tmp_path):
    async with OutboxStore(tmp_path) as store:
        unwritable = row("b", report={"devices": {1, 2}})
        with pytest.raises(TypeError):
            await store.commit(
                commit(
                    Entry(row("a"), parcel("a")),
                    Entry(unwritable, parcel("b")),
                    positions={"log:y": "3"},
                )
            )
        await store.commit(commit())
        saved = await store.saved()
    assert saved.rows == []
    assert saved.positions == {}


async def test_listing_is_newest_first_and_by_owner_and_status(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(
            commit(
                Entry(row("a", created=1.0, peer=Peer(1, 1, 1)), parcel("a")),
                Entry(row("b", Status.DELIVERED, created=2.0), parcel("b")),
                Entry(row("c", created=3.0, peer=Peer(2, 2, 2)), parcel("c")),
            )
        )

        async def ids(**wanted):
            query = {"uid": None, "status": None, "limit": 10} | wanted
            return [shown["id"] for shown in await store.notifications(**query)]

        assert await ids() == ["c", "b", "a"]
        assert await ids(limit=1) == ["c"]
        assert await ids(uid=1) == ["a"]
        assert await ids(status=Status.DELIVERED) == ["b"]
        assert await store.notification("nobody") is None


async def test_old_history_goes_and_what_waits_stays(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(
            commit(
                Entry(row("old", Status.DELIVERED), parcel("old")),
                Entry(row("waits"), parcel("waits")),
                wall=10.0,
            )
        )
        await store.commit(commit(Entry(row("new", Status.FAILED), parcel("new")), wall=90.0))
        await store.commit(commit(wall=100.0, forget=50.0))
        left = await store.notifications(uid=None, status=None, limit=10)
    assert {shown["id"] for shown in left} == {"waits", "new"}


async def test_a_second_daemon_is_told_who_holds_the_state(tmp_path):
    async with OutboxStore(tmp_path):
        with pytest.raises(InUseError, match=f"pid {os.getpid()}"):
            OutboxStore(tmp_path)
    async with OutboxStore(tmp_path):
        pass


async def test_the_files_are_private(tmp_path):
    folder = tmp_path / "deep" / "state"
    async with OutboxStore(folder) as store:
        await store.commit(commit())
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_the_table_says_what_it_holds(tmp_path):
    async with OutboxStore(tmp_path) as store:
        report = {"delivered": 1, "failed": 0, "devices": 1}
        done = row("a", Status.DELIVERED, report=report, key="k", merged_into="z")
        await store.commit(commit(Entry(done, parcel("a"))))
        shown = await store.notification("a")
    assert shown["delivered"] == 1
    assert shown["key"] == "k"
    assert shown["merged_into"] == "z"
    assert json.dumps(shown)


async def test_history_goes_a_few_at_a_time_and_commits_go_between(tmp_path):
    old = [entry(f"old-{number:04}", Status.DELIVERED) for number in range(5 * AT_ONCE)]
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(*old, entry("waits"), wall=10.0))
        await store.commit(commit(entry("new", Status.FAILED), wall=90.0))
        await store.commit(commit(wall=100.0, forget=50.0))
        assert len(await listed(store)) == 4 * AT_ONCE + 2
        for number in range(3):
            await store.commit(commit(positions={"log": str(number)}))
        await store._forgetting
        assert set(await listed(store)) == {"waits", "new"}


async def listed(store):
    found = await store.notifications(uid=None, status=None, limit=100_000)
    return [shown["id"] for shown in found]


async def test_history_is_bounded_in_number_and_in_bytes(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(entry("waits", created=0.0), wall=0.0))
        for number in range(900):
            name = f"{number:04}"
            await store.commit(commit(entry(name, Status.DELIVERED, "b" * 2000), wall=number))
    with closing(sqlite3.connect(tmp_path / "notifyd.db", isolation_level=None)) as writer:
        whole = (tmp_path / "notifyd.db").stat().st_size
        while forget(writer, -1.0, kept=600):
            pass
        ids = [name for (name,) in writer.execute("SELECT id FROM notifications ORDER BY id")]
        assert ids == [f"{number:04}" for number in range(300, 900)] + ["waits"]
        while forget(writer, -1.0, size=whole // 3):
            pass
        ids = [name for (name,) in writer.execute("SELECT id FROM notifications ORDER BY id")]
        assert 0 < len(ids) < 400
        assert ids[-2:] == ["0899", "waits"]


@pytest.mark.parametrize("listing", [{"uid": 1}, {"uid": None}])
async def test_listing_and_forgetting_walk_an_index(tmp_path, listing):
    async with OutboxStore(tmp_path) as store:
        query = queries.newest(uid=listing["uid"] is not None, status=True)
        asked = {"uid": 1, "status": "failed", "limit": 10}
        plan = str(store._writer.execute(f"EXPLAIN QUERY PLAN {query}", asked).fetchall()[0][3])
        assert "USING INDEX " + ("owners" if listing["uid"] else "newest") in plan


async def test_the_write_ahead_log_stays_bounded_while_it_is_read(tmp_path):
    log, largest = tmp_path / "notifyd.db-wal", 0
    async with OutboxStore(tmp_path) as store:

        async def write():
            nonlocal largest
            for number in range(150):
                await store.commit(commit(positions={f"log:{number % 20}": "x" * 60_000}))
                largest = max(largest, log.stat().st_size)

        async def read():
            while not writing.done():
                await store.notifications(uid=None, status=None, limit=1000)
                await store.positions()

        writing = asyncio.create_task(write())
        await read()
        await writing
    assert largest < 2 * WAL_KEPT


async def test_rows_that_make_no_sense_are_given_up_and_that_is_told(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(entry("bad"), entry("worse"), entry("good")))
        store._writer.execute("UPDATE notifications SET priority = 'huge' WHERE id = 'bad'")
        store._writer.execute("UPDATE notifications SET data = '{]', count = 'x' WHERE id='worse'")
        store._writer.execute("UPDATE notifications SET data = '[1]' WHERE id = 'good'")
    async with OutboxStore(tmp_path) as store:
        saved = await store.saved()
        assert [row.id for row in saved.rows] == ["good"]
        assert (await store.payload("good")).data["notification_id"] == "good"
        assert (await store.notification("bad"))["status"] == "failed"
        (incident,) = [text for name, text in saved.pieces.items() if name.startswith("incident:")]
        assert "2 waiting notifications could not be read" in incident
