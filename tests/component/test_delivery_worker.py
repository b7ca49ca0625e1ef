import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from notifyd.config.token import TokenSource
from notifyd.delivery.client import SendClient
from notifyd.delivery.worker import deliver
from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.errors import StoreUnavailableError
from notifyd.model.events import Now
from notifyd.model.notifications import Payload
from support.platform import Platform
from support.post import parcel
from support.replies import Reply, hang, ok, reset_before, slow, status

NEW = "onp_the-new-token"


class Desk:
    """Hands out the orders that it is given and keeps what it is told, in the order it happened."""

    def __init__(self, *orders: str) -> None:
        self.orders: asyncio.Queue[SendAttempt] = asyncio.Queue()
        for notification_id in orders:
            self.place(notification_id)
        self.parcels: dict[str, Payload | Exception] = {}
        self.told: asyncio.Queue[Outcome | str] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()

    def place(self, notification_id: str, failures: int = 0, streak: int = 0) -> None:
        self.orders.put_nowait(SendAttempt(notification_id, failures + 1, failures, streak))

    async def next_order(self) -> SendAttempt:
        return await self.orders.get()

    async def parcel(self, notification_id: str) -> Payload:
        found = self.parcels.get(notification_id, parcel(notification_id))
        if isinstance(found, Exception):
            raise found
        return found

    async def report(self, outcome: Outcome) -> None:
        self.told.put_nowait(outcome)
        await self.gate.wait()

    async def token_changed(self) -> None:
        self.told.put_nowait("token changed")

    async def hears(self) -> Outcome | str:
        async with asyncio.timeout(5):
            return await self.told.get()

    async def hears_verdict(self) -> OutcomeKind:
        outcome = await self.hears()
        assert isinstance(outcome, Outcome), outcome
        return outcome.verdict


def token_file(path: Path) -> TokenSource:
    return TokenSource(str(path), path=path)


class LookedAt(type(Path())):
    """A path that counts how often its file is looked at."""

    looks = 0

    def stat(self, **options):
        LookedAt.looks += 1
        return super().stat(**options)


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{Platform.token}\n")
    return token_file(path)


@asynccontextmanager
async def working(desk, platform, tokens, jitter=0.5, look=0.01) -> AsyncIterator[asyncio.Task]:
    async with SendClient(platform.url, 5) as client:
        worker = asyncio.create_task(
            deliver(desk, client, tokens, now=lambda: Now(1, 1), random=lambda: jitter, look=look)
        )
        try:
            yield worker
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


async def test_orders_are_sent_as_they_come_and_each_is_reported(tokens):
    desk = Desk("a", "b", "c")
    async with Platform() as platform, working(desk, platform, tokens):
        platform.plan(ok(), status(422), ok(devices=0))
        told = [await desk.hears() for _ in range(3)]
        assert [request.id for request in platform.received] == ["a", "b", "c"]
    assert [(outcome.id, outcome.verdict) for outcome in told] == [
        ("a", OutcomeKind.DELIVERED),
        ("b", OutcomeKind.FAILED),
        ("c", OutcomeKind.NO_DEVICE),
    ]


async def test_nothing_else_is_sent_until_an_outcome_is_on_disk(tokens):
    desk = Desk("a", "b")
    desk.gate.clear()
    async with Platform() as platform, working(desk, platform, tokens):
        platform.plan(slow(0.05))
        await desk.hears()
        assert len(platform.received) == 1
        assert desk.orders.qsize() == 1
        desk.gate.set()
        await platform.wait(2)
        assert platform.busiest == 1


async def test_a_failure_is_given_back_with_its_backoff(tokens):
    desk = Desk()
    desk.place("a", failures=2, streak=4)
    async with Platform() as platform, working(desk, platform, tokens, jitter=1.0):
        platform.plan(reset_before())
        outcome = await desk.hears()
    assert outcome.verdict is OutcomeKind.RETRY
    assert (outcome.pause, outcome.own_pause) == (16, 4)


async def test_a_changed_token_file_is_used_for_the_next_request(tokens):
    desk = Desk("a")
    async with Platform() as platform, working(desk, platform, tokens):
        await desk.hears()
        tokens.path.write_text(NEW)
        platform.tokens = {NEW}
        desk.place("b")
        assert await desk.hears_verdict() is OutcomeKind.DELIVERED
        assert [request.token for request in platform.received] == [Platform.token, NEW]


@pytest.mark.parametrize(
    "way", ["written", "renamed", "gone and empty first", "same size and time"]
)
async def test_a_new_token_after_a_refusal_is_told_at_once(way, tokens):
    desk = Desk("a")
    async with Platform() as platform, working(desk, platform, tokens):
        tokens.path.write_text(NEW[:-1] + "O")
        platform.tokens = {NEW}
        outcome = await desk.hears()
        assert outcome.verdict is OutcomeKind.REFUSED
        assert outcome.reason.endswith(f"give a new one in {tokens.path}")
        if way == "renamed":
            fresh = tokens.path.with_name("fresh")
            fresh.write_text(NEW)
            fresh.rename(tokens.path)
        elif way == "same size and time":
            found = tokens.path.stat()
            tokens.path.write_text(NEW)
            os.utime(tokens.path, ns=(found.st_atime_ns, found.st_mtime_ns))
        else:
            for gone in (tokens.path.unlink, tokens.path.touch):
                if way == "gone and empty first":
                    gone()
                    await asyncio.sleep(0.03)  # several looks: there is nothing to try
                    assert desk.told.empty()
            tokens.path.write_text(NEW)
        assert await desk.hears() == "token changed"
        desk.place("a")
        assert await desk.hears_verdict() is OutcomeKind.DELIVERED


