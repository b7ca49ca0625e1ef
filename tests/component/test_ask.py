"""`notifyd ask` against a real relay: the question on the page, the answer on standard output."""

import asyncio
import json
import signal
import sys
import time

import pytest

from notifyd.http.rate_limit import Rate
from notifyd.model.errors import StoreUnavailableError
from notifyd.relay.send_queue import SendQueue
from notifyd.relay.sends import Send
from support.command import Ran, run
from support.platform import Platform
from support.replies import status
from support.visitor import Visitor, visiting


@pytest.fixture
async def visitor():
    async with visiting(rate=Rate(1000, 60.0), wall=time.time) as opened:
        yield opened


async def ask(visitor: Visitor, *words: str, **environ: str) -> Ran:
    token = await visitor.relay.mint_token("w1", "laptop")
    given = {"NOTIFYD_API__URL": visitor.relay.url, "NOTIFYD_SEND_TOKEN": token, **environ}
    return await run("ask", *words, **given)


async def answer(visitor: Visitor, page, text: str) -> dict:
    """Answer the next question that the page shows; return the notification."""
    shown = (await page.event()).data
    key, secret = shown["question"]["key"], visitor.relay.inbox_url.partition("key=")[2]
    body = {"workspace_id": "w1", "answer": text}
    path = f"/notifications/questions/{key}/answer?key={secret}"
    assert (await visitor.ask("POST", path, json=body)).status == 200
    return shown


async def test_the_answer_is_printed(visitor: Visitor) -> None:
    async with visitor.page() as page:
        await page.until_live()
        ran, shown = await asyncio.gather(
            ask(visitor, "Deploy to production?\nAll tests passed."), answer(visitor, page, "No")
        )
    assert (ran.status, ran.out, ran.err) == (0, "No\n", "")
    assert (shown["title"], shown["body"]) == ("Deploy to production?", "All tests passed.")
    assert shown["question"]["options"] == ["Yes", "No"]
    assert (shown["priority"], shown["data"]["trigger"]) == ("high", "socket")


async def test_options_and_json(visitor: Visitor) -> None:
    words = ("--option", "now", "--option", "tonight", "-t", "Restart", "--json", "Which time?")
    async with visitor.page() as page:
        await page.until_live()
        ran, shown = await asyncio.gather(ask(visitor, *words), answer(visitor, page, "tonight"))
    assert json.loads(ran.out) == {"status": "answered", "answer": "tonight"}
    assert (shown["title"], shown["body"]) == ("Restart", "Which time?")


async def test_without_an_answer_the_question_is_withdrawn(visitor: Visitor) -> None:
    async with visitor.page() as page:
        await page.until_live()
        ran = await ask(visitor, "Anybody?", "--timeout", "200ms")
        assert (ran.status, ran.out) == (75, "")
        assert ran.err == "notifyd ask: no answer within 200ms\n"
        assert (await page.event()).kind == "notification"
        (state,) = (await page.event()).data["notifications"]
        assert state["question"]["answer"] is None
        assert state["question"]["withdrawn_at"] is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_withdraws_the_question(visitor: Visitor, number: signal.Signals) -> None:
    token = await visitor.relay.mint_token("w1", "laptop")
    environ = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "NOTIFYD_SEND_TOKEN": token}
    async with visitor.page() as page:
        await page.until_live()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "notifyd", "ask", "Deploy?"),
            env=environ | {"NOTIFYD_API__URL": visitor.relay.url},
        )
        assert (await page.event()).kind == "notification"
        process.send_signal(number)
        (state,) = (await page.event()).data["notifications"]
        assert state["question"]["withdrawn_at"] is not None
        assert await process.wait() == 128 + number


async def test_a_question_is_withdrawn_if_the_answer_to_its_request_was_lost(
    visitor: Visitor, monkeypatch
) -> None:
    submit = SendQueue.submit

    async def lose(self: SendQueue, send: Send) -> None:
        await submit(self, send)
        raise StoreUnavailableError("lost on the way")

    monkeypatch.setattr(SendQueue, "submit", lose)
    async with visitor.page() as page:
        await page.until_live()
        ran = await ask(visitor, "Deploy?")
        assert (ran.status, ran.out) == (75, "")
        assert (await page.event()).kind == "notification"
        (state,) = (await page.event()).data["notifications"]
        assert state["question"]["withdrawn_at"] is not None


async def test_a_server_without_answers_is_told_nothing() -> None:
    async with Platform() as platform:
        platform.plan(status(404))
        ran = await run("ask", "Deploy?", **platform.environment)
    assert (ran.status, ran.out) == (69, "")
    assert "takes no answers: `notifyd ask` needs a relay" in ran.err
    assert [each.method for each in platform.received] == ["GET"]


async def test_a_wrong_token_and_an_unreachable_server(visitor: Visitor) -> None:
    refused = await ask(visitor, "Deploy?", NOTIFYD_SEND_TOKEN="onp_wrong")
    assert refused.status == 77
    assert "the send token was refused" in refused.err
    assert "unknown send token): store a new one in the variable" in refused.err
    away = await ask(visitor, "Deploy?", NOTIFYD_API__URL="http://127.0.0.1:9")
    assert (away.status, "cannot connect to 127.0.0.1:9" in away.err) == (75, True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--option", "A"), "2 to 5 options"),
        (("--option", "A", "--option", "A"), "must differ"),
        (("--option", "A", "--option", "x" * 41), "1 to 40 characters"),
        (("--timeout", "10"), "add a unit"),
        (("--timeout", "8d"), 'at most "7d"'),
    ],
)
async def test_wrong_words_are_refused(visitor: Visitor, words: tuple, sentence: str) -> None:
    ran = await ask(visitor, *words, "Deploy?")
    assert (ran.status, ran.out) == (2, "")
    assert sentence in ran.err
