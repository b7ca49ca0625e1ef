"""docs/sending.md is executed as it is written: first without a daemon, which then starts."""

import shutil
import subprocess
import sys
from pathlib import Path

from support.daemon import PLENTY, wait_for
from support.markdown import blocks, section
from support.shell import environ, running, shell, typed, wait_for_daemon

PAGE = (Path(__file__).parents[2] / "docs" / "sending.md").read_text()


def program(home: Path, name: str, script: str) -> None:
    path = home / ".local/bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_commands_of_the_page_send_what_it_shows(tmp_path, platform):
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    config = tmp_path / ".config/notifyd/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(PLENTY)
    command = section(PAGE, "## The end of a command")
    shown = blocks(command, "text")[0].splitlines()
    test, others = blocks(command, "sh")
    program(tmp_path, "make", f"echo old; printf '%s\\n' '{shown[1]}' '{shown[2]}'; exit 2")
    program(tmp_path, "backup", 'test "$1" = --all')
    program(tmp_path, "train", "exit 1")
    typed(test, env)
    typed(others, env)
    direct_id = shell(blocks(section(PAGE, "## Straight to the API"), "sh")[0], env).strip()
    (direct,) = platform.received
    assert (direct.id, direct.json["title"]) == (direct_id, "Disk replaced")
    spooled_id = shell(blocks(section(PAGE, "## Without a daemon"), "sh")[0], env).strip()
    assert len(list((tmp_path / ".local/state/notifyd/spool").iterdir())) == 2
    with running("notifyd run", env):
        wait_for_daemon(tmp_path)
        wait_for(lambda: len(platform.received) == 3)
    built, rebooted = sorted(platform.received[1:], key=lambda each: each.id)
    title, body = built.json["title"], built.json["body"]
    assert title.split(" after ")[0] == shown[0].split(" after ")[0]
    assert title.split("s: ")[1] == shown[0].split("s: ")[1]
    assert body.splitlines() == ["old", *shown[1:]]
    assert (rebooted.id, rebooted.json["title"]) == (spooled_id, "Host rebooted")


def test_python_curl_and_node_send_as_shown(tmp_path, platform):
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    (script,) = blocks(section(PAGE, "## From Python"), "python")
    (commands,) = blocks(section(PAGE, "## From anything else"), "sh")
    titles = {"Training finished", "Sent by curl", "Sent by Node"}
    if not shutil.which("node"):
        commands, titles = commands.partition("node -e")[0], titles - {"Sent by Node"}
    with running("notifyd run", env, tmp_path):
        wait_for_daemon(tmp_path)
        shell(commands, env)
        subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=90)
        wait_for(lambda: len(platform.received) == len(titles))
    assert {push.json["title"] for push in platform.received} == titles
