"""From nothing to the first push with a relay of one's own, as the recipe shows it."""

import re
import subprocess
from pathlib import Path

from support.daemon import wait_for
from support.markdown import blocks, section
from support.shell import environ, running, shell, wait_for_daemon

RECIPES = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
RELAY, DAEMON, FIRST_PUSH = blocks(section(RECIPES, "## Run your own relay"), "sh")[:3]


def test_two_commands_lead_to_the_first_push(tmp_path):
    env = environ(tmp_path)
    printed = tmp_path / "relay.log"
    assert FIRST_PUSH.count("notifyd ") == 2
    with printed.open("wb") as log:
        relay = subprocess.Popen(
            ["bash", "-c", f"exec {RELAY.strip()} --listen 127.0.0.1:0"], env=env, stdout=log
        )
    try:
        wait_for(lambda: "CLIENT_SECRET=" in printed.read_text(), what=printed.read_text)
        exports = dict(re.findall(r"^export (\w+)=(\S+)$", printed.read_text(), re.MULTILINE))
        assert exports.keys() == {"OBLIEN_BASE_URL", "OBLIEN_CLIENT_ID", "OBLIEN_CLIENT_SECRET"}
        with running(DAEMON, env | exports):
            wait_for_daemon(tmp_path)
            shown = shell(FIRST_PUSH, env | exports)
            assert "delivered 0, failed 0, devices 0" in shown
            status = shell("notifyd status", env | exports)
            assert "the last notification was kept in the inbox; open the inbox page" in status
            assert "no problems" in status
            assert "onp_" not in shown
        saved = tmp_path / ".config/notifyd/send-token"
        assert oct(saved.stat().st_mode & 0o777) == "0o600"
    finally:
        relay.terminate()
        relay.wait()
