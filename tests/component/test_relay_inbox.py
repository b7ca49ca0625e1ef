import asyncio
import base64
import hashlib
import re
import socket
from contextlib import AsyncExitStack

import aiohttp
import pytest

from notifyd.http.rate_limit import Rate
from notifyd.model.errors import InUseError, NotifydError
from notifyd.relay import credentials, inbox, inbox_feed, server
from notifyd.relay.server import open_relay
from support.visitor import Visitor, visiting


@pytest.fixture
async def visitor():
    async with visiting(rate=Rate(1000, 60.0)) as opened:
        yield opened


@pytest.fixture
async def token(visitor: Visitor) -> str:
    return await visitor.relay.mint_token("w1", "laptop")


async def numbered(visitor: Visitor, token: str, numbers: range) -> None:
    for number in numbers:
        assert (await visitor.send(token, {"title": str(number)})).status == 200


def titles(events: list) -> list[str]:
    return [event.data["title"] for event in events]


async def test_the_security_policy_allows_only_the_page_s_own_script(visitor: Visitor) -> None:
    async with visitor.session.get(visitor.relay.inbox_url) as response:
        html, headers = await response.text(), response.headers
    assert response.content_type == "text/html"
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    for kind in ("script", "style"):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert policy[f"{kind}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


async def test_the_page_loads_nothing_and_never_inserts_markup(visitor: Visitor) -> None:
    async with visitor.session.get(visitor.relay.inbox_url) as response:
        html = await response.text()
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    assert re.findall(r"\bon\w+=|style=|\{\{", html) == []
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", html) == []
    )
    addresses = set(re.findall(r"https?://[\w.]+", html.replace("%3A//", "://")))
    assert addresses <= {"http://www.w3.org"}


async def test_the_icon_is_served(visitor: Visitor) -> None:
    async with visitor.session.get(visitor.relay.url + "/favicon.ico") as response:
        assert (response.status, response.content_type) == (200, "image/svg+xml")
        assert (await response.text()).startswith("<svg")


@pytest.mark.parametrize("query", ["", "?key=", "?key=wrong", "?key=%FF", "?Key=", "?key=\u00e9"])
@pytest.mark.parametrize("path", ["/inbox/events", "/inbox/manifest.webmanifest"])
async def test_a_wrong_key_is_refused(visitor: Visitor, path: str, query: str) -> None:
    answer = await visitor.ask("GET", path + query)
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    async with visitor.session.get(f"{visitor.relay.url}/inbox{query}") as response:
        assert (response.status, response.content_type) == (403, "text/html")
        assert "script" not in response.headers["Content-Security-Policy"]
        assert "notifyd relay inbox" in await response.text()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "host_refused"),
        ({"Host": "evil.example:8788"}, "host_refused"),
        ({"Origin": "http://evil.example"}, "origin_refused"),
        ({"Origin": "null"}, "origin_refused"),
    ],
)
async def test_pages_of_other_sites_are_refused_even_with_the_key(
    visitor: Visitor, token: str, headers: dict[str, str], code: str
) -> None:
    page = visitor.relay.inbox_url.removeprefix(visitor.relay.url)
    for path in (page, page.replace("/inbox?", "/inbox/events?")):
        answer = await visitor.ask("GET", path, headers=headers)
        assert (answer.status, answer.json["code"]) == (403, code)
    assert (await visitor.send(token, **headers)).status == 403


async def test_the_page_s_own_origin_is_accepted(visitor: Visitor) -> None:
    headers = {"Origin": visitor.relay.url}
    async with visitor.session.get(visitor.relay.inbox_url, headers=headers) as response:
        assert response.status == 200


async def test_an_open_page_receives_a_notification_unchanged(visitor: Visitor, token: str) -> None:
    async with visitor.page() as page:
        assert await page.until_live() == []
        await visitor.send(token, {"title": "<b>\u202e\n\ndata: x", "body": "b"})
        event = await page.event()
    assert (event.kind, event.id) == ("notification", "v1.1.0")
    assert event.data["title"] == "<b>\u202e\n\ndata: x"


