"""The commands in the recipes do what the page says."""

import socket
from contextlib import closing
from pathlib import Path

from support.daemon import wait_for
from support.markdown import blocks, section
from support.ports import free_port
from support.shell import (
    environ,
    listed,
    running,
    shell,
    socket_of,
    wait_for_daemon,
)

RECIPES = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()


def test_a_relay_of_ones_own_takes_the_place_of_the_platform(tmp_path):
    port = str(free_port())
    text = section(RECIPES, "### With credentials of your own").replace("8788", port)
    relay, daemon = blocks(text, "sh")
    (config,) = blocks(text, "toml")
    env = environ(tmp_path)
    folder = tmp_path / ".config/notifyd"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(config)
    with running(relay, env, tmp_path):
        wait_for(lambda: is_listening(int(port)))
        with running(daemon, env, tmp_path):
            wait_for_daemon(tmp_path)
            said = shell("notifyd send --wait -t Hello", env)
            assert "delivered 0, failed 0, devices 0" in said


def is_listening(port):
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_scripts_send_replace_and_hold_messages(tmp_path, platform):
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    project = tmp_path / "project"
    project.mkdir()
    (project / "Makefile").write_text("all:\n\t@echo 2 tests failed; false\n")
    (script,) = blocks(section(RECIPES, "## Messages from scripts"), "sh")
    (watch,) = blocks(section(RECIPES, "## Metrics and health"), "sh")
    with running("notifyd run", env, tmp_path):
        wait_for_daemon(tmp_path)
        shell(script, env)
        sent = dict(listed(socket_of(tmp_path)))
        assert set(sent) == {"Build failed", "Nightly run: 3 of 8 done", "Deploying to production"}
        assert "2 tests failed" in sent["Build failed"]
        watched = shell(watch, env)
    assert "notifyd_info" in watched
    assert '"status":"ok"' in watched.replace(" ", "")


def test_a_program_without_a_unix_socket_sends_over_tcp(tmp_path, platform):
    port = str(free_port())
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    text = section(RECIPES, "## Programs that cannot use a Unix socket").replace("8787", port)
    make_token, send = blocks(text, "sh")
    (config,) = blocks(text, "toml")
    folder = tmp_path / ".config/notifyd"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(config)
    shell(make_token, env)
    with running("notifyd run", env):
        wait_for_daemon(tmp_path)
        assert '"status": "queued"' in shell(send, env)
        wait_for(lambda: len(platform.delivered) == 1)
