"""What who operates a relay relies on: health, metrics, a log, an end in order, old data gone."""

import argparse
import asyncio
import re
import threading
from pathlib import Path

import aiohttp
import pytest
import yaml
from structlog.testing import capture_logs

from notifyd.cli import relay as relay_command
from notifyd.relay import changes, notifications, sends, server
from notifyd.relay.request_log import mask_query
from notifyd.relay.sends import Send, StoreLimits
from notifyd.relay.server import open_relay
from support.visitor import CLIENT, Visitor, visiting

EXAMPLES = Path(__file__).parents[2] / "examples"
BASIC = aiohttp.encode_basic_auth(CLIENT.id, CLIENT.secret)


async def drop_notifications(transaction) -> None:
    await transaction.execute("DROP TABLE notifications")


async def text(visitor: Visitor, path: str, **headers: str) -> tuple[int, str]:
    async with visitor.session.get(visitor.relay.url + path, headers=headers) as response:
        return response.status, await response.text()


async def test_health_is_one_word_for_everybody_whatever_the_host() -> None:
    async with visiting() as visitor:
        answer = await visitor.ask("GET", "/healthz", headers={"Host": "relay-1:8788"})
        assert (answer.status, answer.json) == (200, {"success": True, "status": "ok"})
        answer = await visitor.ask("GET", "/inbox/summary", headers={"Host": "relay-1:8788"})
        assert answer.status == 403
        await visitor.relay.store.run(drop_notifications)
        answer = await visitor.ask("GET", "/healthz")
        assert (answer.status, answer.json["status"]) == (503, "store_unavailable")


async def test_metrics_need_the_client_s_credentials() -> None:
    async with visiting() as visitor:
        assert (await text(visitor, "/metrics"))[0] == 401
        assert (await text(visitor, "/metrics", Authorization="Basic ###"))[0] == 401
        wrong = aiohttp.encode_basic_auth(CLIENT.id, "guessed")
        assert (await text(visitor, "/metrics", Authorization=wrong))[0] == 401
        token = await visitor.relay.mint_token("w1", "t")
        await visitor.send(token)
        await visitor.ask(
            "POST", "/fleet/report", json={}, headers={"Authorization": f"Bearer {token}"}
        )
        status, shown = await text(visitor, "/metrics", Authorization=BASIC)
        assert status == 200
        for line in (
            'notifyd_relay_requests_total{status="200"} 2.0',
            'notifyd_relay_requests_total{status="401"} 3.0',
            "notifyd_relay_stored_notifications 1.0",
            'notifyd_relay_workspaces{state="ok"} 1.0',
            'notifyd_relay_workspaces{state="missing"} 0.0',
        ):
            assert line in shown.splitlines()
        assert "w1" not in shown


async def test_requests_are_logged_without_secrets() -> None:
    async with visiting(is_logging=True) as visitor:
        key = visitor.relay.inbox_url.partition("key=")[2]
        token = await visitor.relay.mint_token("w1", "t")
        with capture_logs() as logged:
            await visitor.send(token, {"title": "private"})
            await text(visitor, f"/inbox/notifications?key={key}&limit=5&q=private")
            await text(visitor, "/inbox/summary?key=wrong")
            await text(visitor, "/%0a/x")
        shown = [(each["method"], each["path"], each["status"]) for each in logged]
        assert shown == [
            ("POST", "/notifications/send", 200),
            ("GET", "/inbox/notifications?key=***&limit=5&q=***", 200),
            ("GET", "/inbox/summary?key=***", 403),
            ("GET", "/%0A/x", 404),
        ]
        assert all(each["remote"] == "127.0.0.1" and each["ms"] >= 0 for each in logged)
        for secret in (key, token, "private"):
            assert secret not in str(logged)


def test_a_query_is_masked_however_it_is_written() -> None:
    assert mask_query("/a") == "/a"
    assert mask_query("/a?ke%79=s&KEY=s&view=unread&x") == "/a?key=***&KEY=***&view=unread&x=***"
    assert "s3cret" not in mask_query("/a?key=s3cret;view=s3cret")
    assert len(mask_query("/" + "a" * 9000)) <= 2000


