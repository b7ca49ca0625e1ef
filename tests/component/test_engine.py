"""The driver over a real database: what is acknowledged is on disk; a full disk loses nothing."""

import asyncio
import shutil
import sqlite3
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from notifyd.engine.clock import Clock
from notifyd.engine.engine import Engine
from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.errors import ConcurrentUpdateError, StoreUnavailableError
from notifyd.model.notifications import Message, Payload, Priority, Status
from notifyd.outbox.queries import COLUMNS
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import restore_state
from notifyd.shaping.inputs import Retried, Submitted
from notifyd.shaping.rules import Limit, Rule, Rules
from support.daemon import wait_for
from support.histories import PEER, match

RULES = Rules(
    triggers={"app": Rule("app", debounce=0.0, cooldown=0.0)},
    rate=Limit(100_000, 60.0),
    budget=Limit(100_000, 60.0),
)


def render(row, content, now):
    return Payload(
        row.id, getattr(content, "title", row.trigger), "body", {"count": str(row.count)}
    )


def request(title="hi"):
    return Submitted(Message(title, ""), Priority.DEFAULT, PEER)


@asynccontextmanager
async def running(folder, rules=RULES, clock=lambda saved: Clock(saved, boot="boot")):
    async with OutboxStore(folder) as store:
        saved = await store.saved()
        clock = clock(saved.clock)
        state = restore_state(saved.pieces, saved.rows, seed="seed", now=clock.now())
        driver = Engine(store, state, clock, rules, render)
        async with asyncio.TaskGroup() as group:
            group.create_task(driver.run())
            try:
                yield driver, store
            finally:
                driver.stop()


async def fill(driver):
    while True:
        await driver.offer([request("y" * 4000)], refusable=True)


def on_disk(folder, query):
    with sqlite3.connect(folder / "notifyd.db") as reader:
        found = reader.execute(query).fetchall()
    reader.close()
    return found


async def test_what_is_acknowledged_is_on_disk(tmp_path):
    async with running(tmp_path) as (driver, _):
        (reply,) = await driver.offer([request("hello")])
        assert on_disk(tmp_path, "SELECT id, title FROM notifications") == [(reply.row.id, "hello")]


async def test_positions_and_what_came_of_them_are_one_commit(tmp_path):
    async with running(tmp_path) as (driver, _):
        await driver.offer([match("app")], {"log:a": "17"}, rereadable=True)
        both = "SELECT value, (SELECT count(*) FROM notifications) FROM positions"
        assert on_disk(tmp_path, both) == [("17", 1)]


async def test_each_of_many_at_once_gets_its_own_answer(tmp_path):
    async with running(tmp_path) as (driver, _):
        replies = await asyncio.gather(
            *(driver.offer([request(str(number))]) for number in range(200))
        )
        titles = {reply.row.id: str(number) for number, (reply,) in enumerate(replies)}
    assert dict(on_disk(tmp_path, "SELECT id, title FROM notifications")) == titles


async def test_while_many_texts_are_made_others_have_their_turns(tmp_path):
    turns, seen = 0, set()

    def rendered(row, content, now):
        seen.add(turns)
        return render(row, content, now)

    async with running(tmp_path) as (driver, _):
        driver.render = rendered
        offer = asyncio.ensure_future(driver.offer([match("app")] * 500, rereadable=True))
        while not offer.done():
            turns += 1
            await asyncio.sleep(0)
    assert len(seen) >= 10


async def test_a_full_disk_refuses_requests_and_keeps_what_cannot_be_asked_again(tmp_path):
    async with running(tmp_path) as (driver, store):
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        large = {"log:a": "x" * 100_000}
        waiting = asyncio.ensure_future(driver.offer([match("app")] * 3, large, rereadable=True))
        with pytest.raises(StoreUnavailableError, match="the disk is full: free some space"):
            await fill(driver)
        assert driver.trouble
        with pytest.raises(StoreUnavailableError):
            await driver.offer([request()], refusable=True)
        assert not waiting.done()
        assert await store.positions() == {}
        store._writer.execute("PRAGMA max_page_count = 100000")
        await waiting
        assert driver.trouble == ""
        assert await store.positions() == large
        matched = "SELECT count(*) FROM notifications WHERE trigger = 'app'"
        assert on_disk(tmp_path, matched) == [(3,)]
        await driver.offer([request("z")], refusable=True)


async def test_an_order_is_on_disk_as_attempting_before_it_is_given(tmp_path):
    async with running(tmp_path) as (driver, _):
        await driver.start_worker()
        await driver.offer([request()])
        order = await driver.next_order()
        assert on_disk(tmp_path, "SELECT id, status FROM notifications") == [
            (order.id, "attempting")
        ]
        ended = asyncio.ensure_future(driver.ended(order.id, 5.0))
        await driver.report(Outcome(order.id, OutcomeKind.DELIVERED, report={"devices": 1}))
        assert (await ended).status is Status.DELIVERED


