"""Web Push and Apprise devices: who gets what, and what becomes of it."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from notifyd.http.rate_limit import Rate
from notifyd.model.notifications import Json
from notifyd.relay import credentials, deliveries, devices
from notifyd.relay.devices import DeviceKind, NewDevice, Subscription
from support.push_service import allow_loopback, push_service
from support.visitor import Visitor, visiting

DAY = 86_400.0


@pytest.fixture
async def service(tmp_path, monkeypatch):
    async with push_service(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
async def visitor(service, relay_database):
    async with visiting(
        relay_database, rate=Rate(10_000, 60.0), may_push_to=allow_loopback
    ) as opened:
        yield opened


@pytest.fixture
async def token(visitor: Visitor) -> str:
    return (await visitor.minted("w1", name="laptop"))["token"]


async def ask_inbox(visitor: Visitor, method: str, path: str, body: Json | None = None):
    key = visitor.relay.inbox_url.partition("key=")[2]
    return await visitor.ask(method, f"/inbox/{path}?key={key}", json=body)


async def subscribed(visitor: Visitor, service, name: str, **wanted) -> str:
    """Let a page get pushes; return its device_id."""
    body = service.subscription(name).body | wanted
    answer = await ask_inbox(visitor, "POST", "push", body)
    assert answer.status == 200, answer
    return answer.json["device"]["device_id"]


async def stored(visitor: Visitor) -> list[dict]:
    return (await ask_inbox(visitor, "GET", "notifications")).json["notifications"]


async def until_undelivered(visitor: Visitor) -> list[dict]:
    async with asyncio.timeout(45):
        while not (found := (await stored(visitor))[-1].get("undelivered")):
            pass  # each time round asks the relay again
    return found


async def test_a_push_is_encrypted_for_its_page_and_says_how_urgent_it_is(
    visitor, service, token
) -> None:
    await subscribed(visitor, service, "phone")
    note = {
        "title": "Build failed",
        "body": "see the log",
        "data": {"priority": "urgent", "url": "https://ci.test/7", "notification_id": "n1"},
    }
    answer = await visitor.send(token, note)
    assert (answer.json["delivered"], answer.json["devices"]) == (1, 1)
    (message,) = await service.until(1)
    assert message.content == {
        "title": "Build failed",
        "body": "see the log",
        "tag": "w1/n1",
        "seq": 1,
        "priority": "urgent",
        "url": "https://ci.test/7",
    }
    headers = message.headers
    assert (headers["Urgency"], headers["TTL"]) == ("high", "86400")
    assert headers["Content-Encoding"] == "aes128gcm"
    assert len(headers["Topic"]) == 32


async def test_a_long_message_is_cut_so_that_every_service_takes_it(
    visitor, service, token
) -> None:
    await subscribed(visitor, service, "phone")
    await visitor.send(token, {"title": "t" * 500, "body": '"ä🙂\n' * 1000})
    (message,) = await service.until(1)
    assert 4080 <= message.size <= 4096
    assert message.content["body"].endswith("…")


async def test_devices_get_what_they_subscribe_to_and_are_counted_exactly(visitor, service) -> None:
    await subscribed(visitor, service, "all")
    await subscribed(visitor, service, "w1-only", workspaces=["w1"])
    await subscribed(visitor, service, "ci-only", channels=["ci", "cd"])
    app = {"device_id": "app", "fcm_token": "f", "workspaces": ["w2"]}
    assert (await visitor.manage("POST", "/notifications/devices", json=app)).status == 200
    expected = {
        ("w1", None): {"/all", "/w1-only"},
        ("w1", "ci"): {"/all", "/w1-only", "/ci-only"},
        ("w2", "ci"): {"/all", "/ci-only"},
        ("w2", None): {"/all"},
    }
    total = 0
    for (workspace, channel), paths in expected.items():
        metadata = {} if channel is None else {"channel": channel}
        token = (await visitor.minted(workspace, metadata=metadata))["token"]
        answer = await visitor.send(token)
        registered = 1 if workspace == "w2" else 0
        assert answer.json["devices"] == answer.json["delivered"] == len(paths) + registered
        messages = (await service.until(total + len(paths)))[total:]
        assert {message.path for message in messages} == paths
        total += len(paths)


async def test_a_page_that_is_open_and_gets_pushes_is_one_device(visitor, service, token) -> None:
    device = await subscribed(visitor, service, "phone", workspaces=["w1"])
    key = visitor.relay.inbox_url.partition("key=")[2]
    url = f"{visitor.relay.url}/inbox/events?key={key}&device={device}"
    other = (await visitor.minted("w2"))["token"]
    async with visitor.session.get(url) as stream, visitor.page() as plain:
        await plain.until_live()
        assert stream.status == 200
        assert (await visitor.send(token)).json["devices"] == 2
        assert (await visitor.send(other)).json["devices"] == 1


async def test_a_muted_device_gets_nothing_and_is_not_counted(visitor, service, token) -> None:
    device = await subscribed(visitor, service, "phone", mute=3600)
    assert (await visitor.send(token)).json["devices"] == 0
    answer = await ask_inbox(visitor, "GET", "push")
    assert answer.json["device"] is None
    assert len(answer.json["public_key"]) == 87
    visitor.clock.now += 3601
    assert (await visitor.send(token, {"title": "later"})).json["devices"] == 1
    (message,) = await service.until(1)
    assert message.content["title"] == "later"
    assert (await ask_inbox(visitor, "DELETE", f"push/{device}")).status == 200
    assert (await ask_inbox(visitor, "DELETE", f"push/{device}")).status == 404
    assert (await visitor.send(token)).json["devices"] == 0


async def test_a_busy_service_is_asked_again_when_it_said(visitor, service, token) -> None:
    service.answers["/phone"] = [(429, {"Retry-After": "600"}), (503, {})]
    await subscribed(visitor, service, "phone")
    await visitor.send(token, {"title": "one"})
    await service.until_asked(1)
    store = visitor.relay.store
    async with asyncio.timeout(45):
        while (due := await store.read(deliveries.next_due)) != visitor.clock.now + 600:
            pass
        visitor.clock.now = due
        await visitor.send(token, {"title": "two"})
        await service.until_asked(2)
        while (due := await store.read(deliveries.next_due)) == visitor.clock.now + 60:
            pass
    assert visitor.clock.now + 5 <= due <= visitor.clock.now + 10
    visitor.clock.now += 3600
    await visitor.send(token, {"title": "three"})
    messages = await service.until(3)
    assert [message.content["title"] for message in messages] == ["one", "two", "three"]
    assert "undelivered" not in (await stored(visitor))[-1]


async def test_a_service_that_hangs_delays_neither_senders_nor_other_devices(
    visitor, service, token
) -> None:
    service.answers["/slow"] = [None]
    await subscribed(visitor, service, "slow")
    await subscribed(visitor, service, "phone")
    for number in range(5):
        assert (await visitor.send(token, {"title": str(number)})).json["devices"] == 2
    messages = await service.until(5)
    assert [message.content["title"] for message in messages] == ["0", "1", "2", "3", "4"]
    assert {message.path for message in messages} == {"/phone"}


async def test_a_refusal_is_shown_with_the_notification(visitor, service, token) -> None:
    service.answers["/phone"] = [(400, {})]
    await subscribed(visitor, service, "phone")
    async with visitor.page() as page:
        await page.until_live()
        await visitor.send(token, {"title": "one"})
        reason = "localhost refused the message (400)"
        assert await until_undelivered(visitor) == [{"device": "phone", "reason": reason}]
        await page.event()
        changed = await page.event()
        assert changed.data["notifications"][0]["undelivered"][0]["reason"] == reason
    listed = await visitor.manage("GET", "/notifications/devices")
    assert listed.json["devices"][0]["problem"] == reason


async def test_a_redirect_is_not_followed(visitor, service, token) -> None:
    service.answers["/phone"] = [(307, {"Location": f"{service.url}/other"})]
    await subscribed(visitor, service, "phone")
    await visitor.send(token)
    assert "(307)" in (await until_undelivered(visitor))[0]["reason"]
    assert service.requests == ["/phone"]


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_has_ended_is_dropped(visitor, service, token, status) -> None:
    service.answers["/phone"] = [(status, {})]
    await subscribed(visitor, service, "phone")
    await visitor.send(token)
    assert (await until_undelivered(visitor))[0]["reason"] == "its push subscription has ended"
    assert (await visitor.manage("GET", "/notifications/devices")).json["devices"] == []
    assert (await visitor.send(token)).json["devices"] == 0


async def test_a_delivery_is_given_up_after_a_day(visitor, service, token) -> None:
    service.answers["/phone"] = [(500, {})]
    await subscribed(visitor, service, "phone")
    await visitor.send(token, {"title": "old"})
    await service.until_asked(1)
    async with asyncio.timeout(45):
        while not (await visitor.relay.store.read(devices.list_all))[0].problem:
            pass
    visitor.clock.now += DAY
    await visitor.send(token, {"title": "new"})
    (message,) = await service.until(1)
    assert message.content["title"] == "new"
    (failure,) = await until_undelivered(visitor)
    assert failure["reason"] == "gave up after 24 hours: localhost answered 500"


async def test_endpoints_must_be_https_and_public(visitor, service, token) -> None:
    for endpoint in (
        "http://push.example/x",
        "https://10.0.0.1/x",
        "https://[::1]/x",
        "https://user@push.example/x",
        "https://push.example/a b",
        "ftp://push.example/x",
    ):
        body = service.subscription("phone").body | {"endpoint": endpoint}
        answer = await ask_inbox(visitor, "POST", "push", body)
        assert (answer.status, answer.json["code"]) == (422, "validation_error"), endpoint
    for field in ("p256dh", "auth"):
        body = service.subscription("phone").body | {field: "AAAA"}
        assert (await ask_inbox(visitor, "POST", "push", body)).status == 422


async def test_a_name_that_leads_to_this_machine_is_not_connected_to(service) -> None:
    async with visiting() as visitor:
        await subscribed(visitor, service, "phone")
        await visitor.send((await visitor.minted())["token"])
        (failure,) = await until_undelivered(visitor)
    assert failure["reason"] == "localhost is not a public address"
    assert service.requests == []


async def test_the_wrong_key_gets_no_pushes(visitor, service) -> None:
    body = service.subscription("phone").body
    for method, path in (("GET", "push"), ("POST", "push"), ("DELETE", "push/web-1")):
        answer = await visitor.ask(method, f"/inbox/{path}?key=wrong", json=body)
        assert answer.status == 403


async def test_a_new_inbox_key_ends_the_pushes_of_all_pages(visitor, service, token) -> None:
    await subscribed(visitor, service, "phone")
    chat = NewDevice("chat", DeviceKind.APPRISE, "chat", "json://127.0.0.1:1", Subscription())
    await visitor.relay.store.run(devices.add, chat, 1.0)
    await visitor.relay.store.run(credentials.renew_inbox_key)
    left = (await visitor.manage("GET", "/notifications/devices")).json["devices"]
    assert [device["device_id"] for device in left] == ["chat"]
    assert (await visitor.send(token)).json["devices"] == 1


async def test_the_key_of_the_relay_stays_the_same(tmp_path) -> None:
    keys = set()
    for _ in range(2):
        async with visiting(tmp_path / "relay.db") as visitor:
            keys.add((await ask_inbox(visitor, "GET", "push")).json["public_key"])
    assert len(keys) == 1


async def test_a_notification_and_its_deliveries_are_committed_together(tmp_path, service) -> None:
    database = tmp_path / "relay.db"
    async with visiting(database, may_push_to=allow_loopback) as visitor:
        service.answers["/phone"] = [None]
        await subscribed(visitor, service, "phone")
        await visitor.send((await visitor.minted())["token"], {"title": "kept"})
        with closing(sqlite3.connect(database)) as reader:
            query = "SELECT workspace_id, workspace_seq, attempts FROM deliveries"
            assert reader.execute(query).fetchall() == [("w1", 1, 0)]
        await service.until_asked(1)
    async with visiting(database, may_push_to=allow_loopback):
        (message,) = await service.until(1)
    assert message.content["title"] == "kept"
