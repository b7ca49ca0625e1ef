"""The engine over a real database: what it acknowledges is on disk; a full disk loses nothing."""

import asyncio
import shutil
import sqlite3
import time
from dataclasses import replace

import pytest

from notifyd.api.control import SpooledMessage, SpooledRequest
from notifyd.engine.clock import Clock, boot_time
from notifyd.engine.control import ControlService
from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.errors import ConcurrentUpdateError, StoreUnavailableError
from notifyd.model.notifications import Message, Priority, Status
from notifyd.model.pings import Ping
from notifyd.model.time_windows import DAY_MINUTES, TimeWindow
from notifyd.outbox.queries import COLUMN_LIST
from notifyd.shaping.inputs import Configured, Pinged, Retried, Submitted
from notifyd.shaping.rules import HeartbeatRule, Rule, Rules
from support.engines import RULES, render, running
from support.histories import PEER, match
from support.logs import until


def request(title="hi"):
    return Submitted(Message(title, ""), Priority.DEFAULT, PEER)


async def fill(engine):
    while True:
        await engine.apply([request("y" * 4000)], fail_fast=True)


def on_disk(folder, query):
    with sqlite3.connect(folder / "notifyd.db") as reader:
        found = reader.execute(query).fetchall()
    reader.close()
    return found


async def test_an_acknowledged_request_is_on_disk(tmp_path):
    async with running(tmp_path) as (engine, _):
        (reply,) = await engine.apply([request("hello")])
        assert on_disk(tmp_path, "SELECT id, title FROM notifications") == [
            (reply.notification.id, "hello")
        ]


async def test_checkpoints_and_their_matches_are_one_commit(tmp_path):
    async with running(tmp_path) as (engine, _):
        await engine.apply([match("app")], {"log:a": "17"}, rereadable=True)
        both = "SELECT value, (SELECT count(*) FROM notifications) FROM positions"
        assert on_disk(tmp_path, both) == [("17", 1)]


async def test_each_of_many_concurrent_requests_gets_its_own_reply(tmp_path):
    async with running(tmp_path) as (engine, _):
        replies = await asyncio.gather(
            *(engine.apply([request(str(number))]) for number in range(200))
        )
        titles = {reply.notification.id: str(number) for number, (reply,) in enumerate(replies)}
    assert dict(on_disk(tmp_path, "SELECT id, title FROM notifications")) == titles


async def test_other_tasks_run_while_many_payloads_are_rendered(tmp_path):
    turns, seen = 0, set()

    def rendered(row, content, now):
        seen.add(turns)
        return render(row, content, now)

    async with running(tmp_path) as (engine, _):
        engine.render = rendered
        commit = asyncio.ensure_future(engine.apply([match("app")] * 500, rereadable=True))
        while not commit.done():
            turns += 1
            await asyncio.sleep(0)
    assert len(seen) >= 10


async def test_a_full_disk_refuses_requests_and_keeps_what_nobody_can_repeat(tmp_path):
    async with running(tmp_path) as (engine, store):
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        large = {"log:a": "x" * 100_000}
        waiting = asyncio.ensure_future(engine.apply([match("app")] * 3, large, rereadable=True))
        with pytest.raises(StoreUnavailableError, match="the disk is full: free some space"):
            await fill(engine)
        assert engine.store_error
        with pytest.raises(StoreUnavailableError):
            await engine.apply([request()], fail_fast=True)
        assert not waiting.done()
        assert await store.load_checkpoints() == {}
        store._writer.execute("PRAGMA max_page_count = 100000")
        await waiting
        assert engine.store_error == ""
        assert await store.load_checkpoints() == large
        matched = "SELECT count(*) FROM notifications WHERE trigger = 'app'"
        assert on_disk(tmp_path, matched) == [(3,)]
        await engine.apply([request("z")], fail_fast=True)


