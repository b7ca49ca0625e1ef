"""Run inside a booted systemd by test_units.py: what a phone gets of units that fail.

The configuration and the first command are those of docs/units.md.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from support.daemon import PLENTY, Daemon, wait_for
from support.markdown import blocks
from support.platform import Platform, in_thread

WEB_APP = Path(__file__).parents[2] / "examples/web-app"
PAGE = (Path(__file__).parents[2] / "docs" / "units.md").read_text()
CONFIG = (
    PLENTY
    + blocks(PAGE, "toml")[0].replace('"worker@*.service"', '"*"')
    + """
[triggers.user]
type = "unit"
units = "mine.service"
bus = "user"
"""
)
LOOP = """
[Service]
ExecStart=/bin/sh -c 'echo no database; sleep 0.2; exit 3'
Restart=on-failure
"""
REVIVED = """
[Service]
ExecStart=/bin/sh -c 'test -e /run/revived || { touch /run/revived; exit 5; }; exec sleep infinity'
Restart=on-failure
"""


def run(*words, **options):
    subprocess.run(words, check=False, capture_output=True, **options)


def state(unit):
    """Return the state of a unit and how often systemd has restarted it."""
    shown = subprocess.run(
        ["systemctl", "show", "-p", "ActiveState,NRestarts", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    found = dict(line.split("=") for line in shown.stdout.split())
    return found.get("ActiveState"), found.get("NRestarts")


def pushes(platform, unit):
    """Return the notifications about a unit in their order, each once."""
    seen = {received.id: received.json for received in platform.received}
    return [push for push in seen.values() if push["title"].startswith(f"{unit}.service ")]


def pushed(platform, unit, count=1):
    wait_for(lambda: len(pushes(platform, unit)) >= count, 90, lambda: pushes(platform, unit))
    found = pushes(platform, unit)
    assert len(found) == count, found
    return found[-1]


def check_failure(platform):
    """Run the command of the page, and compare the push with the one it shows."""
    [command, *_] = blocks(PAGE, "sh")
    run("sh", "-c", command)
    push = pushed(platform, "web")
    shown, *_ = blocks(PAGE, "text")
    text = f"{push['title']}\n{push['body']}\n"
    assert [re.sub(r"after \S+", "after …", each) for each in (text, shown)] == [
        re.sub(r"after \S+", "after …", shown)
    ] * 2, text
    assert push["data"]["priority"] == "high"
    print("failure: as the page shows it")


def check_example(platform):
    """Let the application of examples/web-app fail, and compare its push with the one shown."""
    script = "echo \"ModuleNotFoundError: No module named 'stripe'\"; exit 1"
    program = Path("/run/gunicorn")
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    unit = (WEB_APP / "shop.service").read_text()
    for text, by in {
        "/srv/shop/.venv/bin/gunicorn": str(program),
        "User=shop\n": "",
        "WorkingDirectory=/srv/shop\n": "",
        "Restart=on-failure\n": "",
    }.items():
        assert text in unit
        unit = unit.replace(text, by)
    Path("/run/systemd/system/shop.service").write_text(unit)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "shop")
    push = pushed(platform, "shop")
    shown = blocks((WEB_APP / "README.md").read_text(), "text")
    text = re.sub(r"after \S+", "after …", f"{push['title']}\n{push['body']}\n")
    assert text in [re.sub(r"after \S+", "after …", each) for each in shown], text
    print("example: as its page shows it")


def check_loop(platform):
    Path("/run/systemd/system/loop.service").write_text(LOOP)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "loop")
    wait_for(lambda: state("loop.service")[0] == "failed", 90, "the start limit")
    push = pushed(platform, "loop")
    assert re.fullmatch(r"loop\.service failed( \d times)?: status 3", push["title"]), push
    assert "no database" in push["body"], push
    run("systemd-run", "--quiet", "--unit=later", "sh", "-c", "exit 1")
    pushed(platform, "later")
    pushed(platform, "loop")
    print("loop:", push["title"])


def check_downtime(platform, daemon):
    daemon.kill()
    run("systemd-run", "--quiet", "--unit=down", "sh", "-c", "exit 7")
    Path("/run/systemd/system/revived.service").write_text(REVIVED)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "revived")
    wait_for(lambda: state("revived.service") == ("active", "1"), 90, "a restart")
    wait_for(lambda: state("down.service")[0] == "failed", 90, "a failure")
    daemon.start()
    push = pushed(platform, "down")
    assert push["title"] == "down.service failed: status 7", push
    assert "(noticed late)" in push["body"], push
    push = pushed(platform, "revived")
    assert "restarted once by systemd after it failed" in push["body"], push
    pushed(platform, "web")
    print("downtime: found")


def check_user(platform):
    environ = os.environ | {"XDG_RUNTIME_DIR": "/run/user/0"}
    command = ["systemd-run", "--user", "--quiet", "--unit=mine", "sh", "-c", "exit 9"]
    run(*command, env=environ)
    assert pushed(platform, "mine")["title"] == "mine.service failed: status 9"
    print("user: found")


def main():
    folder = Path(tempfile.mkdtemp())
    run("systemctl", "start", "user@0")
    with (
        in_thread(Platform()) as platform,
        Daemon(folder, platform, CONFIG, fresh=False, XDG_RUNTIME_DIR="/run/user/0") as daemon,
    ):
        status = daemon.ask("GET", "/v1/status")
        print("problems:", [source["problems"] for source in status["sources"]])
        check_failure(platform)
        check_example(platform)
        check_loop(platform)
        check_downtime(platform, daemon)
        check_user(platform)
        daemon.stop()
        for line in daemon.log.read_text().splitlines():
            print(line, file=sys.stderr)


main()