async def test_a_debounce_ends_by_itself_and_survives_a_restart(tmp_path):
    rules = Rules(triggers={"app": Rule("app", debounce=0.2, cooldown=7.0)})
    started = time.monotonic()
    async with running(tmp_path, rules) as (driver, _):
        await driver.offer([match("app")])
        assert on_disk(tmp_path, "SELECT * FROM notifications") == []
    await asyncio.to_thread(wait_for, lambda: time.monotonic() > started + 0.3)
    async with running(tmp_path, rules) as (driver, _):
        await driver.offer([])  # what became due is told first, and by the configured rule
        (row,) = driver.state.rows.values()
        assert row.count == 1
        (group,) = driver.state.groups.values()
        assert group.cooldown == 7.0


async def test_history_is_pruned_when_nothing_else_happens(tmp_path):
    machine = {"monotonic": 0.0, "wall": 1e9}

    def clock(saved):
        return Clock(
            saved,
            boot="boot",
            monotonic=lambda: machine["monotonic"],
            wall=lambda: machine["wall"],
        )

    rules = Rules(history=86400.0)
    async with running(tmp_path, rules, clock) as (driver, _):
        await driver.start_worker()
        await driver.offer([request()])
        await driver.report(Outcome((await driver.next_order()).id, OutcomeKind.DELIVERED))
        for _ in range(2):
            machine["monotonic"] += 90_000
            machine["wall"] += 90_000
            await driver.offer([])
        assert on_disk(tmp_path, "SELECT id FROM notifications") == []


async def test_a_row_that_is_retried_must_still_be_as_it_was_in_that_very_commit(tmp_path):
    async with running(tmp_path) as (driver, store):
        await driver.start_worker()
        (reply,) = await driver.offer([request("text")])
        await driver.report(Outcome(reply.row.id, OutcomeKind.FAILED, "too long"))
        known = await store.row(reply.row.id)
        wish = Retried(PEER, known)
        stale = Retried(PEER, replace(known, attempts=7))
        both = asyncio.gather(driver.offer([wish]), driver.offer([request("other")]))
        with pytest.raises(ConcurrentUpdateError):
            await driver.offer([stale])
        await both
        assert (await store.parcel(known.id)).title == "text"
        while (order := await driver.next_order()).id != known.id or order.attempts == 1:
            await driver.report(Outcome(order.id, OutcomeKind.DELIVERED))
        await driver.report(Outcome(known.id, OutcomeKind.DELIVERED))
        with pytest.raises(ConcurrentUpdateError):
            await driver.offer([wish])
        assert (await store.row(known.id)).status is Status.DELIVERED


async def test_stopping_commits_what_was_offered(tmp_path):
    async with running(tmp_path) as (driver, _):
        offered = [asyncio.ensure_future(driver.offer([match("app")])) for _ in range(50)]
        await asyncio.sleep(0)
        driver.stop()
        await asyncio.gather(*offered)
    assert on_disk(tmp_path, "SELECT count(*) FROM notifications") == [(50,)]


async def test_a_database_that_is_deleted_in_a_quiet_hour_is_written_again(tmp_path):
    folder = tmp_path / "state"
    async with running(folder) as (driver, _):
        await driver.offer([request("hello")])
        looking = asyncio.create_task(driver.look_around(0.01))
        shutil.rmtree(folder)
        incidents = "SELECT title FROM notifications ORDER BY id"
        async with asyncio.timeout(10):
            while not driver.state.incidents:  # noqa: ASYNC110 - the state tells nobody
                await asyncio.sleep(0.01)
        looking.cancel()
        assert on_disk(folder, incidents) == [("hello",), ("notifyd's database was deleted",)]


async def test_what_is_known_goes_over_what_a_damaged_database_still_says(tmp_path):
    async with running(tmp_path) as (driver, store):
        await driver.start_worker()
        replies = await driver.offer([request("one"), request("two"), request("three")])
        one, two, three = (reply.row.id for reply in replies)
        (order,) = [await driver.next_order()]
        assert order.id == one
        for change in (
            f"DELETE FROM notifications WHERE id = '{two}'",
            f"UPDATE notifications SET status = 'queued', attempts = 0 WHERE id = '{one}'",
            (
                f"INSERT INTO notifications SELECT 'z', {COLUMNS.partition(', ')[2]} "
                f"FROM notifications WHERE id = '{three}'"
            ),
            "DELETE FROM pieces",
        ):
            store._writer.execute(change)
        store._damage = "what a read would have said"
        await driver.offer([match("app")])
        rows = "SELECT id, status, title FROM notifications WHERE trigger = 'socket'"
        assert set(on_disk(tmp_path, rows)) == {
            (one, "attempting", "one"),
            (two, "queued", "two"),
            (three, "queued", "three"),
            ("z", "failed", "three"),
        }
        assert on_disk(tmp_path, "SELECT count(*) FROM pieces WHERE name = 'books:'") == [(1,)]
        assert driver.trouble == ""


async def test_a_clock_that_is_set_in_a_quiet_hour_is_noticed(tmp_path):
    ahead = [0.0]

    def clock(saved):
        return Clock(saved, boot="boot", wall=lambda: time.time() + ahead[0])

    async with running(tmp_path, clock=clock) as (driver, store):
        (reply,) = await driver.offer([request("too late by then")])
        looking = asyncio.create_task(driver.look_around(0.01))
        ahead[0] = 2 * RULES.expire
        await driver.ended(reply.row.id, 10)
        looking.cancel()
        assert (await store.row(reply.row.id)).status is Status.EXPIRED
