import asyncio
import sqlite3

import pytest
import structlog

from notifyd.http.errors import HttpError
from notifyd.http.rate_limit import Rate
from notifyd.relay import notifications, send_queue, sends
from notifyd.relay.inbox import open_pages
from notifyd.relay.send_queue import SendQueue
from notifyd.relay.sends import Send, StoreLimits
from notifyd.relay.store.sqlite import SqliteStore, SqliteTransaction
from notifyd.relay.tokens import TokenRefusal
from support.visitor import Visitor, visiting

NOTE = {"title": "Build finished", "body": "all green", "data": {"run_id": "abc"}}


@pytest.fixture
async def visitor(relay_database):
    async with visiting(relay_database, rate=Rate(10_000, 60.0)) as opened:
        yield opened


@pytest.fixture
async def token(visitor: Visitor) -> str:
    return (await visitor.minted("w1", name="laptop", metadata={"channel": "ci"}))["token"]


def figures(devices: int) -> dict:
    counts = {"success": True, "delivered": devices, "failed": 0, "devices": devices}
    kept = "kept in the inbox; open the inbox page to see it"
    return counts if devices else counts | {"reason": "no_device", "detail": kept}


async def test_without_a_device_a_notification_is_stored_and_reports_zero(
    visitor: Visitor, token: str
) -> None:
    answer = await visitor.send(token, NOTE)
    assert (answer.status, answer.json) == (200, figures(0))
    async with visitor.page() as page:
        assert [event.data["title"] for event in await page.until_live()] == ["Build finished"]


async def test_open_pages_and_registered_devices_are_counted(visitor: Visitor, token: str) -> None:
    device = {"device_id": "d", "fcm_token": "f", "platform": "android"}
    await visitor.manage("POST", "/notifications/devices", json=device)
    async with visitor.page() as one, visitor.page() as two:
        await one.until_live()
        await two.until_live()
        assert (await visitor.send(token)).json == figures(3)
    async with asyncio.timeout(45):
        while (await visitor.send(token)).json != figures(1):
            pass  # each time round asks the relay again


async def test_a_token_can_be_bound_to_one_device(visitor: Visitor) -> None:
    bound = (await visitor.minted("w1", metadata={"device_id": "d"}))["token"]
    async with visitor.page() as page:
        await page.until_live()
        assert (await visitor.send(bound)).json == figures(0)
        device = {"device_id": "d", "fcm_token": "f", "platform": "android"}
        await visitor.manage("POST", "/notifications/devices", json=device)
        assert (await visitor.send(bound)).json == figures(1)


