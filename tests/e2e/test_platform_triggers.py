"""`oblien` triggers as a user meets them: a double of the platform, a daemon, and the push."""

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from support.daemon import PLENTY, Daemon, wait_for
from support.platform_api import PlatformApi, reply
from support.visitor import visiting

CREDENTIALS = {"OBLIEN_CLIENT_ID": "id-1", "OBLIEN_CLIENT_SECRET": "secret-1"}
TOKEN = "onp_token"

GROUPS = {
    "deploy": ("/deploy/d1", "status", "changed", "building", "failed", "building → failed"),
    "sandbox": ("/sandbox/s1", "status", '== "stopped"', "running", "stopped", "stopped (=="),
    "metrics": ("/sandbox/s1/metrics", "memory", "> 90", 50, 95, "95 (> 90)"),
    "credits": ("/credits/balance", "balance", "< 5", "12.5", "4.2", "4.2 (< 5)"),
    "sessions": ("/ai/session/list", "length(sessions)", "changed", [1], [1, 2], "1 → 2"),
    "projects": ("/projects/p1", "updated_at", "changed", "monday", "tuesday", "monday → tuesday"),
    "quota": ("/credits/namespace-quota", "used", ">= 100", 99, 100, "100 (>= 100)"),
    "agent-state": ("/ai/agents/a1", "status", "changed", "idle", "busy", "idle → busy"),
    "devices": ("/notifications/devices", "length(devices)", "changed", [1], [], "1 → 0"),
    "webhooks": ("/webhooks", "length(webhooks)", "changed", [], [1], "0 → 1"),
    "namespaces": ("/namespaces/n1", "state", "changed", "active", "suspended", "suspended"),
}
"""By group: path, value, when, the value before and after, and a part of the push."""


class World:
    """A platform whose answers a test changes, and the pushes that reached it."""

    def __init__(self, api):
        self.api, self.values, self.status = api, {}, {}
        api.answer = self.answer

    def answer(self, request):
        if request.path == "/notifications/send":
            if request.headers["authorization"] != f"Bearer {TOKEN}":
                return reply(401, {"success": False, "error": "unknown token"})
            return reply(200, {"success": True, "delivered": 1, "failed": 0, "devices": 1})
        assert "authorization" not in request.headers
        if request.headers["x-client-secret"] != "secret-1":
            return reply(401, {"success": False, "error": "wrong credentials"})
        if request.path in self.status:
            return reply(self.status[request.path], {"success": False, "error": "because"})
        return reply(200, {"success": True, "data": self.values.get(request.path)})

    def pushes(self):
        """Return what was sent. What a kill made the daemon send again has the same id."""
        sent = [r for r in self.api.requests if r.path == "/notifications/send"]
        return list({r.headers["idempotency-key"]: r.json for r in sent}.values())

    def polls(self, path):
        return sum(request.path == path for request in self.api.requests)


class Endpoint:
    """What `Daemon` needs to know of the platform."""

    token = TOKEN

    def __init__(self, url):
        self.environment = {"NOTIFYD_API__URL": url, "NOTIFYD_SEND_TOKEN": TOKEN}


@pytest.fixture
async def world():
    async with PlatformApi() as api:
        yield World(api)


@pytest.fixture
def daemon(world, tmp_path):
    made = []

    def make(config, **environ):
        given = CREDENTIALS | environ
        made.append(
            Daemon(tmp_path, Endpoint(world.api.url), PLENTY + config, fresh=False, **given)
        )
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


async def until(condition, what=""):
    """Await a condition while the double's loop runs."""
    return await asyncio.to_thread(wait_for, condition, 45.0, what)


async def started(daemon):
    return await asyncio.to_thread(daemon.start)


def table(name, path, value, when):
    return (
        f'[triggers.{name}]\ntype = "oblien"\nget = "{path}"\nevery = "5s"\n'
        f"value = '{value}'\nwhen = '{when}'\n"
    )


