import asyncio

import pytest

from notifyd.http.rate_limit import Rate
from notifyd.relay import inbox_queries, sends
from notifyd.relay.changes import DELETED_KEPT
from notifyd.relay.sends import StoreLimits
from support.visitor import Visitor, visiting


@pytest.fixture
async def visitor(relay_database):
    async with visiting(relay_database, rate=Rate(1000, 60.0)) as opened:
        yield opened


@pytest.fixture
async def token(visitor: Visitor) -> str:
    return (await visitor.minted("w1", name="laptop", metadata={"channel": "ci"}))["token"]


async def inbox(visitor: Visitor, path: str, **parameters: object) -> dict:
    key = visitor.relay.inbox_url.partition("key=")[2]
    params = {"key": key, **{name: str(value) for name, value in parameters.items()}}
    answer = await visitor.ask("GET", f"/inbox/{path}", params=params)
    assert answer.status == 200, answer
    return answer.json


async def titles(visitor: Visitor, **parameters: object) -> list[str]:
    found = await inbox(visitor, "notifications", **parameters)
    return [each["title"] for each in found["notifications"]]


async def change(visitor: Visitor, **body: object) -> dict:
    key = visitor.relay.inbox_url.partition("key=")[2]
    answer = await visitor.ask("POST", f"/inbox/changes?key={key}", json=body)
    assert answer.status == 200, answer
    return answer.json


async def send(visitor: Visitor, token: str, *numbers: int, **data: object) -> None:
    for number in numbers:
        sent = await visitor.send(token, {"title": str(number), "data": data})
        assert sent.status == 200


async def test_older_notifications_are_listed_page_by_page(visitor: Visitor, token: str) -> None:
    await send(visitor, token, *range(1, 8))
    first = await inbox(visitor, "notifications", limit=3)
    assert [each["title"] for each in first["notifications"]] == ["7", "6", "5"]
    assert await titles(visitor, limit=3, before=first["next"]) == ["4", "3", "2"]
    last = await inbox(visitor, "notifications", limit=3, before=2)
    assert (len(last["notifications"]), last["next"]) == (1, None)


async def test_a_list_is_filtered_and_searched_on_the_server(visitor: Visitor, token: str) -> None:
    other = (await visitor.minted("w2"))["token"]
    await send(visitor, token, 1, trigger="build", priority="high", outcome="failure")
    await send(visitor, token, 2, trigger="build", outcome="success")
    await send(visitor, other, 3, trigger="100%_done", priority=["no word"], place="Köln 🚀")
    await visitor.send(other, {"title": "ÄRGER im Zug", "body": "second line"})
    for wanted, found in (
        ({"workspace": "w2"}, ["ÄRGER im Zug", "3"]),
        ({"source": "build"}, ["2", "1"]),
        ({"channel": "ci", "outcome": "failure"}, ["1"]),
        ({"priority": "high"}, ["1"]),
        ({"priority": "default"}, ["ÄRGER im Zug", "3", "2"]),
        ({"q": "ärger LINE"}, ["ÄRGER im Zug"]),
        ({"q": "%_d"}, ["3"]),
        ({"q": "KÖLN 🚀"}, ["3"]),
        ({"q": "%"}, ["3"]),
        ({"q": "nowhere"}, []),
    ):
        assert await titles(visitor, **wanted) == found, wanted


async def test_what_was_read_stays_read_and_can_be_undone(visitor: Visitor, token: str) -> None:
    await send(visitor, token, 1, 2, 3)
    assert (await change(visitor, action="read", seqs=[2]))["changed"] == 1
    assert await titles(visitor, view="unread") == ["3", "1"]
    assert await change(visitor, action="read", seqs=[2, 99]) == {
        "success": True,
        "revision": 0,
        "changed": 0,
    }
    everything = await change(visitor, action="read", up_to=3)
    assert everything["changed"] == 2
    assert (await inbox(visitor, "summary"))["unread"] == 0
    assert (await change(visitor, action="unread", revision=everything["revision"]))["changed"] == 2
    assert await titles(visitor, view="unread") == ["3", "1"]


async def test_archived_and_deleted_ones_leave_the_inbox(visitor: Visitor, token: str) -> None:
    await send(visitor, token, 1, 2, 3)
    await change(visitor, action="archive", seqs=[1])
    deleted = await change(visitor, action="delete", seqs=[2])
    assert await titles(visitor) == ["3"]
    assert await titles(visitor, view="archive") == ["1"]
    await change(visitor, action="restore", revision=deleted["revision"])
    assert await titles(visitor) == ["3", "2"]


async def test_deleting_is_final_after_ten_minutes(visitor: Visitor, token: str) -> None:
    await send(visitor, token, 1, 2)
    deleted = await change(visitor, action="delete", seqs=[1])
    visitor.clock.now += DELETED_KEPT
    await visitor.relay.store.run(sends.prune, visitor.clock(), StoreLimits())
    restored = await change(visitor, action="restore", revision=deleted["revision"])
    assert restored["changed"] == 0
    assert (await inbox(visitor, "summary"))["stored"] == 1


