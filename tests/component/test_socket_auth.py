"""Other users of the machine have access to their own notifications only."""

import grp
import os
from contextlib import AsyncExitStack, suppress

import pytest

from notifyd.config.sections import SocketConfig, SocketRateConfig
from notifyd.http.open_connections import ConnectionLimits
from support.socket_api import (
    GENEROUS,
    ask,
    ask_as,
    connect_as,
    daemon,
    open_directory,
    request,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
ALICE = (4001, 4001, ())
BOB = (4002, 4002, ())


@needs_root
async def test_each_user_sees_and_cancels_only_their_own():
    settings = SocketConfig(mode="0666", rate=GENEROUS)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_directory())
        running = await stack.enter_async_context(daemon(folder / "s", settings))
        path = running.path
        await ask_as(ALICE, path, "POST", "/notifications/send", {"title": "a", "key": "k"})
        assert running.control.peers["n1"].uid == 4001
        listed = await ask_as(BOB, path, "GET", "/v1/notifications")
        assert listed.body["notifications"] == []
        refusals = [
            (await ask_as(BOB, path, method, f"/v1/notifications{which}")).refusal
            for method, which in (("GET", "/n1"), ("DELETE", "/n1"), ("DELETE", "?key=k"))
        ]
        assert refusals == [(404, "not_found")] * 3
        assert (await ask_as(BOB, path, "POST", "/v1/reload")).refusal == (403, "forbidden")
        assert len((await ask(path, "GET", "/v1/notifications")).body["notifications"]) == 1
        cancelled = await ask_as(ALICE, path, "DELETE", "/v1/notifications?key=k")
        assert cancelled.status == 200


@needs_root
async def test_status_is_limited_to_the_user_unless_it_is_an_admin():
    settings = SocketConfig(mode="0666", admin_group="adm", rate=GENEROUS)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_directory())
        path = (await stack.enter_async_context(daemon(folder / "s", settings))).path
        seen = [
            (await ask_as(who, path, "GET", "/v1/status")).body.get("scope")
            for who in (ALICE, (4001, grp.getgrnam("adm").gr_gid, ()), (0, 0, ()))
        ]
        explained = await ask_as(ALICE, path, "GET", "/v1/explain")
    assert seen == ["own", None, None]  # the MemoryControl's whole status has no scope
    assert explained.refusal == (403, "forbidden")


@needs_root
async def test_members_of_the_admin_group_may_do_what_root_may():
    settings = SocketConfig(mode="0666", admin_group="adm", rate=GENEROUS)
    gid = grp.getgrnam("adm").gr_gid
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_directory())
        running = await stack.enter_async_context(daemon(folder / "s", settings))
        by_group = await ask_as((4001, gid, ()), running.path, "POST", "/v1/reload")
        by_supplement = await ask_as((4001, 4001, (4009, gid)), running.path, "POST", "/v1/reload")
        neither = await ask_as((4001, 4001, (4009,)), running.path, "POST", "/v1/reload")
    assert [by_group.status, by_supplement.status, neither.status] == [200, 200, 403]


@needs_root
@pytest.mark.parametrize("said", ["nothing", "headers", "half a body", "wait"])
async def test_two_users_lock_out_neither_root_nor_admins_nor_a_third(said):
    """They hold as many connections as they get, and open new ones for those that are closed."""
    settings = SocketConfig(mode="0666", admin_group="adm", rate=GENEROUS)
    admin = (4003, 4003, (grp.getgrnam("adm").gr_gid,))
    limits = ConnectionLimits(connections=24, per_client=12, reserved=2)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_directory())
        running = await stack.enter_async_context(daemon(folder / "s", settings, limits))
        held = [
            stack.enter_context(connect_as(who, running.path))
            for _ in range(30)
            for who in (ALICE, BOB)
        ]
        whole = request("POST", "/notifications/send?wait=60s", {"title": "t"})
        head = whole.partition(b"\r\n\r\n")[0]
        sent = {"nothing": b"", "headers": head, "half a body": whole[:-3], "wait": whole}[said]
        for sock in held:
            with suppress(BrokenPipeError, ConnectionResetError):  # closed for a later one
                sock.sendall(sent)
        for who in ((4004, 4004, ()), admin, (0, 0, ())):
            answers = [
                await ask_as(who, running.path, "POST", "/notifications/send", {"title": "t"}),
                await ask_as(who, running.path, "GET", "/healthz"),
            ]
            assert [answer.status for answer in answers] == [202, 200]


@needs_root
async def test_each_user_has_a_rate_limit_of_their_own():
    settings = SocketConfig(mode="0666", rate=SocketRateConfig(max=1, per="1m"))
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_directory())
        running = await stack.enter_async_context(daemon(folder / "s", settings))
        statuses = [
            (await ask_as(who, running.path, "POST", "/notifications/send", {"title": "t"})).status
            for who in (ALICE, ALICE, BOB)
        ]
    assert statuses == [202, 429, 202]