async def test_a_new_page_receives_the_latest_notifications(visitor: Visitor, token: str) -> None:
    await numbered(visitor, token, range(inbox_feed.REPLAYED + 5))
    async with visitor.page() as page:
        replayed = await page.until_live()
        assert titles(replayed) == [str(number) for number in range(5, inbox_feed.REPLAYED + 5)]
        await visitor.send(token, {"title": "live"})
        assert titles([await page.event()]) == ["live"]


async def test_a_page_that_reconnects_misses_nothing(visitor: Visitor, token: str) -> None:
    await numbered(visitor, token, range(3))
    async with visitor.page() as page:
        last = (await page.until_live())[-1].id
    away = inbox_feed.REPLAYED * 2 + 7
    await numbered(visitor, token, range(3, 3 + away))
    async with visitor.page(last) as page:
        assert titles(await page.until_live()) == [str(number) for number in range(3, 3 + away)]


@pytest.mark.parametrize(
    "last", ["", "x", "-1", "2.0", "v1.99.0", "v2.1.0", "v1." + "9" * 100 + ".0", "v1.\u0663.0"]
)
async def test_an_invalid_last_event_id_means_a_new_page(
    visitor: Visitor, token: str, last: str
) -> None:
    await numbered(visitor, token, range(3))
    async with visitor.page(last) as page:
        assert titles(await page.until_live()) == ["0", "1", "2"]


async def test_a_renewed_key_ends_a_page_that_is_never_silent(
    visitor: Visitor, token: str, monkeypatch
) -> None:
    monkeypatch.setattr(inbox, "_KEY_CHECK", 0.0)
    async with visitor.page() as page:
        await page.until_live()
        await visitor.relay.store.run(credentials.renew_inbox_key)
        await numbered(visitor, token, range(1))
        assert await page.until_end() == []


async def test_the_number_of_open_pages_is_limited(visitor: Visitor) -> None:
    async with AsyncExitStack() as pages:
        for _ in range(inbox.MOST_PAGES):
            await (await pages.enter_async_context(visitor.page())).until_live()
        path = visitor.relay.inbox_url.removeprefix(visitor.relay.url)
        answer = await visitor.ask("GET", path.replace("/inbox?", "/inbox/events?"))
        assert (answer.status, answer.json["code"]) == (503, "too_many_pages")


async def test_pages_that_open_at_once_do_not_exceed_the_limit(visitor: Visitor) -> None:
    url = visitor.relay.inbox_url.replace("/inbox?", "/inbox/events?")
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        answers = await asyncio.gather(*(session.get(url) for _ in range(inbox.MOST_PAGES + 30)))
        statuses = [answer.status for answer in answers]
        for answer in answers:
            answer.close()
    assert (statuses.count(200), statuses.count(503)) == (inbox.MOST_PAGES, 30)


async def test_the_relay_stops_at_once_though_pages_are_open(monkeypatch) -> None:
    monkeypatch.setattr(server, "_GRACE", 600.0)
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        relay = await stack.enter_async_context(open_relay(":memory:"))
        async with Visitor(relay, session).page() as page:
            await page.until_live()
            async with asyncio.timeout(45):
                await stack.aclose()
            with pytest.raises(EOFError):
                await page.event()


async def test_a_port_in_use_is_an_error_before_credentials_are_created(tmp_path) -> None:
    async with open_relay(":memory:") as relay:
        port = int(relay.url.rpartition(":")[2])
        database = tmp_path / "relay.db"
        with pytest.raises(InUseError, match=rf"^127\.0\.0\.1:{port} is in use; .*--listen$"):
            async with open_relay(database, port=port):
                raise AssertionError
        assert not database.exists()


async def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(NotifydError, match=r"^cannot listen on 203\.0\.113\.9:1: "):
        async with open_relay(":memory:", "203.0.113.9", 1):
            raise AssertionError


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        pytest.param("::1", "[::1]", marks=ipv6),
        pytest.param("::", "[::1]", marks=ipv6),
    ],
)
async def test_the_printed_url_works(host: str, shown: str) -> None:
    async with visiting(host=host) as visitor:
        assert visitor.relay.url.startswith(f"http://{shown}:")
        assert (await visitor.send(await visitor.relay.mint_token("w", "n"))).status == 200
