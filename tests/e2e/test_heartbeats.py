"""Heartbeats of a real daemon; docs/heartbeats.md is executed as it is written."""

import shutil
from pathlib import Path

import pytest

from support.daemon import PLENTY, wait_for
from support.markdown import blocks, section
from support.ports import free_port
from support.shell import (
    environ,
    listed,
    running,
    shell,
    socket_of,
    typed,
    wait_for_daemon,
    wait_for_pushes,
)

PAGE = (Path(__file__).parents[2] / "docs" / "heartbeats.md").read_text()
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


def job(home: Path, name: str, script: str) -> None:
    """Install a program for the user."""
    path = home / ".local/bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def configure(home: Path, *texts: str) -> None:
    folder = home / ".config/notifyd"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("\n".join(texts))


@needs_curl
def test_the_commands_of_the_page_ping(tmp_path, platform):
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    backup = section(PAGE, "## A job that pings")
    long_runs = section(PAGE, "## Runs that take too long")
    configure(tmp_path, *blocks(backup, "toml"), *blocks(long_runs, "toml"))
    job(tmp_path, "backup", 'echo "cannot write: no space left on device"; exit 3')
    with running("notifyd run", env):
        wait_for_daemon(tmp_path)
        typed(blocks(backup, "sh")[0], env)
        wait_for_pushes(platform, backup, tmp_path)
        shell(blocks(long_runs, "sh")[0], env)
        assert '"signal": "log"' in shell(blocks(section(PAGE, "## From programs"), "sh")[0], env)
        status = shell("notifyd status", env)
    assert "nightly-backup  down     " in status
    assert "training        running  " in status


@needs_curl
@needs_openssl
def test_the_page_shows_how_clients_of_healthchecks_ping(tmp_path, platform):
    port = str(free_port())
    text = section(PAGE, "## Clients of healthchecks.io").replace("8787", port)
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    configure(tmp_path, *blocks(text, "toml"))
    make_token, calls = blocks(text, "sh")
    shell(make_token, env)
    job(tmp_path, "certbot", 'echo "Some challenges have failed."; exit 1')
    with running("notifyd run", env):
        wait_for_daemon(tmp_path)
        typed(calls, env)
        title, body = listed(socket_of(tmp_path))[0]
        assert title.startswith("certbot: failed, status 1 after ")
        assert body == "Some challenges have failed."


def test_a_ping_survives_a_kill_and_every_change_is_pushed_once(daemon, tmp_path, platform):
    heartbeats = """
[triggers.sync]
type = "heartbeat"
every = "1h"
max_runtime = "1h"
[triggers.silent]
type = "heartbeat"
every = "1s"
grace = "0s"
"""
    one = daemon(PLENTY + heartbeats).start()

    def titles() -> list[str]:
        return [str(item.json["title"]) for item in platform.received]

    def ping(signal: str) -> None:
        one.ask("POST", f"/v1/heartbeats/sync/{signal}")

    wait_for(lambda: any(title.startswith("silent: no ping yet after ") for title in titles()))
    ping("start?rid=a")
    one.kill()
    one.start()
    sync = one.ask("GET", "/v1/status")["triggers"]["sync"]["heartbeat"]
    assert (sync["state"], sync["running"], sync["last_signal"]) == ("running", 1, "start")
    ping("2?rid=a")
    wait_for(lambda: any(title.startswith("sync: failed, status 2 after ") for title in titles()))
    one.kill()
    one.start()
    ping("fail")
    ping("success")
    wait_for(lambda: any(title.startswith("sync: back after ") for title in titles()))
    pushes = {item.json["data"]["notification_id"] for item in platform.received}
    assert len(pushes) == 3
