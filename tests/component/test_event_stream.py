"""`GET /v1/events`: what clients get, from when on, and when it ends."""

import asyncio
import os
from contextlib import AsyncExitStack

import pytest

from notifyd.api.event_log import EVENTS_KEPT, EventKind, LiveEvent
from notifyd.api.routes import events as event_routes
from notifyd.config.sections import SocketConfig
from notifyd.http import event_stream
from support.event_reader import following
from support.socket_api import (
    GENEROUS,
    TCP_TOKEN,
    Daemon,
    ask,
    ask_as,
    daemon,
    identity,
    open_directory,
    tcp_daemon,
)

BEARER = {"Authorization": f"Bearer {TCP_TOKEN}"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def match(number, trigger="app"):
    return LiveEvent(EventKind.MATCH, trigger, None, lambda: {"at": 1.7e9, "n": number})


def delivery(uid, outcome="retry"):
    data = {"id": f"of-{uid}", "outcome": outcome, "error": "cannot read /etc/secret"}
    return LiveEvent(EventKind.DELIVERY, "socket", uid, lambda: data)


def numbers(events):
    return [event.data["n"] for event in events]


async def test_events_arrive_live_with_ids_and_times_for_people(served: Daemon):
    log = served.control.event_log
    log.publish([match(1)])
    async with following(served.path) as reader:
        assert await reader.until_live() == []
        log.publish([match(2)])
        event = await reader.event()
    assert (event.kind, event.id) == ("match", "run-2")
    assert event.data["n"] == 2
    assert event.data["at_iso"].startswith("2023-11-1")


async def test_a_client_that_comes_back_misses_nothing(served: Daemon):
    log = served.control.event_log
    log.publish(map(match, range(1, 301)))
    async with following(served.path, "run-4") as reader:
        assert numbers(await reader.until_live()) == list(range(5, 301))


@pytest.mark.parametrize(
    ("last", "reason"),
    [("before-7", "restarted"), ("run-1", "too_old"), ("run-99999", "unknown_id")],
)
async def test_a_client_is_told_first_that_events_may_be_missing(served: Daemon, last, reason):
    served.control.event_log.publish(map(match, range(1, EVENTS_KEPT + 6)))
    async with following(served.path, last) as reader:
        gap, *rest = await reader.until_live()
    assert (gap.kind, gap.data, gap.id) == ("gap", {"reason": reason}, "run-5")
    assert numbers(rest) == list(range(6, EVENTS_KEPT + 6))


async def test_one_trigger_can_be_followed_and_a_misspelt_one_is_refused(served: Daemon):
    log = served.control.event_log
    async with following(served.path, query="?trigger=app") as reader:
        await reader.until_live()
        log.publish([match(1, "other"), match(2)])
        assert numbers([await reader.event()]) == [2]
    refused = await ask(served.path, "GET", "/v1/events?trigger=nope")
    assert refused.refusal == (422, "unknown_trigger")


async def test_a_quiet_stream_is_kept_alive_and_moves_its_position_on(served: Daemon, monkeypatch):
    monkeypatch.setattr(event_stream, "_KEEP_ALIVE", 0.05)
    log = served.control.event_log
    async with following(served.path, query="?trigger=app") as reader:
        await reader.until_live()
        log.publish([match(1, "other")])
        async with asyncio.timeout(45):
            while (await reader._stream.readuntil(b"\n\n")) != b"id: run-1\n: keep-alive\n\n":
                pass


# --- who sees what


@needs_root
async def test_users_see_their_own_events_and_admins_all():
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_directory())
        settings = SocketConfig(mode="0666", rate=GENEROUS)
        running = await stack.enter_async_context(daemon(folder / "s", settings))
        with identity(4001, 4001):
            alice = await stack.enter_async_context(following(running.path))
            await alice.until_live()
        root = await stack.enter_async_context(following(running.path))
        await root.until_live()
        mine = [delivery(4001), delivery(4001, "failed")]
        running.control.event_log.publish([match(1), delivery(4002), delivery(None), *mine])
        seen = [await alice.event() for _ in mine]
        assert [each.data["id"] for each in seen] == ["of-4001", "of-4001"]
        assert "/etc" not in seen[0].data["error"]  # paths are for admins
        assert seen[1].data["error"] == "cannot read /etc/secret"  # about the notification itself
        assert len([await root.event() for _ in range(5)]) == 5


