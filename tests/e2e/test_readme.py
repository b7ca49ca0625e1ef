"""What the README shows is what happens."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from notifyd.cli import COMMANDS
from notifyd.config.load import load
from support.daemon import wait_for

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TOML = [
    re.sub(r"^ {3}", "", block, flags=re.MULTILINE) if block.startswith("   ") else block
    for block in re.findall(r"^ *```toml\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
]
LOG = "all is well\nERROR cannot reach the database\nERROR healthz slow\n"


def environ(folder):
    return {"HOME": str(folder), "PATH": os.environ["PATH"]}


@pytest.mark.parametrize("text", TOML, ids=lambda text: text.splitlines()[0])
def test_every_config_shown_is_accepted(text, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "config.toml"
    path.write_text(text)
    shown = tomllib.loads(text).get("triggers", {})
    assert set(load(path, environ(tmp_path)).settings.triggers) == set(shown)


def test_every_trigger_type_has_an_example():
    types = {
        trigger["type"]
        for text in TOML
        for trigger in tomllib.loads(text).get("triggers", {}).values()
    }
    assert types == {"log", "file", "process", "schedule"}


def test_the_shown_match_is_what_match_prints(tmp_path):
    (example,) = [text for text in TOML if "exclude" in text]
    (tmp_path / "config.toml").write_text(example)
    (tmp_path / "app.log").write_text(LOG)
    console = re.search(r"```console\n\$ notifyd (.*?)\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-m", "notifyd", *console[1].split()],
        env=environ(tmp_path) | {"NOTIFYD_CONFIG": str(tmp_path / "config.toml")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == console[2]
    assert done.returncode == 0


def test_every_command_is_in_the_table():
    table = README.partition("## Commands")[2].partition("Exit status")[0]
    missing = [name for name in COMMANDS if f"`{name}`" not in table and f" {name}" not in table]
    assert missing == []


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    table = README.partition("## Dependencies")[2]
    assert {name for name in named if f"| {name} |" not in table} == set()


def test_the_example_config_is_accepted():
    assert load(ROOT / "config.example.toml", environ("/root")).settings.triggers


def test_the_shown_way_out_for_utf_16_rewrites_a_log_as_it_grows(tmp_path):
    (command,) = re.findall(r"^```sh\n(tail .*?)^```", README, re.MULTILINE | re.DOTALL)
    log, copy = tmp_path / "errorlog", tmp_path / "errorlog.utf8"
    log.write_bytes("first 上 line\n".encode("utf-16"))
    shell = subprocess.Popen(
        command,
        shell=True,
        cwd=tmp_path,
        env={**environ(tmp_path), "PYTHONUTF8": "1"},
        start_new_session=True,
    )
    try:
        wait_for(lambda: copy.exists() and copy.read_text() == "first 上 line\n")
        with log.open("ab") as file:
            file.write("second Ċ\nthird".encode("utf-16-le"))
        wait_for(lambda: copy.read_text() == "first 上 line\nsecond Ċ\n")
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
