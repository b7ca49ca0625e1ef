"""A daemon reports its state to a relay, and announces its start, its sleep and its stop."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from notifyd.app import App
from notifyd.client.http import send_request
from notifyd.config.load import load
from notifyd.config.token import find_token
from notifyd.delivery.fleet_client import ReportOutcome
from notifyd.engine import fleet_reporter
from notifyd.engine.fleet_reporter import INTERVAL, UNSUPPORTED_INTERVAL, next_delay
from notifyd.relay import fleet
from notifyd.relay.fleet_state import Announcement, WorkspaceState, derive_state
from support.platform import Platform
from support.replies import status
from support.visitor import visiting

REPORTING = "[relay]\nreport = true\n"
CHECK = '[triggers.gpu]\ntype = "command"\nrun = ["false"]\nevery = "1h"\n'


@pytest.fixture
def quick(monkeypatch):
    """Report every 20 ms."""
    monkeypatch.setattr(fleet_reporter, "next_delay", lambda *_: 0.02)


@asynccontextmanager
async def daemon(folder, url, token, config, wall=time.time):
    file = folder / "config.toml"
    file.write_text(f'[api]\nurl = "{url}"\n{config}')
    environ = {
        "NOTIFYD_SEND_TOKEN": token,
        "STATE_DIRECTORY": str(folder / "state"),
        "RUNTIME_DIRECTORY": str(folder),
        "PATH": "/usr/bin:/bin",
    }
    settings = load(file, environ).settings
    source = find_token(settings.api, environ)
    app = App(settings, source, config=file, environ=environ, wall=wall, maintenance=0.02)
    serving = asyncio.Event()
    running = asyncio.create_task(app.run(lambda _path: serving.set()))
    try:
        async with asyncio.timeout(45):
            await serving.wait()
        yield app
    finally:
        app.stop()
        await running


async def listed(visitor):
    found = await visitor.relay.store.read(fleet.list_workspaces, 0.0)
    return found.workspaces[0].workspace if found.workspaces else None


async def until(visitor, condition):
    async with asyncio.timeout(45):
        while True:
            if (found := await listed(visitor)) and condition(found):
                return found
            await asyncio.sleep(0.01)


async def test_a_daemon_reports_how_it_is_and_announces_its_stop(tmp_path, quick) -> None:
    async with visiting(wall=time.time) as visitor:
        token = await visitor.relay.mint_token("w1", "laptop")
        async with daemon(tmp_path, visitor.relay.url, token, REPORTING + CHECK):
            found = await until(visitor, lambda each: each.report.worst is not None)
            assert (found.workspace_id, found.report.interval) == ("w1", INTERVAL)
            assert (found.report.worst.trigger, found.report.worst.outcome) == ("gpu", "failure")
            assert found.report.token == "ok"
            assert derive_state(found, time.time()) is WorkspaceState.FAILING
        found = await listed(visitor)
        assert found.report.announcement is Announcement.STOPPING
        assert derive_state(found, time.time() + 1e6) is WorkspaceState.ASLEEP


async def test_after_a_gap_it_says_how_long_it_slept(tmp_path) -> None:
    ahead = [0.0]
    async with visiting(wall=time.time) as visitor:
        token = await visitor.relay.mint_token("w1", "laptop")
        config = REPORTING + "ephemeral = true\n"
        started = daemon(tmp_path, visitor.relay.url, token, config, lambda: time.time() + ahead[0])
        async with started:
            found = await until(visitor, lambda each: each.report)
            assert found.report.announcement is Announcement.STARTED
            assert found.is_ephemeral
            ahead[0] = 3600.0
            found = await until(visitor, lambda each: each.report.slept > 3000)
            assert found.report.announcement is Announcement.AWAKE


async def test_a_stop_during_an_update_is_announced_as_one(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(fleet_reporter.notifyd, "__version__", "0.0.0")
    async with visiting(wall=time.time) as visitor:
        token = await visitor.relay.mint_token("w1", "laptop")
        async with daemon(tmp_path, visitor.relay.url, token, REPORTING):
            await until(visitor, lambda each: each.report)
        assert (await listed(visitor)).report.announcement is Announcement.UPDATING


async def test_off_by_default_and_a_reload_switches_it_on(tmp_path) -> None:
    async with visiting(wall=time.time) as visitor:
        token = await visitor.relay.mint_token("w1", "laptop")
        async with daemon(tmp_path, visitor.relay.url, token, "") as app:
            sent = await asyncio.to_thread(
                *(send_request, "POST", "/notifications/send"),
                body={"title": "x"},
                socket_path=str(tmp_path / "notifyd.sock"),
            )
            assert sent[1]["success"]
            assert await listed(visitor) is None
            config = tmp_path / "config.toml"
            config.write_text(config.read_text() + REPORTING)
            assert (await app.reload())["reloaded"]
            await until(visitor, lambda each: each.report)


async def test_the_platform_is_asked_once_and_deliveries_are_not_disturbed(tmp_path) -> None:
    async with Platform() as platform:
        platform.plan(status(404))
        async with daemon(tmp_path, platform.url, platform.token, REPORTING):
            (asked,) = await platform.wait(1)
            assert asked.path == "/fleet/report"
            assert asked.json["interval"] == INTERVAL
        assert len(platform.received) == 1, "nothing is announced to a server without reports"


async def test_a_relay_that_hangs_holds_up_no_delivery_and_no_stop(tmp_path) -> None:
    hanging = asyncio.Event()

    async def hold(_reader, writer):
        await hanging.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with daemon(tmp_path, f"http://127.0.0.1:{port}", "onp_x", REPORTING):
        pass
    hanging.set()
    server.close()


def test_reports_are_spread_over_the_interval() -> None:
    fine, platform = (
        ReportOutcome(is_accepted=True),
        ReportOutcome(is_accepted=False, is_supported=False),
    )
    assert next_delay(fine, 60.0, 0.0) == pytest.approx(54.0)
    assert next_delay(fine, 60.0, 1.0) == pytest.approx(66.0)
    assert next_delay(platform, 60.0, 0.5) == pytest.approx(UNSUPPORTED_INTERVAL)
