"""The store on real SQLite files."""

import json
import os
import sqlite3
import stat

import pytest

from notifyd.errors import InUseError, StoreError, StoreUnavailableError
from notifyd.model import Parcel, Peer, Priority, Row, Status
from notifyd.outbox.queries import Entry
from notifyd.outbox.commit import Commit
from notifyd.outbox.store import Store


def row(name, status=Status.QUEUED, **more):
    facts = {"trigger": "app", "priority": Priority.HIGH, "count": 3, "created": 5.0}
    return Row(id=name, status=status, expires=99.0, **(facts | more))


def parcel(name, title="Title", body="Body"):
    return Parcel(name, title, body, {"notification_id": name, "lone": "ünï"})


def commit(*entries, pieces=None, positions=None, wall=10.0, forget=None):
    return Commit(pieces or {}, positions or {}, entries, "{}", wall, forget)


async def test_what_was_committed_is_there_for_the_next_process(tmp_path):
    peer = Peer(1000, 100, 7)
    whole = row("a", release=3.5, attempts=2, failures=1, group='["app"]', key="k", peer=peer)
    async with Store(tmp_path) as store:
        await store.commit(
            commit(
                Entry(whole, parcel("a")),
                pieces={"group:x": "1", "gone": "2"},
                positions={"log:y": "3", "log:gone": "4"},
            )
        )
        await store.commit(commit(pieces={"gone": None}, positions={"log:gone": None}))
    async with Store(tmp_path) as store:
        saved = await store.saved()
        assert await store.parcel("a") == parcel("a")
    assert saved.rows == [
        row(
            "a",
            release=3.5,
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
    async with Store(tmp_path) as store:
        await store.commit(commit(Entry(row("a"), parcel("a", "One"))))
        await store.commit(commit(Entry(row("a", Status.ATTEMPTING, attempts=1), None)))
        assert (await store.parcel("a")).title == "One"
        assert (await store.notification("a"))["status"] == "attempting"
        await store.commit(commit(Entry(row("a", count=9), parcel("a", "Nine"))))
        shown = await store.notification("a")
    assert (shown["title"], shown["count"]) == ("Nine", 9)


async def test_a_commit_is_all_or_nothing(tmp_path):
    async with Store(tmp_path) as store:
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
    async with Store(tmp_path) as store:
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
    async with Store(tmp_path) as store:
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
    async with Store(tmp_path):
        with pytest.raises(InUseError, match=f"pid {os.getpid()}"):
            Store(tmp_path)
    async with Store(tmp_path):
        pass


async def test_the_files_are_private(tmp_path):
    folder = tmp_path / "deep" / "state"
    async with Store(folder) as store:
        await store.commit(commit())
        modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_newer_schema_is_left_alone(tmp_path):
    path = tmp_path / "notifyd.db"
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="written by a newer notifyd"):
        Store(tmp_path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "notifyd.db").write_bytes(b"not a database at all" * 200)
    with pytest.raises(StoreError, match=r"notifyd\.db is damaged .*move it away"):
        Store(tmp_path)


async def test_a_locked_database_is_a_passing_trouble(tmp_path):
    async with Store(tmp_path) as store:
        other = sqlite3.connect(store.path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="another program has locked it"):
            await store.commit(commit(positions={"a": "1"}))
        other.execute("ROLLBACK")
        other.close()
        await store.commit(commit(positions={"a": "2"}))
        assert await store.positions() == {"a": "2"}


async def test_the_table_says_what_it_holds(tmp_path):
    async with Store(tmp_path) as store:
        report = {"delivered": 1, "failed": 0, "devices": 1}
        done = row("a", Status.DELIVERED, report=report, key="k", merged_into="z")
        await store.commit(commit(Entry(done, parcel("a"))))
        shown = await store.notification("a")
    assert shown["delivered"] == 1
    assert shown["key"] == "k"
    assert shown["merged_into"] == "z"
    assert json.dumps(shown)