def content(value, selected):
    key = selected.removeprefix("length(").removesuffix(")")
    return {key: value}


async def test_a_trigger_for_each_group_shows_on_the_inbox_what_changed(world, daemon):
    config = '[platform]\nrate = { max = 1000, per = "1m" }\n'
    for name, (path, value, when, *_) in GROUPS.items():
        config += table(name, path, value, when)
    for path, value, _, before, *_ in GROUPS.values():
        world.values[path] = {**world.values.get(path, {}), **content(before, value)}
    async with visiting() as visitor, visitor.page() as page:
        await page.until_live()
        world.api.forward["/notifications/send"] = visitor.relay.url
        token = (await visitor.minted("ws_1"))["token"]
        await started(daemon(config, NOTIFYD_SEND_TOKEN=token))
        await until(lambda: all(world.polls(path) for path, *_ in GROUPS.values()), "first polls")
        assert world.pushes() == []
        for path, value, _, _, after, _ in GROUPS.values():
            world.values[path] = {**world.values[path], **content(after, value)}
        shown = {}
        async with asyncio.timeout(120):
            while len(shown) < len(GROUPS):
                event = await page.event()
                shown[event.data["data"]["trigger"]] = event.data
    for name, (*_, part) in GROUPS.items():
        assert part in shown[name]["body"], name


def stored(folder):
    """Return the checkpoints that a kill would leave."""
    with closing(sqlite3.connect(folder / "notifyd.db")) as database:
        return str(database.execute("SELECT value FROM positions").fetchall())


async def test_a_kill_repeats_no_change_and_loses_none(world, daemon, tmp_path):
    world.values["/deploy/d1"] = {"status": "building"}
    running = daemon(table("deploy", "/deploy/d1", "status", "changed"))
    await started(running)
    await until(lambda: "building" in stored(tmp_path / "state"), "a commit")
    running.kill()
    world.values["/deploy/d1"] = {"status": "ready"}
    await started(running)
    await until(world.pushes)
    running.kill()
    await started(running)
    count = world.polls("/deploy/d1")
    await until(lambda: world.polls("/deploy/d1") > count)
    assert [push["body"] for push in world.pushes()] == ["building → ready"]


async def test_refused_credentials_are_a_report_of_their_own_and_end(world, daemon):
    world.values["/x"] = {"a": 1}
    running = daemon(table("a", "/x", "a", "changed"), OBLIEN_CLIENT_SECRET="mistyped-secret")
    await started(running)
    await until(world.pushes)
    (push,) = world.pushes()
    assert push["title"] == "platform credentials refused"
    assert "wrong credentials" in push["body"]
    status = running.ask("GET", "/v1/status")
    assert any("GET /x failed" in problem for s in status["sources"] for problem in s["problems"])
    everything = json.dumps(status) + running.log.read_text()
    assert "mistyped-secret" not in everything
    running.kill()
    running.environ |= CREDENTIALS
    await started(running)
    await until(lambda: len(world.pushes()) == 2, world.pushes)
    assert world.pushes()[1]["title"] == "platform credentials refused: over"


async def test_without_credentials_status_says_which_variables_to_set(world, daemon):
    running = daemon(table("a", "/x", "a", "changed"), OBLIEN_CLIENT_SECRET="")
    await started(running)
    (source,) = running.ask("GET", "/v1/status")["sources"]
    assert "OBLIEN_CLIENT_SECRET" in source["problems"][0]
    assert world.api.requests == []


async def test_too_many_triggers_are_polled_less_often_and_status_says_so(world, daemon):
    config = '[platform]\nrate = { max = 10, per = "2s" }\n'
    config += "".join(table(f"t{n}", f"/x/{n}", "a", "changed") for n in range(40))
    running = daemon(config)
    await started(running)
    await until(lambda: len(world.api.requests) >= 12)
    (source,) = running.ask("GET", "/v1/status")["sources"]
    assert any("polled less often than asked" in problem for problem in source["problems"])
