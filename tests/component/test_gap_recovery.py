"""After a gap in time the daemon opens its connections again at once, and says how long it was."""

import asyncio
import time
from contextlib import asynccontextmanager

from notifyd.app import App
from notifyd.cli.status import format_status
from notifyd.client.http import send_request
from notifyd.config.load import load
from notifyd.config.token import find_token
from notifyd.engine import gaps
from support.platform import Platform
from support.replies import hang

NIGHT = 8 * 3600.0


class Machine:
    """A machine whose wall clock a test sets forward, as a suspend would."""

    def __init__(self):
        self.ahead = 0.0

    def wall(self):
        return time.time() + self.ahead


@asynccontextmanager
async def daemon(folder, platform, machine, triggers=""):
    """Run a daemon in this process; yield how to ask it."""
    config = folder / "config.toml"
    config.write_text(f'[api]\nurl = "{platform.url}"\ntimeout = "5m"\n{triggers}')
    socket = folder / "notifyd.sock"
    environ = {
        "NOTIFYD_SEND_TOKEN": platform.token,
        "STATE_DIRECTORY": str(folder / "state"),
        "RUNTIME_DIRECTORY": str(folder),
    }
    settings = load(config, environ).settings
    token = find_token(settings.api, environ)
    app = App(settings, token, config=config, environ=environ, wall=machine.wall, maintenance=0.02)
    serving = asyncio.Event()
    running = asyncio.create_task(app.run(lambda _path: serving.set()))

    async def ask(method, target, body=None):
        answer = await asyncio.to_thread(
            send_request, method, target, body=body, socket_path=str(socket)
        )
        return answer[1]

    try:
        async with asyncio.timeout(45):
            await serving.wait()
        yield ask
    finally:
        app.stop()
        await running


async def test_after_a_stall_heartbeats_restart_their_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(gaps, "LONGEST_DELAY", 0.3)
    heartbeat = '[triggers.job]\ntype = "heartbeat"\nevery = "1h"\n'
    async with Platform() as platform, daemon(tmp_path, platform, Machine(), heartbeat) as ask:

        async def deadline():
            return (await ask("GET", "/v1/status"))["triggers"]["job"]["heartbeat"]["deadline"]

        before = await deadline()
        time.sleep(1.0)  # noqa: ASYNC251 - the daemon runs in this loop, and is to stall
        async with asyncio.timeout(45):
            while await deadline() < before + 1.0:
                pass


async def test_a_request_that_hangs_since_before_the_gap_is_repeated_at_once(tmp_path):
    machine = Machine()
    async with Platform() as platform, daemon(tmp_path, platform, machine) as ask:
        platform.plan(hang())
        assert (await ask("GET", "/v1/status"))["gap"] is None
        await ask("POST", "/notifications/send", {"title": "Good night"})
        [hanging] = await platform.wait(1)
        machine.ahead = NIGHT
        [delivered] = await platform.wait_delivered(1)
        assert (delivered.id, delivered.json["title"]) == (hanging.id, "Good night")
        status = await ask("GET", "/v1/status")
        assert status["gap"]["kind"] == "clock"
        assert "at_iso" in status["gap"]
        assert abs(status["gap"]["seconds"] - NIGHT) < 60
        assert "went forward by 8h" in format_status(status)