async def test_a_page_that_was_away_reads_its_list_again_after_deletions(
    visitor: Visitor, token: str
) -> None:
    await send(visitor, token, 1, 2, 3)
    await change(visitor, action="delete", seqs=[1, 3])
    visitor.clock.now += DELETED_KEPT
    await visitor.relay.store.run(sends.prune, visitor.clock(), StoreLimits())
    async with visitor.page("v1.3.0") as page:
        assert [event.kind for event in await page.until_live()] == ["reset"]
    async with visitor.page("v1.3.1") as page:
        assert await page.until_live() == []


async def test_the_summary_counts_and_draws(visitor: Visitor, token: str) -> None:
    await send(visitor, token, 1, trigger="build")
    visitor.clock.now += 5400
    await send(visitor, token, 2, 3, trigger="train")
    await send(visitor, token, 4)
    summary = await inbox(visitor, "summary")
    assert (summary["unread"], summary["stored"]) == (4, 4)
    assert summary["sources"] == {"train": 2, "build": 1}
    assert (summary["workspaces"], summary["channels"]) == ({"w1": 4}, {"ci": 4})
    assert summary["bars"][-2:] == [{"build": 1}, {"train": 2, "": 1}]
    assert len((await inbox(visitor, "summary", period="month"))["bars"]) == 24


async def test_pages_that_ask_at_once_share_a_summary(
    visitor: Visitor, token: str, monkeypatch
) -> None:
    await send(visitor, token, 1)
    made = []

    async def summarize(*arguments):
        made.append(arguments)
        return await original(*arguments)

    original = inbox_queries.summarize
    monkeypatch.setattr(inbox_queries, "summarize", summarize)
    answers = await asyncio.gather(*(inbox(visitor, "summary") for _ in range(40)))
    assert {answer["unread"] for answer in answers} == {1}
    assert len(made) < 40
    await send(visitor, token, 2)
    assert (await inbox(visitor, "summary"))["unread"] == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"action": "burn", "seqs": [1]}, "action: "),
        ({"action": "read"}, "exactly one"),
        ({"action": "read", "seqs": [1], "up_to": 2}, "exactly one"),
        ({"action": "delete", "up_to": 2}, "only for the action read"),
        ({"action": "read", "seqs": [-1]}, "seqs.0: "),
        ({"action": "read", "seqs": [10**30]}, "seqs.0: "),
        ({"action": "read", "seqs": [0] * 1001}, "seqs: "),
        ({"action": "delete", "revision": 0}, "revision: "),
    ],
)
async def test_a_wrong_change_is_refused(visitor: Visitor, body: dict, words: str) -> None:
    key = visitor.relay.inbox_url.partition("key=")[2]
    answer = await visitor.ask("POST", f"/inbox/changes?key={key}", json=body)
    assert (answer.status, answer.json["code"]) == (422, "validation_error")
    assert words in answer.json["error"]


@pytest.mark.parametrize("path", ["notifications", "summary", "changes"])
async def test_a_wrong_key_is_refused(visitor: Visitor, path: str) -> None:
    method = "POST" if path == "changes" else "GET"
    answer = await visitor.ask(method, f"/inbox/{path}?key=wrong", json={})
    assert (answer.status, answer.json["code"]) == (403, "forbidden")


async def test_open_pages_follow_what_another_page_does(visitor: Visitor, token: str) -> None:
    await send(visitor, token, 1, 2)
    cursor = (await inbox(visitor, "notifications"))["cursor"]
    async with visitor.page(cursor) as page, visitor.page(cursor) as other:
        assert await page.until_live() == await other.until_live() == []
        await change(visitor, action="archive", seqs=[1])
        for each in (page, other):
            event = await each.event()
            assert event.kind == "changes"
            assert event.data["notifications"] == [
                {"seq": 1, "read": False, "archived": True, "deleted": False, "question": None}
            ]
        await send(visitor, token, 3)
        event = await page.event()
        assert (event.kind, event.data["title"], event.id) == ("notification", "3", "v1.3.1")
    async with visitor.page("v1.3.0") as late:
        assert [event.kind for event in await late.until_live()] == ["changes"]


async def test_a_page_reads_its_list_again_after_very_many_changes(
    visitor: Visitor, token: str
) -> None:
    batch = [sends.Send(token, str(number), None, {}) for number in range(501)]
    limits = StoreLimits(Rate(1000, 60.0))
    await visitor.relay.store.run(sends.accept, batch, pages=0, wall=1.0, limits=limits)
    async with visitor.page("v1.501.0") as page:
        await page.until_live()
        await change(visitor, action="read", up_to=501)
        event = await page.event()
        assert (event.kind, event.id) == ("reset", "v1.501.1")
