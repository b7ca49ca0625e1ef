import asyncio
from contextlib import AsyncExitStack

import aiohttp
import pytest

from notifyd.http.rate_limit import Rate
from notifyd.relay import question_routes, sends, server
from notifyd.relay.server import open_relay
from support.visitor import CLIENT, Answer, Visitor, visiting

QUESTION = {
    "title": "Deploy?",
    "actions": [{"label": "Yes"}, {"label": "No"}, {"label": "Log", "url": "https://ci.test/1"}],
    "answer_within": 60,
}


@pytest.fixture
async def visitor(relay_database):
    async with visiting(relay_database, rate=Rate(1000, 60.0)) as opened:
        yield opened


@pytest.fixture
async def token(visitor: Visitor) -> str:
    return (await visitor.minted("w1"))["token"]


async def ask(visitor: Visitor, token: str, key: str = "q1") -> None:
    answer = await visitor.send(token, QUESTION, Idempotency_Key=key)
    assert answer.status == 200, answer


async def look(visitor: Visitor, token: str, key: str = "q1", wait: str = "0s") -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return await visitor.ask("GET", f"/notifications/questions/{key}?wait={wait}", headers=headers)


async def answer(
    visitor: Visitor, text: str, key: str = "q1", workspace: str = "w1", **fields: int
) -> Answer:
    secret = visitor.relay.inbox_url.partition("key=")[2]
    body = {"workspace_id": workspace, "answer": text, **fields}
    path = f"/notifications/questions/{key}/answer?key={secret}"
    return await visitor.ask("POST", path, json=body)


async def test_an_answer_reaches_the_sender_that_waits_and_every_page(
    visitor: Visitor, token: str
) -> None:
    async with visitor.page() as page:
        await page.until_live()
        await ask(visitor, token)
        shown = await page.event()
        assert shown.data["question"]["options"] == ["Yes", "No"]
        assert shown.data["data"]["actions"] == [{"label": "Log", "url": "https://ci.test/1"}]
        waiting = asyncio.create_task(look(visitor, token, wait="60s"))
        assert (await answer(visitor, "Yes")).json["question"]["status"] == "answered"
        question = (await waiting).json["question"]
        assert (question["status"], question["answer"]) == ("answered", "Yes")
        (state,) = (await page.event()).data["notifications"]
        assert (state["seq"], state["read"], state["question"]["answer"]) == (1, True, "Yes")


async def test_the_first_answer_counts_and_the_loser_learns_it(
    visitor: Visitor, token: str
) -> None:
    await ask(visitor, token)
    answers = await asyncio.gather(*(answer(visitor, text) for text in ["Yes", "No"] * 5))
    assert sorted(each.status for each in answers) == [200] + [409] * 9
    (won,) = [each.json["question"]["answer"] for each in answers if each.status == 200]
    assert {each.json["question"]["answer"] for each in answers} == {won}
    assert {each.json["code"] for each in answers if each.status == 409} == {"answered"}


async def test_a_timeout_decides_nothing(visitor: Visitor, token: str) -> None:
    await ask(visitor, token)
    visitor.clock.now += 60
    late = await answer(visitor, "Yes")
    assert (late.status, late.json["code"]) == (409, "expired")
    question = (await look(visitor, token)).json["question"]
    assert (question["status"], question["answer"]) == ("expired", None)


async def test_a_withdrawn_question_takes_no_answer(visitor: Visitor, token: str) -> None:
    await ask(visitor, token)
    headers = {"Authorization": f"Bearer {token}"}
    for _ in range(2):
        path = "/notifications/questions/q1"
        ended = await visitor.ask("DELETE", path, headers=headers)
        assert ended.json["question"]["status"] == "withdrawn"
    assert (await answer(visitor, "Yes")).json["code"] == "withdrawn"


async def test_an_old_card_does_not_answer_a_later_question_with_its_key(
    visitor: Visitor, token: str
) -> None:
    note = QUESTION | {"answer_within": 7 * 86_400}
    for _ in range(2):
        assert (await visitor.send(token, note, Idempotency_Key="q1")).status == 200
        visitor.clock.now += sends.KEY_LIFETIME + 1
    late = await answer(visitor, "Yes", workspace_seq=1)
    assert (late.status, late.json["code"]) == (409, "replaced")
    assert (await look(visitor, token)).json["question"]["status"] == "open"
    assert (await answer(visitor, "No", workspace_seq=2)).status == 200


async def test_a_question_belongs_to_its_workspace(visitor: Visitor, token: str) -> None:
    other = (await visitor.minted("w2"))["token"]
    await ask(visitor, token)
    for missing in (await look(visitor, other), await look(visitor, token, "q2")):
        assert (missing.status, missing.json["code"]) == (404, "unknown_question")
    assert (await answer(visitor, "Yes", workspace="w2")).status == 404
    await ask(visitor, other)
    await answer(visitor, "No", workspace="w2")
    assert (await look(visitor, token)).json["question"]["status"] == "open"


async def test_who_may_ask_look_and_answer(visitor: Visitor, token: str) -> None:
    await ask(visitor, token)
    assert (await look(visitor, "onp_none")).status == 401
    body = {"workspace_id": "w1", "answer": "Yes"}
    path = "/notifications/questions/q1/answer?key=wrong"
    assert (await visitor.ask("POST", path, json=body)).status == 403
    assert (await answer(visitor, "Maybe")).status == 422
    assert (await visitor.send(token, QUESTION)).json["error"].startswith("Idempotency-Key")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"actions": [{"label": "A"}, {"label": "A"}]}, "must differ"),
        ({"actions": [{"label": ""}]}, "actions.0.label"),
        ({"actions": [{"label": "x" * 41}]}, "actions.0.label"),
        ({"actions": [{"label": str(n)} for n in range(6)]}, "actions: "),
        ({"actions": [{"label": "A", "url": "javascript:alert(1)"}]}, "http or https"),
        ({"actions": [{"label": "A"}], "answer_within": 0}, "answer_within"),
        ({"actions": [{"label": "A"}], "answer_within": 10**9}, "answer_within"),
    ],
)
async def test_a_wrong_question_is_refused(
    visitor: Visitor, token: str, fields: dict, words: str
) -> None:
    sent = await visitor.send(token, {"title": "t", **fields}, Idempotency_Key="k")
    assert (sent.status, sent.json["code"]) == (422, "validation_error")
    assert words in sent.json["error"]


async def test_requests_that_wait_are_limited_and_answered_when_the_relay_stops(
    monkeypatch,
) -> None:
    monkeypatch.setattr(server, "_GRACE", 600.0)
    monkeypatch.setattr(question_routes, "_LOOK_AGAIN", 600.0)
    monkeypatch.setattr(question_routes, "_MOST_OF_WORKSPACE", 3)
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        relay = await stack.enter_async_context(open_relay(":memory:", client=CLIENT))
        visitor = Visitor(relay, session)
        token = (await visitor.minted("w1"))["token"]
        await ask(visitor, token)
        waiting = [asyncio.create_task(look(visitor, token, wait="60s")) for _ in range(4)]
        done, left = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=45)
        (refused,) = [task.result() for task in done]
        assert (refused.status, refused.json["code"]) == (503, "too_many_waiting")
        assert (await look(visitor, token)).json["question"]["status"] == "open"
        async with asyncio.timeout(45):
            await stack.aclose()
        answers = await asyncio.gather(*left)
    assert {answer.json["question"]["status"] for answer in answers} == {"open"}