async def test_a_ping_that_a_full_disk_refuses_is_no_reason_for_an_alarm(tmp_path):
    heartbeat = HeartbeatRule("hourly", every=3600.0, grace=0.0)
    async with running(tmp_path, replace(RULES, heartbeats={"job": heartbeat})) as (engine, store):
        await engine.apply([Pinged(Ping("job"))], fail_fast=True)
        before = engine.state.heartbeats["job"]
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreUnavailableError):
            await fill(engine)
        control = ControlService(engine, store, daemon=None)
        for name in ("job", "other"):
            with pytest.raises(StoreUnavailableError):
                await control.ping(Ping(name), is_admin=True)
        assert engine.state.heartbeats == {"job": before}
        store._writer.execute("PRAGMA max_page_count = 100000")
        await until(lambda: engine.state.heartbeats["job"].deadline > before.deadline)
        restarted = engine.state.heartbeats["job"]
        assert restarted.pinged_at == before.pinged_at
        await engine.apply([])
        assert engine.state.heartbeats == {"job": restarted}  # the wait restarts only once


async def test_an_attempt_is_on_disk_before_the_worker_gets_it(tmp_path):
    async with running(tmp_path) as (engine, _):
        await engine.start_worker()
        await engine.apply([request()])
        attempt = await engine.next_attempt()
        assert on_disk(tmp_path, "SELECT id, status FROM notifications") == [
            (attempt.id, "attempting")
        ]
        finished = asyncio.ensure_future(engine.wait_finished(attempt.id, 5.0))
        await engine.report(Outcome(attempt.id, OutcomeKind.DELIVERED, report={"devices": 1}))
        assert (await finished).status is Status.DELIVERED


def virtual(machine):
    """Return how to make a clock of a machine whose times a test sets."""
    return lambda stored: Clock(
        stored,
        boot="boot",
        monotonic=lambda: machine["monotonic"],
        wall=lambda: machine["wall"],
    )


async def test_a_debounce_survives_a_restart(tmp_path):
    machine = {"monotonic": 0.0, "wall": 1e9}
    rules = Rules(triggers={"app": Rule("app", debounce=60.0, cooldown=7.0)})
    async with running(tmp_path, rules, virtual(machine)) as (engine, _):
        await engine.apply([match("app")])
        assert on_disk(tmp_path, "SELECT * FROM notifications") == []
    machine["monotonic"] = 61.0
    async with running(tmp_path, rules, virtual(machine)) as (engine, _):
        await engine.apply([])  # what became due meanwhile follows the configured rule
        (row,) = engine.state.notifications.values()
        assert row.count == 1
        (group,) = engine.state.groups.values()
        assert group.cooldown == 7.0


async def test_history_is_pruned_when_nothing_else_happens(tmp_path):
    machine = {"monotonic": 0.0, "wall": 1e9}
    rules = Rules(history=86400.0)
    async with running(tmp_path, rules, virtual(machine)) as (engine, _):
        await engine.start_worker()
        await engine.apply([request()])
        await engine.report(Outcome((await engine.next_attempt()).id, OutcomeKind.DELIVERED))
        for _ in range(2):
            machine["monotonic"] += 90_000
            machine["wall"] += 90_000
            await engine.apply([])
        assert on_disk(tmp_path, "SELECT id FROM notifications") == []


async def test_a_retried_notification_is_checked_in_the_same_commit(tmp_path):
    async with running(tmp_path) as (engine, store):
        await engine.start_worker()
        (reply,) = await engine.apply([request("text")])
        await engine.report(Outcome(reply.notification.id, OutcomeKind.FAILED, "too long"))
        known = await store.find(reply.notification.id)
        retried = Retried(PEER, known)
        stale = Retried(PEER, replace(known, attempts=7))
        both = asyncio.gather(engine.apply([retried]), engine.apply([request("other")]))
        with pytest.raises(ConcurrentUpdateError):
            await engine.apply([stale])
        await both
        assert (await store.payload(known.id)).title == "text"
        while (attempt := await engine.next_attempt()).id != known.id or attempt.attempts == 1:
            await engine.report(Outcome(attempt.id, OutcomeKind.DELIVERED))
        await engine.report(Outcome(known.id, OutcomeKind.DELIVERED))
        with pytest.raises(ConcurrentUpdateError):
            await engine.apply([retried])
        assert (await store.find(known.id)).status is Status.DELIVERED


async def test_stopping_commits_what_is_queued(tmp_path):
    async with running(tmp_path) as (engine, _):
        applied = [asyncio.ensure_future(engine.apply([match("app")])) for _ in range(50)]
        await asyncio.sleep(0)  # all of them are queued
        engine.stop()
        await asyncio.gather(*applied)
    assert on_disk(tmp_path, "SELECT count(*) FROM notifications") == [(50,)]


