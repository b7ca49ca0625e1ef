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
from support.post import payload
from support.replies import Reply, hang, ok, reset_before, slow, status

NEW = "onp_the-new-token"


class MemoryQueue:
    """Hands out attempts and records reports in order; holds them while `accepting` is clear."""

    def __init__(self, *ids: str) -> None:
        self.attempts: asyncio.Queue[SendAttempt] = asyncio.Queue()
        for notification_id in ids:
            self.put(notification_id)
        self.payloads: dict[str, Payload | Exception] = {}
        self.reports: asyncio.Queue[Outcome | str] = asyncio.Queue()
        self.accepting = asyncio.Event()
        self.accepting.set()

    def put(self, notification_id: str, failures: int = 0, consecutive_failures: int = 0) -> None:
        self.attempts.put_nowait(
            SendAttempt(notification_id, failures + 1, failures, consecutive_failures)
        )

    async def next_attempt(self) -> SendAttempt:
        return await self.attempts.get()

    async def payload(self, notification_id: str) -> Payload:
        found = self.payloads.get(notification_id, payload(notification_id))
        if isinstance(found, Exception):
            raise found
        return found

    async def report(self, outcome: Outcome) -> None:
        self.reports.put_nowait(outcome)
        await self.accepting.wait()

    async def token_changed(self) -> None:
        self.reports.put_nowait("token changed")

    async def next_report(self) -> Outcome | str:
        async with asyncio.timeout(45):
            return await self.reports.get()

    async def next_outcome_kind(self) -> OutcomeKind:
        outcome = await self.next_report()
        assert isinstance(outcome, Outcome), outcome
        return outcome.kind


def token_file(path: Path) -> TokenSource:
    return TokenSource(str(path), path=path)


class CountingPath(type(Path())):
    """A path that counts its `stat` calls."""

    stats = 0

    def stat(self, **options):
        CountingPath.stats += 1
        return super().stat(**options)


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{Platform.token}\n")
    return token_file(path)


@asynccontextmanager
async def working(
    queue, platform, tokens, jitter=0.5, poll_interval=0.01
) -> AsyncIterator[asyncio.Task]:
    async with SendClient(platform.url, 5) as client:
        worker = asyncio.create_task(
            deliver(
                queue,
                client,
                tokens,
                now=lambda: Now(1, 1),
                random=lambda: jitter,
                poll_interval=poll_interval,
            )
        )
        try:
            yield worker
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


async def test_attempts_are_sent_in_order_and_each_is_reported(tokens):
    queue = MemoryQueue("a", "b", "c")
    async with Platform() as platform, working(queue, platform, tokens):
        platform.plan(ok(), status(422), ok(devices=0))
        reports = [await queue.next_report() for _ in range(3)]
        assert [request.id for request in platform.received] == ["a", "b", "c"]
    assert [(outcome.id, outcome.kind) for outcome in reports] == [
        ("a", OutcomeKind.DELIVERED),
        ("b", OutcomeKind.FAILED),
        ("c", OutcomeKind.NO_DEVICE),
    ]


async def test_nothing_else_is_sent_until_an_outcome_is_on_disk(tokens):
    queue = MemoryQueue("a", "b")
    queue.accepting.clear()
    async with Platform() as platform, working(queue, platform, tokens):
        platform.plan(slow(0.05))
        await queue.next_report()
        assert len(platform.received) == 1
        assert queue.attempts.qsize() == 1
        queue.accepting.set()
        await platform.wait(2)
        assert platform.busiest == 1


async def test_a_failure_is_reported_with_its_backoff(tokens):
    queue = MemoryQueue()
    queue.put("a", failures=2, consecutive_failures=4)
    async with Platform() as platform, working(queue, platform, tokens, jitter=1.0):
        platform.plan(reset_before())
        outcome = await queue.next_report()
    assert outcome.kind is OutcomeKind.RETRY
    assert (outcome.pause, outcome.own_pause) == (16, 4)


async def test_a_changed_token_file_is_used_for_the_next_request(tokens):
    queue = MemoryQueue("a")
    async with Platform() as platform, working(queue, platform, tokens):
        await queue.next_report()
        tokens.path.write_text(NEW)
        platform.tokens = {NEW}
        queue.put("b")
        assert await queue.next_outcome_kind() is OutcomeKind.DELIVERED
        assert [request.token for request in platform.received] == [Platform.token, NEW]


@pytest.mark.parametrize(
    "way", ["written", "renamed", "gone and empty first", "same size and time"]
)
async def test_a_new_token_after_a_refusal_is_reported_at_once(way, tokens):
    queue = MemoryQueue("a")
    async with Platform() as platform, working(queue, platform, tokens):
        tokens.path.write_text(NEW[:-1] + "O")
        platform.tokens = {NEW}
        outcome = await queue.next_report()
        assert outcome.kind is OutcomeKind.REFUSED
        assert outcome.reason.endswith(f"store a new one in {tokens.path}")
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
                    await asyncio.sleep(0.03)  # several polls: there is no token to try
                    assert queue.reports.empty()
            tokens.path.write_text(NEW)
        assert await queue.next_report() == "token changed"
        queue.put("a")
        assert await queue.next_outcome_kind() is OutcomeKind.DELIVERED


