"""The store on real SQLite files."""

import asyncio
import json
import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

import pytest

from notifyd.model.errors import InUseError, NotificationMissingError
from notifyd.model.notifications import Peer, Status
from notifyd.outbox import queries
from notifyd.outbox.commit import PRUNED_AT_ONCE, Commit, prune
from notifyd.outbox.database import WAL_LIMIT, open_database
from notifyd.outbox.rows import COLUMNS, OutboxEntry
from notifyd.outbox.store import OutboxStore
from support.stores import entry, parcel, row


def commit(*entries, state=None, checkpoints=None, wall=10.0, prune_before=None):
    return Commit(state or {}, checkpoints or {}, entries, "{}", wall, prune_before)


async def test_the_next_process_loads_what_was_committed(tmp_path):
    peer = Peer(1000, 100, 7)
    complete = row("a", not_before=3.5, attempts=2, failures=1, group='["app"]', key="k", peer=peer)
    async with OutboxStore(tmp_path) as store:
        await store.commit(
            commit(
                OutboxEntry(complete, parcel("a")),
                state={"group:x": "1", "gone": "2"},
                checkpoints={"log:y": "3", "log:gone": "4"},
            )
        )
        await store.commit(commit(state={"gone": None}, checkpoints={"log:gone": None}))
    async with OutboxStore(tmp_path) as store:
        stored = await store.load()
        assert await store.payload("a") == parcel("a")
    assert stored.notifications == [
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
    assert stored.state_entries == {"group:x": "1"}
    assert stored.checkpoints == {"log:y": "3"}
    assert stored.clock == "{}"


@pytest.mark.parametrize("number", [2, 7, 32, 45, 127])
async def test_all_rows_of_a_commit_are_written_as_they_are(tmp_path, number):
    names = [f"n{each:03}" for each in range(number)]
    rows = {
        name: row(name, Status.HELD, peer=Peer(uid, 1, 2), title=name, created=5.0 + uid)
        for uid, name in enumerate(names, 1)
    }
    values = {name: f'"{name}"' for name in names}
    async with OutboxStore(tmp_path) as store:
        entries = [OutboxEntry(each, parcel(name, name)) for name, each in rows.items()]
        await store.commit(commit(*entries, state=values, checkpoints=values))
        again = [OutboxEntry(each, parcel(name, name)) for name, each in rows.items()]
        await store.commit(commit(*again, entry("one more")))
        stored = await store.load()
        texts = [(await store.payload(name)).title for name in names]
    assert {each.id: each for each in stored.notifications if each.id in rows} == rows
    assert len(stored.notifications) == number + 1
    assert stored.state_entries == stored.checkpoints == values
    assert texts == names


async def test_notifications_are_counted_by_trigger_since_a_time(tmp_path):
    rows = [row(str(number), created=float(number)) for number in range(5)]
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(*(OutboxEntry(each, parcel("x")) for each in rows)))
        assert await store.count_by_trigger(2.0) == {rows[0].trigger: 3}
        assert await store.count_by_trigger(9.0) == {}


async def test_a_notification_keeps_its_text_until_it_gets_a_new_one(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(OutboxEntry(row("a"), parcel("a", "One"))))
        await store.commit(commit(OutboxEntry(row("a", Status.ATTEMPTING, attempts=1), None)))
        assert (await store.payload("a")).title == "One"
        assert (await store.describe("a"))["status"] == "attempting"
        await store.commit(commit(OutboxEntry(row("a", count=9), parcel("a", "Nine"))))
        described = await store.describe("a")
    assert (described["title"], described["count"]) == ("Nine", 9)


async def test_a_commit_is_all_or_nothing(tmp_path):
    async with OutboxStore(tmp_path) as store:
        unwritable = row("b", report={"devices": {1, 2}})
        with pytest.raises(TypeError):
            await store.commit(
                commit(
                    OutboxEntry(row("a"), parcel("a")),
                    OutboxEntry(unwritable, parcel("b")),
                    checkpoints={"log:y": "3"},
                )
            )
        await store.commit(commit())
        stored = await store.load()
    assert stored.notifications == []
    assert stored.checkpoints == {}


