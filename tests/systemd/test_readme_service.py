"""The README's way to a service, as it is written, on a booted Debian: the service's whole life."""

import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support.booted import ROOT, booted, needs_systemd
from support.markdown import blocks, section
from support.wheelhouse import pack

README = (ROOT / "README.md").read_text()
SERVICE = (ROOT / "docs" / "service.md").read_text()
UPGRADING = (ROOT / "docs" / "upgrading.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SYSTEM_PYTHON = Path("/usr/bin/python3").resolve().name
PROGRAMS = ("curl", "pgrep", "loginctl", "runuser")
USER_BUS = Path("/usr/lib/systemd/user/dbus.socket")
STORY = (ROOT / "tests" / "systemd" / "service_story.sh").read_text()


@needs_systemd
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)) or not USER_BUS.exists(),
    reason="needs curl, procps, libpam-systemd and dbus-user-session",
)
@pytest.mark.skipif(
    f"python3.{sys.version_info.minor}" != SYSTEM_PYTHON,
    reason="the wheels at hand are for another Python than the system's",
)
def test_the_commands_shown_make_a_service_one_can_trust(tmp_path):
    scripts, wheels = tmp_path / "scripts", tmp_path / "wheels"
    scripts.mkdir()
    wheels.mkdir()
    install, use = blocks(section(README, "## Run it as a service"), "sh")
    uninstall, purge = blocks(section(UPGRADING, "## Uninstall the service"), "sh")
    more_rights, fewer_rights = blocks(section(SERVICE, "## Read the logs of other users"), "sh")
    member, stop, group_spools = blocks(section(SERVICE, "## Who may send"), "sh")
    for name, script in {
        "install": install,
        "use": use,
        "add_member": member.replace("NAME", "ann"),
        "stop": stop,
        "group_spools": group_spools,
        "token": blocks(section(SERVICE, "## The send token"), "sh")[0],
        "variables": blocks(section(SERVICE, "## Variables"), "sh")[0],
        "private_logs": more_rights,
        "fewer_rights": fewer_rights,
        "with_commands": blocks(section(SERVICE, "## Run commands, read a GPU"), "sh")[0],
        "log": blocks(section(SERVICE, "## What it is doing"), "sh")[0],
        "user": blocks(section(SERVICE, "## Without root"), "sh")[0],
        "upgrade": blocks(section(UPGRADING, "## Upgrade the service"), "sh")[0],
        "uninstall": uninstall,
        "purge": purge,
    }.items():
        (scripts / name).write_text(script)
    needed = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    pack(wheels, [Requirement(text).name for text in needed])
    said = booted(STORY, within=550, folders=(tmp_path,), scripts=scripts, wheels=wheels)
    for words in (
        "service: notifyd active enabled status: watching 1 journal unit; 0 waiting",
        "program: /opt/notifyd/bin/python3 /opt/notifyd/bin/notifyd run",
        "socket: 660 root notifyd",
        "sent to the relay",
        "again: nothing changed",
        "ignored keys of [socket]: systemd passes the socket keys=mode",
        "memory: private",
        "a failed unit was reported",
        "ann before: 69",
        "ann may send",
        "in a home: 1",
        "restarted with another token",
        "restarted with a token that was renamed into place",
        "without a token: active",
        "reloaded: active",
        "after a kill: 660 root notifyd",
        '"code": "not_started"',
        "starts for a request and by hand: 2",
        "stopped: inactive success 660 root notifyd",
        "answered: active",
        "notifyd.service: Watchdog timeout (limit 5s)!",
        "a private log was read",
        "a command could generate code",
        "rights: CapAmb: 0000000000000000 and of children: CapEff: 0000000000000000",
        "fewer rights: CapEff: 0000000000000000",
        "without the group: active",
        "of a user: watching nothing; 0 waiting; no token",
        "of a user: 600 ann ok",
        "of a user: active",
        "of a user: inactive\n",
        "stopped for good: inactive inactive",
        "spool: 1733 notifyd notifyd",
        "nobody can list it",
        "only the group: 1730",
        "upgraded: active",
        "imported from the spool",
        "left:\n",
    ):
        assert words in said, said
