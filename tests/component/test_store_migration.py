"""Databases of earlier versions are brought up to date; one of a later version is left alone."""

import json
import re
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from notifyd.engine.clock import Clock
from notifyd.model.errors import StoreError, StoreUnavailableError
from notifyd.model.events import AlertState, Now
from notifyd.model.notifications import Status
from notifyd.outbox.database import SCHEMA
from notifyd.outbox.queries import COLUMN_LIST
from notifyd.outbox.rows import decode
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.budget import UNKNOWN_SOURCE
from notifyd.shaping.codec import all_entries, latest_time, restore_state
from notifyd.shaping.group import NEVER
from notifyd.shaping.inputs import Muted
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.send_state import SendStatus
from notifyd.shaping.state import TriggerStats
from notifyd.shaping.trace import Action
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.processes.watched import WatchedProcess
from support.histories import History
from support.stores import restore_dump

DUMPS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))
"""What killed daemons left, by the number of their schema."""
SCHEMA_2 = DUMPS[1]
HOUR = 3600.0

_KILLED = """
import os, sqlite3, sys
writer = sqlite3.connect(sys.argv[1], isolation_level=None)
writer.executescript("PRAGMA journal_mode = WAL; CREATE TABLE future (a); PRAGMA user_version = 99")
os._exit(0)
"""


TABLES = ("pieces", "positions", "notifications")


async def restored(dump, folder):
    """Read a dump as a start does; returns the state and the entries behind it."""
    restore_dump(dump, folder)
    async with OutboxStore(folder) as store:
        stored = await store.load()
    now = Clock(stored.clock, boot="boot").now()
    state = restore_state(stored.state_entries, stored.notifications, seed="other", now=now)
    return state, stored.state_entries


def tables(folder):
    with closing(sqlite3.connect(folder / "notifyd.db")) as reader:
        return [reader.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES]


def assert_holds(whole, part, where):
    """Compare all that `part` names; an earlier version knew less."""
    if isinstance(part, dict):
        for name, value in part.items():
            assert_holds(whole[name], value, f"{where}.{name}")
    elif isinstance(part, list):
        assert len(whole) >= len(part)
        for index, value in enumerate(part):
            assert_holds(whole[index], value, f"{where}.{index}")
    else:
        assert whole == part, where


def test_there_is_a_dump_of_every_schema():
    assert [dump.stem for dump in DUMPS] == [str(number) for number in range(1, SCHEMA + 1)]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
async def test_a_database_is_taken_over_to_the_byte(dump, tmp_path):
    restore_dump(dump, tmp_path)
    before = tables(tmp_path)
    async with OutboxStore(tmp_path) as store:
        await store.load()
    assert tables(tmp_path) == before
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as after:
        assert after.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert after.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
async def test_every_field_of_the_state_is_read_as_it_was_written(dump, tmp_path):
    state, stored = await restored(dump, tmp_path)
    written = {name: json.loads(text) for name, text in all_entries(state).items()}
    assert not state.orphaned_keys
    assert written.keys() == stored.keys()
    for name, text in stored.items():
        before = json.loads(text)
        if name == "books:":
            before["gate"]["worker_free"] = False  # that worker is gone
            assert written[name]["muted"].keys() == before.pop("mutes", {}).keys()
            before["charges"] = [[at, "", ""] for at in before.pop("spent")]
        assert_holds(written[name], before, name)