async def test_listing_is_newest_first_and_filters_by_owner_and_status(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(
            commit(
                OutboxEntry(row("a", created=1.0, peer=Peer(1, 1, 1)), parcel("a")),
                OutboxEntry(row("b", Status.DELIVERED, created=2.0), parcel("b")),
                OutboxEntry(row("c", created=3.0, peer=Peer(2, 2, 2)), parcel("c")),
            )
        )

        async def ids(**wanted):
            query = {"uid": None, "status": None, "limit": 10} | wanted
            return [described["id"] for described in await store.describe_newest(**query)]

        assert await ids() == ["c", "b", "a"]
        assert await ids(limit=1) == ["c"]
        assert await ids(uid=1) == ["a"]
        assert await ids(status=Status.DELIVERED) == ["b"]
        assert await store.describe("nobody") is None


async def test_pruning_deletes_old_history_and_nothing_that_waits(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(
            commit(
                OutboxEntry(row("old", Status.DELIVERED), parcel("old")),
                OutboxEntry(row("waits"), parcel("waits")),
                wall=10.0,
            )
        )
        await store.commit(commit(OutboxEntry(row("new", Status.FAILED), parcel("new")), wall=90.0))
        await store.commit(commit(wall=100.0, prune_before=50.0))
        left = await store.describe_newest(uid=None, status=None, limit=10)
    assert {described["id"] for described in left} == {"waits", "new"}


async def test_a_second_daemon_is_refused_with_the_pid_of_the_first(tmp_path):
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


async def test_a_notification_is_described_with_its_report(tmp_path):
    async with OutboxStore(tmp_path) as store:
        report = {"delivered": 1, "failed": 0, "devices": 1}
        done = row("a", Status.DELIVERED, report=report, key="k", merged_into="z")
        await store.commit(commit(OutboxEntry(done, parcel("a"))))
        described = await store.describe("a")
    assert described["delivered"] == 1
    assert described["key"] == "k"
    assert described["merged_into"] == "z"
    assert json.dumps(described)


async def test_history_is_pruned_in_parts_with_commits_in_between(tmp_path):
    old = [entry(f"old-{number:04}", Status.DELIVERED) for number in range(5 * PRUNED_AT_ONCE)]
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(*old, entry("waits"), wall=10.0))
        await store.commit(commit(entry("new", Status.FAILED), wall=90.0))
        await store.commit(commit(wall=100.0, prune_before=50.0))
        assert len(await listed(store)) == 4 * PRUNED_AT_ONCE + 2
        for number in range(3):
            await store.commit(commit(checkpoints={"log": str(number)}))
        await store._pruning
        assert set(await listed(store)) == {"waits", "new"}


async def listed(store):
    found = await store.describe_newest(uid=None, status=None, limit=100_000)
    return [described["id"] for described in found]


async def test_history_is_bounded_in_number_and_in_bytes(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(entry("waits", created=0.0), wall=0.0))
        for number in range(900):
            name = f"{number:04}"
            await store.commit(commit(entry(name, Status.DELIVERED, "b" * 2000), wall=number))
    with closing(sqlite3.connect(tmp_path / "notifyd.db", isolation_level=None)) as writer:
        size = (tmp_path / "notifyd.db").stat().st_size
        while prune(writer, -1.0, max_finished=600):
            pass
        ids = [name for (name,) in writer.execute("SELECT id FROM notifications ORDER BY id")]
        assert ids == [f"{number:04}" for number in range(300, 900)] + ["waits"]
        while prune(writer, -1.0, max_bytes=size // 3):
            pass
        ids = [name for (name,) in writer.execute("SELECT id FROM notifications ORDER BY id")]
        assert 0 < len(ids) < 400
        assert ids[-2:] == ["0899", "waits"]


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (["uid", "status"], "owners"),
        (["status"], "newest"),
        (["trigger"], "triggers"),
        (["trigger", "created"], "triggers"),
        (["created"], "newest"),
    ],
)
async def test_listing_uses_an_index(tmp_path, filters, index):
    async with OutboxStore(tmp_path) as store:
        query = queries.find_newest(filters)
        parameters = {"uid": 1, "status": "failed", "trigger": "a", "created": 1.0, "limit": 10}
        plan = str(
            store._writer.execute(f"EXPLAIN QUERY PLAN {query}", parameters).fetchall()[0][3]
        )
        assert f"USING INDEX {index}" in plan