async def test_a_token_written_during_a_request_with_the_old_one_is_noticed(tokens):
    queue = MemoryQueue("a")
    async with Platform() as platform, working(queue, platform, tokens):
        platform.plan(Reply(401, delay=0.1))
        await platform.wait(1)
        tokens.path.write_text(NEW)
        assert await queue.next_outcome_kind() is OutcomeKind.REFUSED
        assert await queue.next_report() == "token changed"


async def test_a_new_token_is_reported_only_after_the_refusal_is_on_disk(tokens):
    queue = MemoryQueue("a")
    queue.accepting.clear()
    async with Platform() as platform, working(queue, platform, tokens, poll_interval=0.001):
        platform.tokens = {NEW}
        assert await queue.next_outcome_kind() is OutcomeKind.REFUSED
        tokens.path.write_text(NEW)
        for _ in range(20):
            await asyncio.sleep(0.001)  # for the report, which must not come yet
        assert queue.reports.empty()
        queue.accepting.set()
        assert await queue.next_report() == "token changed"


async def test_the_token_file_is_not_polled_while_sending_succeeds(tmp_path, tokens):
    CountingPath.stats = 0
    watched = token_file(CountingPath(tokens.path))
    queue = MemoryQueue("a", "b")
    async with Platform() as platform, working(queue, platform, watched, poll_interval=0.001):
        platform.plan(slow(0.05), slow(0.05))
        await queue.next_report()
        await queue.next_report()
        assert CountingPath.stats == 2


async def test_a_delivery_stops_the_polling(tokens):
    CountingPath.stats = 0
    watched = token_file(CountingPath(tokens.path))
    queue = MemoryQueue("a")
    async with Platform() as platform, working(queue, platform, watched, poll_interval=0.001):
        platform.plan(status(403))
        assert await queue.next_outcome_kind() is OutcomeKind.FORBIDDEN
        queue.put("b")
        assert await queue.next_outcome_kind() is OutcomeKind.DELIVERED
        platform.plan(slow(0.02), slow(0.05))
        queue.put("c")
        await queue.next_report()
        before = CountingPath.stats
        queue.put("d")
        await queue.next_report()
        assert CountingPath.stats == before + 1


async def test_a_missing_token_is_a_refusal_until_the_file_appears(tmp_path):
    tokens, queue = token_file(tmp_path / "token"), MemoryQueue("a")
    async with Platform() as platform, working(queue, platform, tokens):
        outcome = await queue.next_report()
        assert (outcome.kind, outcome.pause) == (OutcomeKind.REFUSED, 0)
        assert f"cannot read the send token from {tokens.path}: No such file" in outcome.reason
        assert platform.received == []
        tokens.path.write_text(Platform.token)
        assert await queue.next_report() == "token changed"


@pytest.mark.parametrize("token", ["", "two words", "two\nlines", "nul\0", "grün", "\x7f", "a\rb"])
async def test_a_token_that_no_header_can_carry_is_a_refusal(token, tokens):
    tokens.path.write_text(token, newline="")
    queue = MemoryQueue("a")
    async with Platform() as platform, working(queue, platform, tokens):
        outcome = await queue.next_report()
        assert platform.sockets == 0
    assert outcome.kind is OutcomeKind.REFUSED
    assert str(tokens.path) in outcome.reason
    assert not token or token not in outcome.reason


async def test_a_payload_that_json_cannot_hold_fails_and_the_next_is_sent(tokens):
    queue = MemoryQueue("a", "b")
    queue.payloads["a"] = Payload("a", "T", "", {"value": float("inf")})
    async with Platform() as platform, working(queue, platform, tokens):
        outcome = await queue.next_report()
        assert (outcome.kind, outcome.reason) == (
            OutcomeKind.FAILED,
            "its data cannot be written as JSON",
        )
        assert await queue.next_outcome_kind() is OutcomeKind.DELIVERED


async def test_a_payload_that_cannot_be_read_from_the_store_is_retried(tokens):
    queue = MemoryQueue("a")
    queue.payloads["a"] = StoreUnavailableError("the disk is full")
    async with Platform() as platform, working(queue, platform, tokens):
        outcome = await queue.next_report()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.RETRY, "the disk is full")


async def test_an_echoed_token_does_not_reach_the_outcome(tokens):
    queue = MemoryQueue("a", "b")
    async with Platform() as platform, working(queue, platform, tokens):
        platform.plan(status(401, f"unknown {Platform.token}"), ok(reason=Platform.token))
        reports = [await queue.next_report(), await queue.next_report()]
    assert "[token]" in reports[0].reason
    assert Platform.token not in repr(reports)


async def test_cancelling_the_worker_reports_no_outcome(tokens):
    queue = MemoryQueue("a")
    async with Platform() as platform, working(queue, platform, tokens) as worker:
        platform.plan(hang())
        await platform.wait(1)
        worker.cancel()
        with pytest.raises(asyncio.CancelledError):
            await worker
        assert queue.reports.empty()