async def test_groups_are_restored_in_the_middle_of_counting(tmp_path):
    state, _ = await restored(SCHEMA_2, tmp_path)
    groups = state.groups
    assert len(groups) == 12
    counting = groups['["counting", "ann"]']
    assert counting.values == ("ann",)
    assert counting.identity == "counting\0log\0user"
    assert len(counting.window) == len(counting.window_events) == 3
    assert counting.window_events[0].line == "counting ann"
    assert counting.window_events[0].fields == {"user": "ann"}
    debouncing = groups['["debouncing", "ann"]']
    assert debouncing.summary.count == 2
    assert debouncing.due == debouncing.first_match_at + 8 * HOUR
    assert groups['["debouncing", "cy"]'].summary.paths == ("/srv/dump/logs/other.log",)
    ann, bob = groups['["cooling", "ann"]'], groups['["cooling", "bob"]']
    assert (ann.summary.count, ann.due, ann.cooldown) == (2, ann.cooldown_until, 5 * HOUR)
    assert (bob.summary, bob.cooldown_until) == (None, bob.last_match_at + 5 * HOUR)
    joining = groups['["joining"]']
    assert joining.open_summary.lines == ("joining one", "joining two", "joining three")
    assert state.notifications[joining.open_id].count == joining.open_summary.count == 3
    assert groups['["records"]'].window_events[0].facts["after"] == "2 after it\n3 records two"
    assert groups['["units"]'].window_events[1].facts["before"] == "units 1"


async def test_conditions_are_restored_with_their_reminders_and_mutes(tmp_path):
    state, _ = await restored(SCHEMA_2, tmp_path)
    reminded, muted = (state.groups[f'["{name}"]'].condition for name in ("silent", "silent-muted"))
    assert reminded.event.alert_state is AlertState.FIRING
    assert reminded.reminders == 1
    assert reminded.remind_at > state.groups['["silent"]'].last_match_at + 4 * HOUR
    assert (muted.remind_at, muted.reminders, muted.reminder_id) == (NEVER, 0, "")
    assert muted.mute_digest_id == state.digests["mute:silent-muted"].id


async def test_digests_mutes_and_the_budget_are_restored(tmp_path):
    state, _ = await restored(SCHEMA_2, tmp_path)
    digests = state.digests
    assert {key: (held.queued, dict(held.digest.counts)) for key, held in digests.items()} == {
        "budget": (False, {"files": 2, "socket": 3}),
        "mute:by-hand": (False, {"by-hand": 3}),
        "mute:silent-muted": (False, {"silent-muted": 1}),
        "mute:windowed": (False, {"windowed": 2}),
        "removed": (True, {"changing": 2}),
    }
    assert state.notifications[digests["removed"].id].group == "digest:removed"
    global_state = state.global_state
    assert [charge.source for charge in global_state.charges] == [UNKNOWN_SOURCE] * 4
    assert digests["budget"].due == global_state.charges[0].at + 10 * HOUR
    assert set(global_state.mutes) == {"by-hand", "counting"}
    assert not global_state.wall_mutes
    assert global_state.serial > 30
    assert re.fullmatch("[0-9a-f]{32}", global_state.seed)


async def test_sending_and_the_outbox_are_restored(tmp_path):
    state, _ = await restored(SCHEMA_2, tmp_path)
    send_state = state.global_state.send_state
    assert send_state.status is SendStatus.WAITING
    assert send_state.cause == "http_429"
    assert send_state.error == "the API answered 429 (Too Many Requests), and asks to wait for 1 s"
    assert len(send_state.slots) == 2
    assert 0 < send_state.retry_after_until < send_state.backoff_until
    assert (send_state.last_forbidden.title, send_state.last_forbidden.status) == (
        "forbidden",
        Status.FAILED,
    )
    assert send_state.last_forbidden.peer.uid == 0
    rows = {row.title: row for row in state.notifications.values()}
    assert {title: row.status.value for title, row in rows.items()} == {
        "failing": "queued",
        "next": "attempting",
        "queued anew": "queued",
        "held": "held",
        "joining: 3 \N{MULTIPLICATION SIGN}": "queued",
        "2 from changing, changed or removed": "queued",
    }
    assert send_state.in_flight == rows["next"].id
    failing = rows["failing"]
    assert (failing.attempts, failing.failures, failing.not_before) == (
        3,
        3,
        send_state.backoff_until,
    )
    assert failing.last_error == send_state.error
    assert rows["queued anew"].key == "build"
    assert rows["held"].not_before > send_state.backoff_until + 4 * HOUR