async def test_the_write_ahead_log_stays_bounded_while_it_is_read(tmp_path):
    log, largest = tmp_path / "notifyd.db-wal", 0
    async with OutboxStore(tmp_path) as store:

        async def write():
            nonlocal largest
            for number in range(150):
                await store.commit(commit(checkpoints={f"log:{number % 20}": "x" * 60_000}))
                largest = max(largest, log.stat().st_size)

        async def read():
            while not writing.done():
                await store.describe_newest(uid=None, status=None, limit=1000)
                await store.load_checkpoints()

        writing = asyncio.create_task(write())
        await read()
        await writing
    assert largest < 2 * WAL_LIMIT


async def test_damaged_rows_are_marked_as_failed_and_reported_as_an_incident(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(entry("bad"), entry("worse"), entry("good")))
        store._writer.execute("UPDATE notifications SET priority = 'huge' WHERE id = 'bad'")
        store._writer.execute("UPDATE notifications SET data = '{]', count = 'x' WHERE id='worse'")
        store._writer.execute("UPDATE notifications SET data = '[1]' WHERE id = 'good'")
    async with OutboxStore(tmp_path) as store:
        stored = await store.load()
        assert [each.id for each in stored.notifications] == ["good"]
        assert (await store.payload("good")).data["notification_id"] == "good"
        assert (await store.describe("bad"))["status"] == "failed"
        (text,) = [
            text for name, text in stored.state_entries.items() if name.startswith("incident:")
        ]
        assert "2 waiting notifications could not be read and were marked as failed" in text


WRONG = ("x'00'", "'text'", "7", "1e999", "''")
"""SQL values, each of which is wrong for some columns."""


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "id"])
async def test_a_damaged_value_affects_its_own_row_alone(tmp_path, column):
    async with OutboxStore(tmp_path) as store:
        rows = [row(name, Status.FAILED, peer=Peer(1, 1, 1)) for name in ("bad", "good")]
        await store.commit(commit(*(OutboxEntry(each, parcel(each.id)) for each in rows)))
        for value in WRONG:
            store._writer.execute(
                f"UPDATE notifications SET \"{column}\" = {value} WHERE id = 'bad'"
            )
            listed = await store.describe_newest(uid=None, status=None, limit=10)
            assert {each["id"] for each in listed} == {"bad", "good"}
            assert json.dumps(listed, allow_nan=False)
            found = await store.find_by_status(uid=None, status=Status.FAILED, limit=10)
            good = await store.find("good")
            assert good.title == "Title"
            assert good in found
            assert (await store.payload("good")).title == "Title"
            with suppress(NotificationMissingError):
                assert (await store.payload("bad")).id == "bad"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("count", "'many'"),
        ("created", "1e999"),
        ("status", "'lost'"),
        ("title", "x'00'"),
        ("report", "x'7b7d'"),
        ("uid", "'root'"),
    ],
)
async def test_a_value_of_a_wrong_type_is_never_read_as_a_notification(tmp_path, column, value):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(entry("bad", Status.FAILED)))
        store._writer.execute(f"UPDATE notifications SET {column} = {value} WHERE id = 'bad'")
        assert await store.find("bad") is None
        assert (await store.describe("bad"))["id"] == "bad"


async def test_unknown_columns_are_ignored(tmp_path):
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(entry("before")))
        store._writer.execute("ALTER TABLE notifications ADD COLUMN later TEXT")
    async with OutboxStore(tmp_path) as store:
        await store.commit(commit(entry("after")))
        assert [each.id for each in (await store.load()).notifications] == ["after", "before"]
        assert "later" not in await store.describe("after")


def test_the_schema_is_that_of_the_golden_file(tmp_path):
    with closing(open_database(tmp_path / "new.db")) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        statements = database.execute(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name"
        ).fetchall()
    lines = [f"user_version {version}"]
    for (sql,) in statements:
        lines += [" ".join(line.partition("--")[0].split()) for line in sql.splitlines()]
    golden = Path(__file__).parents[1] / "goldens" / "stored" / "database.txt"
    assert "\n".join(filter(None, lines)) + "\n" == golden.read_text()


def test_every_column_of_the_table_has_a_type(tmp_path):
    with closing(open_database(tmp_path / "new.db")) as database:
        columns = [name for _, name, *_ in database.execute("PRAGMA table_info(notifications)")]
    assert columns == list(COLUMNS)
