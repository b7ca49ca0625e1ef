"""The events that commits publish, from an engine with a real database."""

import asyncio

import pytest

from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import TCP_PEER, Message, Priority
from notifyd.shaping.inputs import Cancelled, Muted, Submitted
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from notifyd.shaping.trace import LINE_CLIP
from support.engines import running
from support.histories import PEER, match
from support.logs import until

RULES = Rules(
    triggers={"app": Rule("app", debounce=0.0, cooldown=0.0), "calm": Rule("calm", debounce=20.0)},
    rate=Limit(100_000, 60.0),
    budget=Budget(100_000, 60.0, 100_000),
)
SECRET = "ghp_" + "a1B2" * 9


def request(title="hi", key="", peer=PEER):
    return Submitted(Message(title, ""), Priority.DEFAULT, peer, key)


def published(engine, kind=None):
    events = [event for _, event in engine.event_recorder.log.after(0, 1000)]
    return [event for event in events if kind in (None, event.kind)]


def shown(events, *names):
    return [tuple(event.data.get(name) for name in names) for event in events]


async def test_a_match_is_published_with_what_became_of_it(tmp_path):
    async with running(tmp_path, RULES) as (engine, _):
        await engine.apply([match("calm", "eu", line=f"token {SECRET}")])
        await engine.apply([match("app", line="boom")])
        first, second = published(engine, "match")
    assert first.data["did"] == "waiting"
    assert first.data["until"] - first.data["at"] == pytest.approx(20.0)
    assert (first.data["group"], first.data["matches"]) == (["eu"], 1)
    assert SECRET not in first.data["line"]
    assert (second.data["did"], second.data["line"]) == ("queued", "boom")
    assert first.uid is None  # what triggers matched is for admins


async def test_a_credential_that_is_clipped_is_masked(tmp_path):
    line = "connecting to ".ljust(LINE_CLIP - 30, ".") + " postgres://app:hunter2hunter2@db/orders"
    async with running(tmp_path, RULES) as (engine, _):
        await engine.apply([match("calm", line=line)])
        ((shown_line,),) = shown(published(engine, "match"), "line")
    assert shown_line.endswith(" postgres://app:***…")


async def test_a_burst_is_not_masked_while_nobody_follows(tmp_path):
    masked = []
    async with running(tmp_path, RULES) as (engine, _):
        engine.event_recorder.mask = lambda text: masked.append(text) or text
        await engine.apply([match("app", str(number), line="boom") for number in range(100)])
        assert not masked
        assert {each.data["line"] for each in published(engine, "match")} == {"boom"}
        assert masked


async def test_text_is_masked_as_the_configuration_says(tmp_path):
    async with running(tmp_path, RULES) as (engine, _):
        engine.event_recorder.mask = str
        await engine.apply([match("calm", line=SECRET)])
        assert shown(published(engine, "match"), "line") == [(SECRET,)]


async def test_every_change_of_a_notification_is_published_to_its_user(tmp_path):
    async with running(tmp_path, RULES) as (engine, _):
        await engine.apply([Muted("socket", 60.0)])
        await engine.apply([request("muted")])
        await engine.apply([Muted("socket", 0.0)])
        await engine.apply([request("old", "k")])
        (reply,) = await engine.apply([request("new", "k")])
        await engine.apply([Cancelled(PEER, reply.notification.id, "", is_admin=False)])
        await engine.apply([request(peer=TCP_PEER)])
        events = published(engine, "notification")
    assert shown(events, "status", "title", "count") == [
        ("merged", "muted", 1),
        ("queued", "socket", 1),  # the digest of the mute
        ("queued", "old", 1),
        ("replaced", "old", 1),
        ("queued", "new", 1),
        ("cancelled", "new", 1),
        ("queued", "hi", 1),
    ]
    assert [event.uid for event in events] == [1000, None, 1000, 1000, 1000, 1000, -1]
    assert events[0].data["merged_into"] == events[1].data["id"]
    assert events[2].data["body"] == "body"
    assert events[-1].data["client"] == "tcp"
    assert not published(engine, "match")  # a message is no match


async def test_each_outcome_of_an_attempt_is_published(tmp_path):
    async with running(tmp_path, RULES) as (engine, _):
        await engine.start_worker()
        await engine.apply([request()])
        first = await engine.next_attempt()
        await engine.report(
            Outcome(first.id, OutcomeKind.RETRY, "the API answered 503", pause=0.05)
        )
        second = await engine.next_attempt()
        report = {"delivered": 2, "failed": 0, "devices": 2}
        await engine.report(Outcome(second.id, OutcomeKind.DELIVERED, report=report))
        await engine.report(Outcome(second.id, OutcomeKind.DELIVERED, report=report))
        retried, delivered = published(engine, "delivery")
        statuses = shown(published(engine, "notification"), "status", "attempts")
    assert (retried.data["outcome"], retried.data["attempt"]) == ("retry", 1)
    assert retried.data["error"] == "the API answered 503"
    assert retried.data["until"] > retried.data["at"]
    assert delivered.data | report == delivered.data
    assert (delivered.data["outcome"], delivered.data["attempt"]) == ("delivered", 2)
    assert statuses == [("attempting", 1), ("queued", 1), ("attempting", 2), ("delivered", 2)]


async def test_nothing_is_published_before_it_is_on_disk(tmp_path):
    async with running(tmp_path, RULES) as (engine, store):
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        large = {"log:a": "x" * 100_000}
        waiting = asyncio.ensure_future(engine.apply([match("app")], large, rereadable=True))
        await until(lambda: engine.store_error)
        with pytest.raises(StoreUnavailableError):
            await engine.apply([request()], fail_fast=True)
        assert not published(engine)
        store._writer.execute("PRAGMA max_page_count = 100000")
        await waiting
        assert shown(published(engine), "did", "status") == [("queued", None), (None, "queued")]