async def test_the_tcp_client_sees_its_own_events_only():
    async with tcp_daemon() as tcp, following(f"http://{tcp.host}", **BEARER) as reader:
        await reader.until_live()
        tcp.control.event_log.publish([match(1), delivery(0), delivery(-1)])
        assert (await reader.event()).data["id"] == "of--1"


async def test_pages_and_clients_without_the_token_get_no_stream():
    async with tcp_daemon() as tcp:
        assert (await tcp.ask("GET", "/v1/events")).status == 401
        origin = f"Authorization: Bearer {TCP_TOKEN}\r\nOrigin: http://evil.example\r\n"
        assert (await tcp.ask("GET", "/v1/events", headers=origin)).status == 403


# --- bounds


@needs_root
async def test_a_user_with_too_many_streams_locks_nobody_out(monkeypatch):
    monkeypatch.setattr(event_routes, "MOST_STREAMS", 3)
    monkeypatch.setattr(event_routes, "STREAMS_PER_USER", 3)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_directory())
        settings = SocketConfig(mode="0666", rate=GENEROUS)
        path = (await stack.enter_async_context(daemon(folder / "s", settings))).path
        with identity(4001, 4001):
            for _ in range(3):
                reader = await stack.enter_async_context(following(path))
                await reader.until_live()
        for who in ((4001, 4001, ()), (4002, 4002, ())):
            refused = await ask_as(who, path, "GET", "/v1/events")
            assert refused.refusal == (503, "too_many_streams")
        for _ in range(3):  # root, with all places taken
            reader = await stack.enter_async_context(following(path))
            await reader.until_live()
        assert (await ask(path, "GET", "/v1/events")).refusal == (503, "too_many_streams")
        assert (await ask(path, "GET", "/v1/status")).status == 200


async def test_a_closed_stream_frees_its_place(served: Daemon, monkeypatch):
    monkeypatch.setattr(event_routes, "STREAMS_PER_USER", 1)
    async with daemon(served.path.with_name("t")) as running:
        for _ in range(3):
            async with following(running.path) as reader:
                await reader.until_live()


async def test_a_client_that_reads_too_slowly_is_disconnected_and_told_of_the_gap(served: Daemon):
    log = served.control.event_log
    async with following(served.path) as reader:
        await reader.until_live()
        log.publish(map(match, range(1, 2 * EVENTS_KEPT)))  # more than are kept, at once
        assert await reader.until_end() == []
        assert reader.comments[-1] == "too slow: events were lost; reconnect"
    async with following(served.path, "run-0") as reader:
        assert (await reader.event()).data == {"reason": "too_old"}


async def test_a_client_that_stops_reading_loses_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(event_routes, "STREAMS_PER_USER", 1)
    monkeypatch.setattr(event_stream, "_WRITE_WITHIN", 0.05)
    long = LiveEvent(EventKind.MATCH, "app", None, lambda: {"at": 1.7e9, "n": "x" * 100_000})
    async with daemon(tmp_path / "s") as running, following(running.path) as reader:
        await reader.until_live()
        with pytest.raises(AssertionError, match="too_many_streams"):
            async with following(running.path):
                pass
        running.control.event_log.publish([long] * 100)
        assert await is_admitted(running.path)


async def is_admitted(path):
    """Wait until there is a place for a stream."""
    async with asyncio.timeout(45):
        while True:
            try:
                async with following(path):
                    return True
            except AssertionError:
                await asyncio.sleep(0.02)


# --- the end


async def test_streams_end_with_the_daemon_after_the_last_event(tmp_path):
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(daemon(tmp_path / "s"))
        async with following(running.path) as reader:
            await reader.until_live()
            running.control.event_log.publish([match(1)])
            async with asyncio.timeout(45):
                await stack.aclose()
            assert numbers(await reader.until_end()) == [1]
            assert reader.comments == ["the daemon is shutting down"]


async def test_streams_end_with_a_reload_and_go_on_when_the_client_comes_back(served: Daemon):
    log = served.control.event_log
    async with following(served.path) as reader:
        await reader.until_live()
        log.publish([match(1)])
        log.end_streams()
        (last,) = await reader.until_end()
        assert reader.comments == ["the configuration was reloaded; reconnect"]
    log.publish([match(2)])
    async with following(served.path, last.id) as reader:
        assert numbers(await reader.until_live()) == [2]