async def test_maintenance_restores_a_deleted_database(tmp_path):
    folder = tmp_path / "state"
    async with running(folder) as (engine, _):
        await engine.apply([request("hello")])
        shutil.rmtree(folder)
        await engine.maintain()
        incidents = "SELECT title FROM notifications ORDER BY id"
        async with asyncio.timeout(45):
            while not engine.state.incidents:  # noqa: ASYNC110 - the state has no event for it
                await asyncio.sleep(0.01)
        assert on_disk(folder, incidents) == [("hello",), ("notifyd's database was deleted",)]


async def test_a_repair_writes_the_known_state_over_the_recovered_one(tmp_path):
    async with running(tmp_path) as (engine, store):
        await engine.start_worker()
        replies = await engine.apply([request("one"), request("two"), request("three")])
        one, two, three = (reply.notification.id for reply in replies)
        (attempt,) = [await engine.next_attempt()]
        assert attempt.id == one
        for change in (
            f"DELETE FROM notifications WHERE id = '{two}'",
            f"UPDATE notifications SET status = 'queued', attempts = 0 WHERE id = '{one}'",
            (
                f"INSERT INTO notifications SELECT 'z', {COLUMN_LIST.partition(', ')[2]} "
                f"FROM notifications WHERE id = '{three}'"
            ),
            "DELETE FROM pieces",
        ):
            store._writer.execute(change)
        store._damage = "as a damaged read would report"
        await engine.apply([match("app")])
        rows = "SELECT id, status, title FROM notifications WHERE trigger = 'socket'"
        assert set(on_disk(tmp_path, rows)) == {
            (one, "attempting", "one"),
            (two, "queued", "two"),
            (three, "queued", "three"),
            ("z", "failed", "three"),
        }
        assert on_disk(tmp_path, "SELECT count(*) FROM pieces WHERE name = 'books:'") == [(1,)]
        assert engine.store_error == ""


async def test_maintenance_notices_that_the_clock_was_set(tmp_path):
    offset = [0.0]

    def clock(stored):
        return Clock(stored, boot="boot", wall=lambda: time.time() + offset[0])

    minute = int(time.time() // 60) % DAY_MINUTES
    span = ((minute - 60) % DAY_MINUTES, (minute + 60) % DAY_MINUTES)
    rule = Rule("app", debounce=0.0, mute=(TimeWindow("w", (span,), zone="UTC"),))
    rules = replace(RULES, triggers={"app": rule})
    async with running(tmp_path, rules, clock) as (engine, store):
        await engine.apply([Configured(rules), match("app")])
        digest = engine.state.digests["mute:app"]
        offset[0] = 3 * 3600.0
        await engine.maintain()
        await until(lambda: digest.id in engine.state.notifications)
        assert (await store.find(digest.id)).count == 1


async def test_nothing_expires_for_the_time_that_the_machine_was_off(tmp_path):
    async with running(tmp_path) as (engine, _):
        (reply,) = await engine.apply([request("hello")])

    def clock(stored):
        return Clock(stored, boot="another", wall=lambda: time.time() + 2 * RULES.expire)

    async with running(tmp_path, clock=clock) as (engine, _):
        await engine.apply([])
        waiting = engine.state.notifications[reply.notification.id]
        assert waiting.status is Status.QUEUED
        stored = on_disk(tmp_path, "SELECT expires FROM notifications")
        assert stored == [(waiting.expires,)]


@pytest.mark.parametrize(
    ("off_for", "age", "refusal"),
    [(0.0, 60.0, "expired"), (7200.0, 60.0, ""), (7200.0, -1.0, "expired")],
)
async def test_a_spooled_message_does_not_expire_while_the_machine_is_off(
    tmp_path, off_for, age, refusal
):
    """age: seconds before the boot at which it was written."""
    async with running(tmp_path) as (engine, store):
        engine._clock.off_for = off_for
        now = engine.now().wall
        spooled = SpooledRequest(
            "01a212e9-06bc-7be6-9cef-2df5a7e3ba45",
            PEER,
            time=boot_time(now) - age,
            expires=now - 60.0,
            request=SpooledMessage(Message("t", "b"), Priority.DEFAULT, "", 0.0),
        )
        control = ControlService(engine, store, None)
        assert await control.import_spooled([spooled]) == [refusal]
        assert await control.import_spooled([spooled]) == ["known"]