async def test_a_stop_answers_what_is_in_flight_and_ends_streams_with_a_hint() -> None:
    is_held, may_go_on = threading.Event(), threading.Event()

    async def hold(_transaction) -> None:
        is_held.set()
        may_go_on.wait(45)

    async with aiohttp.ClientSession() as session:
        async with open_relay(":memory:", client=CLIENT) as relay:
            token = await relay.mint_token("w1", "t")
            stream = await session.get(relay.inbox_url.replace("/inbox?", "/inbox/events?"))
            await stream.content.readuntil(b"event: live")
            holding = asyncio.create_task(relay.store.run(hold))
            await asyncio.to_thread(is_held.wait, 45)
            headers = {"Authorization": f"Bearer {token}"}
            url, note = f"{relay.url}/notifications/send", {"title": "in flight"}
            sending = asyncio.create_task(session.post(url, json=note, headers=headers))
            for _ in range(3):  # what was sent before it has arrived by then
                await (await session.get(f"{relay.url}/none")).read()
            ending = asyncio.create_task(stream.content.read())
            asyncio.get_running_loop().call_later(0.1, may_go_on.set)
        assert (await sending).status == 200
        await holding
        assert re.search(rb"\n\nretry: [1-6]\d\d\d\n\n$", await ending)


async def test_a_part_that_fails_is_logged_and_the_others_go_on() -> None:
    going_on = asyncio.Event()

    async def fail() -> None:
        raise ValueError("unexpected")

    async def go_on() -> None:
        await asyncio.sleep(0)
        going_on.set()
        await asyncio.Event().wait()

    with capture_logs() as logged:
        async with server._running(fail(), go_on()), asyncio.timeout(45):
            await going_on.wait()
    (entry,) = logged
    assert (entry["log_level"], str(entry["exc_info"])) == ("error", "unexpected")
    assert entry["part"].endswith("fail")


async def test_old_data_is_deleted_without_any_request(tmp_path) -> None:
    file = tmp_path / "relay.db"
    async with visiting(file) as visitor:
        token = await visitor.relay.mint_token("w1", "t")
        old, newest = Send(token, "old", None, {}), Send(token, "new", None, {})
        await visitor.relay.store.run(
            sends.accept, [old, newest], pages=0, wall=visitor.clock.now, limits=StoreLimits()
        )
        await visitor.relay.store.run(changes.apply, changes.Action.DELETE, [1], 1.0)
    async with visiting(file) as visitor, asyncio.timeout(45):
        while True:
            if await visitor.relay.store.read(notifications.count) == 1:
                break
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("origin", ["https://relay.example", "https://RELAY.example"])
async def test_a_relay_behind_a_proxy_serves_its_public_name(origin: str) -> None:
    async with visiting(public_url="https://relay.example/") as visitor:
        assert visitor.relay.inbox_url.startswith("https://relay.example/inbox?key=")
        visitor.relay.url = f"http://127.0.0.1:{visitor.relay.port}"
        key = visitor.relay.inbox_url.partition("?")[2]
        path, body = f"/inbox/changes?{key}", {"action": "read", "up_to": 1}
        headers = {"Host": "relay.example", "Origin": origin}
        assert (await visitor.ask("POST", path, json=body, headers=headers)).status == 200
        headers["Origin"] = "https://other.example"
        assert (await visitor.ask("POST", path, json=body, headers=headers)).status == 403


def test_the_compose_example_starts_relays_with_words_that_exist() -> None:
    example = yaml.safe_load((EXAMPLES / "compose-relay.yaml").read_text())
    services = example["services"]
    assert set(services) == {"relay-1", "relay-2", "database", "proxy"}
    words = [
        word.replace("${RELAY_NAME:?set it to the name of the proxy}", "r.example")
        for word in services["relay-1"]["command"]
    ]
    parser = argparse.ArgumentParser()
    relay_command.add_arguments(parser)
    assert words[0] == "relay"
    arguments = parser.parse_args(words[1:])
    assert (arguments.url, arguments.access_log) == ("https://r.example", True)
    for service in services.values():
        assert set(service["networks"]) <= set(example["networks"])
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in example["volumes"]
    assert "reverse_proxy relay-1:8788 relay-2:8788" in example["configs"]["caddyfile"]["content"]