async def test_the_token_s_workspace_and_channel_are_merged(visitor: Visitor, token: str) -> None:
    async with visitor.page() as page:
        await page.until_live()
        await visitor.send(token, NOTE | {"data": {"run_id": "abc", "workspace_id": "forged"}})
        event = await page.event()
    assert event.data == {
        "seq": 1,
        "workspace_seq": 1,
        "token": "laptop",
        "workspace_id": "w1",
        "title": "Build finished",
        "body": "all green",
        "data": {"run_id": "abc", "workspace_id": "w1", "channel": "ci"},
        "received_at": "2027-01-15T08:00:00.000Z",
        "source": "",
        "priority": "default",
        "outcome": "",
        "read": False,
        "archived": False,
        "question": None,
    }


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer onp_wrong", "Basic b25wXw==", "onp_wrong"]
)
async def test_an_unknown_token_is_401(visitor: Visitor, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await visitor.ask("POST", "/notifications/send", headers=headers, json=NOTE)
    assert (answer.status, answer.json["code"]) == (401, "authentication_error")
    assert answer.json["success"] is False
    assert answer.json["error"]


@pytest.mark.parametrize(
    ("body", "wanted", "words"),
    [
        (b"no json", (400, "invalid_json"), "not JSON"),
        (b"", (400, "invalid_json"), "not JSON"),
        (b"{}", (422, "validation_error"), "title, body"),
        (b'{"title": 5}', (422, "validation_error"), "title: "),
        (b'{"body": "b", "data": []}', (422, "validation_error"), "data: "),
        (b'{"title": "' + b"t" * 70_000 + b'"}', (413, "too_large"), "64KiB"),
    ],
)
async def test_an_invalid_request_is_refused_and_not_stored(
    visitor: Visitor, token: str, body: bytes, wanted: tuple[int, str], words: str
) -> None:
    answer = await visitor.send(token, body)
    assert (answer.status, answer.json["code"]) == wanted
    assert answer.json["success"] is False
    assert words in answer.json["error"]
    async with visitor.page() as page:
        assert await page.until_live() == []


async def test_other_paths_and_methods_are_refused_in_json(visitor: Visitor) -> None:
    answer = await visitor.ask("GET", "/notifications/nothing")
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert "/notifications/nothing" in answer.json["error"]
    answer = await visitor.ask("GET", "/notifications/send")
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"
    assert "POST" in answer.json["error"]


async def test_an_unexpected_error_is_logged_and_hidden_from_the_client() -> None:
    async def close(transaction: SqliteTransaction) -> None:
        transaction._connection.close()

    async with visiting() as visitor:
        token = (await visitor.minted())["token"]
        with pytest.raises(sqlite3.ProgrammingError):
            await visitor.relay.store.run(close)
        with structlog.testing.capture_logs() as logged:
            answer = await visitor.send(token)
    assert (answer.status, answer.json["code"]) == (503, "internal")
    assert "closed database" not in answer.json["error"]
    (entry,) = logged
    assert (entry["event"], entry["path"]) == ("request failed", "/notifications/send")
    assert entry["error"].startswith("ProgrammingError: ")
    assert token not in str(entry)


async def test_invalid_http_is_refused_and_not_logged(visitor: Visitor) -> None:
    host, port = visitor.relay.url.removeprefix("http://").split(":")
    with structlog.testing.capture_logs() as logged:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"\x16\x03\x01 not HTTP at all\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
        writer.close()
    assert logged == []


async def test_a_repeated_idempotency_key_gets_the_same_answer_and_is_shown_once(
    visitor: Visitor, token: str
) -> None:
    async with visitor.page() as page:
        await page.until_live()
        first = await visitor.send(token, {"title": "first"}, Idempotency_Key="k1")
        async with visitor.page() as other:
            await other.until_live()
            again = await visitor.send(token, {"title": "first"}, Idempotency_Key="k1")
        last = await visitor.send(token, {"title": "last"}, Idempotency_Key="k2")
        shown = [(await page.event()).data["title"] for _ in range(2)]
    assert first.json == again.json == figures(1)
    assert last.status == 200
    assert shown == ["first", "last"]


async def test_an_idempotency_key_belongs_to_one_workspace_and_lasts_a_day(
    visitor: Visitor, token: str
) -> None:
    other = (await visitor.minted("w2"))["token"]
    for sender in (token, other, token):
        await visitor.send(sender, Idempotency_Key="k")
    visitor.clock.now += 86_401
    await visitor.send(token, Idempotency_Key="k")
    async with visitor.page() as page:
        assert len(await page.until_live()) == 3


async def test_a_long_idempotency_key_is_refused(visitor: Visitor, token: str) -> None:
    answer = await visitor.send(token, Idempotency_Key="k" * 256)
    assert answer.status == 422
    assert answer.json["error"].startswith("Idempotency-Key: ")


async def test_a_workspace_beyond_its_rate_gets_429_with_retry_after() -> None:
    async with visiting(rate=Rate(3, 60.0)) as visitor:
        token, other = (await visitor.minted("w1"))["token"], (await visitor.minted("w2"))["token"]
        same_workspace = (await visitor.minted("w1"))["token"]
        for _ in range(3):
            assert (await visitor.send(token)).status == 200
            visitor.clock.now += 10
        for sender in (token, same_workspace):
            answer = await visitor.send(sender)
            assert (answer.status, answer.json["code"]) == (429, "rate_limited")
            assert answer.headers["Retry-After"] == "30"
        assert (await visitor.send(other)).status == 200
        visitor.clock.now += 29
        assert (await visitor.send(token)).headers["Retry-After"] == "1"
        visitor.clock.now += 1
        assert (await visitor.send(token)).status == 200
        async with visitor.page() as page:
            assert len(await page.until_live()) == 5


async def test_concurrent_notifications_are_stored_in_one_order(
    visitor: Visitor, token: str
) -> None:
    async with visitor.page() as one, visitor.page() as two:
        await one.until_live()
        await two.until_live()
        answers = await asyncio.gather(
            *(visitor.send(token, {"title": str(number)}) for number in range(80))
        )
        assert all(answer.json == figures(2) for answer in answers)
        seen = [[(await page.event()).data for _ in range(80)] for page in (one, two)]
    assert seen[0] == seen[1]
    assert [data["seq"] for data in seen[0]] == list(range(1, 81))
    assert {data["title"] for data in seen[0]} == {str(number) for number in range(80)}


async def test_concurrent_sends_with_one_key_are_stored_once(visitor: Visitor, token: str) -> None:
    async with visitor.page() as page:
        await page.until_live()
        sent = [visitor.send(token, {"title": "once"}, Idempotency_Key="k") for _ in range(20)]
        assert {str(answer.json) for answer in await asyncio.gather(*sent)} == {str(figures(1))}
        await visitor.send(token, {"title": "last"})
        assert [(await page.event()).data["title"] for _ in range(2)] == ["once", "last"]


async def send_raw(visitor: Visitor, token: str, key: bytes) -> int:
    """Send a notification whose key has any bytes; return the status."""
    host, port = visitor.relay.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /notifications/send HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 13\r\n"
    head += f"Authorization: Bearer {token}\r\nIdempotency-Key: "
    writer.write(head.encode() + key + b'\r\n\r\n{"title":"x"}')
    status = int((await reader.readuntil(b"\r\n")).split()[1])
    writer.close()
    return status


async def test_a_key_that_is_no_text_is_refused(visitor: Visitor, token: str) -> None:
    assert await send_raw(visitor, token, b"k\xff") == 422
    assert await send_raw(visitor, token, "ключ".encode()) == 200


async def test_one_send_that_cannot_be_stored_harms_no_other_of_its_batch(
    visitor: Visitor, token: str, monkeypatch
) -> None:
    row = notifications._row

    def fail(new, wall):
        if new.title == "bad":
            raise ValueError("this one cannot be stored")
        return row(new, wall)

    monkeypatch.setattr(notifications, "_row", fail)
    titles = ["bad" if number % 10 == 5 else f"good {number}" for number in range(40)]
    answers = await asyncio.gather(*(visitor.send(token, {"title": each}) for each in titles))
    assert [answer.status for answer in answers] == [
        503 if each == "bad" else 200 for each in titles
    ]
    async with visitor.page() as page:
        shown = sorted(event.data["title"] for event in await page.until_live())
    assert shown == sorted(each for each in titles if each != "bad")


async def test_sends_are_stored_though_old_ones_cannot_be_deleted(monkeypatch) -> None:
    async def fail(*_arguments: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(sends, "prune", fail)
    monkeypatch.setattr(send_queue, "_PRUNE_SHARE", 1_000_000)
    async with visiting() as visitor:
        token = (await visitor.minted("w1"))["token"]
        with structlog.testing.capture_logs() as logged:
            async with asyncio.timeout(45):
                for _ in range(3):
                    assert (await visitor.send(token)).status == 200
    assert {entry["event"] for entry in logged} == {"cannot delete what is too old"}


async def test_nul_is_replaced_for_databases_without_it(visitor: Visitor, token: str) -> None:
    async with visitor.page() as page:
        await page.until_live()
        note = {"title": "a\0b", "body": "c\0", "data": {"trigger": "t\0", "x": "\0"}}
        assert (await visitor.send(token, note)).status == 200
        shown = (await page.event()).data
    assert (shown["title"], shown["body"], shown["source"]) == ("a\ufffdb", "c\ufffd", "t\ufffd")


async def test_more_sends_than_may_wait_are_refused() -> None:
    store = await SqliteStore.open(":memory:")
    queue = SendQueue(store, open_pages(), StoreLimits(), lambda: 0.0)
    send = Send("onp_none", "t", None, {})
    waiting = [asyncio.create_task(queue.submit(send)) for _ in range(2000)]
    await asyncio.sleep(0)
    with pytest.raises(HttpError, match="2000 notifications wait"):
        await queue.submit(send)
    running = asyncio.create_task(queue.run())
    assert set(await asyncio.gather(*waiting)) == {TokenRefusal.UNKNOWN}
    running.cancel()
    await store.close()