async def test_ledgers_traces_and_incidents_are_restored(tmp_path):
    state, _ = await restored(SCHEMA_2, tmp_path)
    assert state.trigger_stats["lapsing"] == TriggerStats(1, 0, 1, "below the threshold", 0)
    assert state.trigger_stats["cooling"].notifications == 2
    actions = [entry.action for entry in state.traces["joining"]]
    assert actions == [Action.DEBOUNCING, Action.QUEUED, Action.COOLING_DOWN, Action.JOINED]
    assert state.traces["joining"][-1].notification_id == state.groups['["joining"]'].open_id
    assert state.traces["cooling"][0].group == ("ann",)
    assert state.traces["counting"][0].detail == "3 of 5 within 32400 s"
    (incident,) = state.incidents.values()
    assert incident.title == "notifyd's database was deleted"
    assert incident.reported


async def test_checkpoints_of_every_source_are_read(tmp_path):
    restore_dump(SCHEMA_2, tmp_path)
    async with OutboxStore(tmp_path) as store:
        positions = (await store.load()).checkpoints
    kinds = {re.match(r"(log|journal):\w+|\w+", key).group() for key in positions}
    assert kinds == {
        "file",
        "journal:armed",
        "journal:carry",
        "journal:read",
        "log:armed",
        "log:carry",
        "log:file",
        "process",
        "schedule",
    }
    for key, text in positions.items():
        if (file := FileId.from_key(key)) is not None:
            assert json.loads(Checkpoint.decode(file, text).encode()) == json.loads(text)
    cursor = Cursor.decode(positions["journal:read"])
    assert json.loads(cursor.encode()) == json.loads(positions["journal:read"])
    (job,) = [key for key in positions if key.startswith("process:job:")]
    watched = WatchedProcess.decode(job.rpartition(":")[2], positions[job])
    assert json.loads(watched.encode()) == json.loads(positions[job])


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
async def test_what_was_counted_before_is_reported_once(dump, tmp_path):
    state, stored = await restored(dump, tmp_path)
    history = History(Rules())
    history.stored = dict(stored)
    history.now = Now(latest_time(state) + 60.0, time.time())
    with closing(sqlite3.connect(tmp_path / "notifyd.db")) as reader:
        reader.row_factory = sqlite3.Row
        records = reader.execute(f"SELECT {COLUMN_LIST} FROM notifications").fetchall()
    history.notifications = {record["id"]: decode(record) for record in records}
    history.counts = {
        row.id: Counter({row.trigger: row.count}) for row in history.notifications.values()
    }
    history.rules = Rules(
        {
            group.trigger: Rule(
                group.trigger, group.identity, has_conditions=group.condition is not None
            )
            for group in state.groups.values()
        }
    )
    history.restart()
    history.feed(Muted("", 0.0))
    history.sleep(9 * HOUR)
    history.drain()
    ended = history.counted(Status.DELIVERED, Status.NO_DEVICE, Status.FAILED)
    ended += history.counted(Status.CANCELLED, Status.REPLACED) + history.below_threshold()
    matches = {name: stats.matches for name, stats in history.state.trigger_stats.items()}
    assert {name: ended[name] for name in matches if name != "notifyd"} == {
        name: number for name, number in matches.items() if name != "notifyd"
    }


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
        assert len((await store.load()).notifications) == 4


def test_a_newer_schema_is_left_alone_to_the_byte(tmp_path):
    path = tmp_path / "notifyd.db"
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=True)
    (tmp_path / "notifyd.db-shm").unlink()
    files = [path, tmp_path / "notifyd.db-wal"]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    with pytest.raises(StoreError, match=r"written by a newer notifyd \(schema 99"):
        OutboxStore(tmp_path)
    assert [(file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before