async def test_a_token_that_comes_while_the_old_one_is_tried_is_noticed(tokens):
    desk = Desk("a")
    async with Platform() as platform, working(desk, platform, tokens):
        platform.plan(Reply(401, delay=0.1))
        await platform.wait(1)
        tokens.path.write_text(NEW)
        assert await desk.hears_verdict() is OutcomeKind.REFUSED
        assert await desk.hears() == "token changed"


async def test_a_new_token_is_told_only_once_the_refusal_is_on_disk(tokens):
    desk = Desk("a")
    desk.gate.clear()
    async with Platform() as platform, working(desk, platform, tokens, look=0.001):
        platform.tokens = {NEW}
        assert await desk.hears_verdict() is OutcomeKind.REFUSED
        tokens.path.write_text(NEW)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert desk.told.empty()
        desk.gate.set()
        assert await desk.hears() == "token changed"


async def test_the_token_file_is_left_alone_while_all_is_well(tmp_path, tokens):
    LookedAt.looks = 0
    watched = token_file(LookedAt(tokens.path))
    desk = Desk("a", "b")
    async with Platform() as platform, working(desk, platform, watched, look=0.001):
        platform.plan(slow(0.05), slow(0.05))
        await desk.hears()
        await desk.hears()
        assert LookedAt.looks == 2


async def test_a_delivery_ends_the_looking(tokens):
    LookedAt.looks = 0
    watched = token_file(LookedAt(tokens.path))
    desk = Desk("a")
    async with Platform() as platform, working(desk, platform, watched, look=0.001):
        platform.plan(status(403))
        assert await desk.hears_verdict() is OutcomeKind.FORBIDDEN
        desk.place("b")
        assert await desk.hears_verdict() is OutcomeKind.DELIVERED
        platform.plan(slow(0.02), slow(0.05))
        desk.place("c")
        await desk.hears()
        before = LookedAt.looks
        desk.place("d")
        await desk.hears()
        assert LookedAt.looks == before + 1


async def test_a_missing_token_is_a_refusal_that_ends_when_the_file_comes(tmp_path):
    tokens, desk = token_file(tmp_path / "token"), Desk("a")
    async with Platform() as platform, working(desk, platform, tokens):
        outcome = await desk.hears()
        assert (outcome.verdict, outcome.pause) == (OutcomeKind.REFUSED, 0)
        assert f"cannot be read from {tokens.path}: No such file" in outcome.reason
        assert platform.received == []
        tokens.path.write_text(Platform.token)
        assert await desk.hears() == "token changed"


@pytest.mark.parametrize("token", ["", "two words", "two\nlines", "nul\0", "grün", "\x7f", "a\rb"])
async def test_a_token_that_no_header_can_carry_is_a_refusal(token, tokens):
    tokens.path.write_text(token, newline="")
    desk = Desk("a")
    async with Platform() as platform, working(desk, platform, tokens):
        outcome = await desk.hears()
        assert platform.sockets == 0
    assert outcome.verdict is OutcomeKind.REFUSED
    assert str(tokens.path) in outcome.reason
    assert not token or token not in outcome.reason


async def test_one_that_cannot_be_written_as_json_fails_and_the_next_goes_on(tokens):
    desk = Desk("a", "b")
    desk.parcels["a"] = Payload("a", "T", "", {"value": float("inf")})
    async with Platform() as platform, working(desk, platform, tokens):
        outcome = await desk.hears()
        assert (outcome.verdict, outcome.reason) == (
            OutcomeKind.FAILED,
            "its data cannot be written as JSON",
        )
        assert await desk.hears_verdict() is OutcomeKind.DELIVERED


async def test_text_that_cannot_be_read_from_the_store_is_tried_again(tokens):
    desk = Desk("a")
    desk.parcels["a"] = StoreUnavailableError("the disk is full")
    async with Platform() as platform, working(desk, platform, tokens):
        outcome = await desk.hears()
    assert (outcome.verdict, outcome.reason) == (OutcomeKind.RETRY, "the disk is full")


async def test_an_echoed_token_does_not_reach_the_outcome(tokens):
    desk = Desk("a", "b")
    async with Platform() as platform, working(desk, platform, tokens):
        platform.plan(status(401, f"unknown {Platform.token}"), ok(reason=Platform.token))
        told = [await desk.hears(), await desk.hears()]
    assert "[token]" in told[0].reason
    assert Platform.token not in repr(told)


async def test_the_end_cuts_an_attempt_off_without_an_outcome(tokens):
    desk = Desk("a")
    async with Platform() as platform, working(desk, platform, tokens) as worker:
        platform.plan(hang())
        await platform.wait(1)
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
        assert desk.told.empty()
