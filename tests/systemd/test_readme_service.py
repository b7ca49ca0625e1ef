"""The documented commands make a service one can trust: on a booted Debian, as they are written.

Each part of the story boots one of its own, so that they can run beside each other.
"""

import shutil
import sys
import sysconfig
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
PACKAGES = Path(sysconfig.get_path("purelib"))
HERE = Path(__file__).parent


pytestmark = [
    needs_systemd,
    pytest.mark.skipif(
        not all(map(shutil.which, PROGRAMS)) or not USER_BUS.exists(),
        reason="needs curl, procps, libpam-systemd and dbus-user-session",
    ),
    pytest.mark.skipif(
        f"python3.{sys.version_info.minor}" != SYSTEM_PYTHON,
        reason="the packages at hand are for another Python than the system's",
    ),
]


@pytest.fixture
def story(tmp_path):
    """Return what runs a part of the story and checks that it said all of these words."""
    scripts, wheels = tmp_path / "scripts", tmp_path / "wheels"
    scripts.mkdir()
    wheels.mkdir()
    for name, script in shown().items():
        (scripts / name).write_text(script)

    def run_part(part, *words):
        script = (HERE / "service_prelude.sh").read_text() + (HERE / f"{part}.sh").read_text()
        folders = {"scripts": scripts, "wheels": wheels, "packages": PACKAGES}
        said = booted(script, within=220, folders=(tmp_path,), **folders)
        for each in words:
            assert each in said, said

    return run_part


def shown():
    """Return the blocks of commands of the documentation by a name."""
    install, use = blocks(section(README, "## Run it as a service"), "sh")
    uninstall, purge = blocks(section(UPGRADING, "## Uninstall the service"), "sh")
    more_rights, fewer_rights = blocks(section(SERVICE, "## Read the logs of other users"), "sh")
    member, stop, group_spools = blocks(section(SERVICE, "## Who may send"), "sh")
    return {
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
    }


@pytest.mark.timeout(300)  # it installs into a new virtual environment
def test_the_commands_shown_install_upgrade_and_remove_it(story, tmp_path):
    needed = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    pack(tmp_path / "wheels", [Requirement(text).name for text in needed])
    story(
        "service_installed",
        "service: notifyd active enabled status: watching 1 journal unit; 0 waiting",
        "program: /opt/notifyd/bin/python3 /opt/notifyd/bin/notifyd run",
        "socket: 660 root notifyd",
        "sent to the relay",
        "again: nothing changed",
        "ignored keys of [socket]: systemd passes the socket keys=mode",
        "memory: private",
        "stopped for good: inactive inactive",
        "spool: 1733 notifyd notifyd",
        "nobody can list it",
        "only the group: 1730",
        "upgraded: active",
        "imported from the spool",
        "left:\n",
    )


def test_it_survives_other_tokens_mistakes_kills_and_stops(story):
    story(
        "service_supervised",
        "restarted with another token",
        "restarted with a token that was renamed into place",
        "without a token: active",
        "reloaded: active",
        "after a kill: 660 root notifyd",
        '"code": "not_started"',
        "starts for a request and by hand: 2",
        "stopped: inactive success 660 root notifyd",
        "answered: active",
    )


def test_members_of_its_group_send_and_a_hang_ends(story):
    story(
        "service_watched",
        "a failed unit was reported",
        "ann before: 69",
        "ann may send",
        "in a home: 1",
        "notifyd.service: Watchdog timeout (limit 5s)!",
    )


def test_doctor_sees_the_service_as_its_user_does(story):
    story(
        "service_examined",
        "in order: no faults",
        "as anybody: fault socket: user nobody may not connect to /run/notifyd/notifyd.sock,",
        "fix: usermod -aG notifyd nobody as root",
        "fault    service: notifyd.service is inactive",
        "warning  service: notifyd.service is not enabled",
        "still stopped: inactive",
        "fault    service: /etc/notifyd/send-token has changed since the service started",
        "fault    paths: /root/private.log ([triggers.private]) cannot be reached",
        "fix: run setfacl -m u:notifyd:x /root as root",
        "the unit of notifyd.service has changed since systemd read it",
        "fault    service: notifyd.service has failed (result: exit-code)",
        "fix: setfacl -m u:notifyd:r /etc/notifyd/config.toml",
    )


def test_rights_are_granted_and_taken_away(story):
    story(
        "service_rights",
        "a private log was read",
        "a command could generate code",
        "rights: CapAmb: 0000000000000000 and of children: CapEff: 0000000000000000",
        "fewer rights: CapEff: 0000000000000000",
        "without the group: active",
    )


def test_a_user_without_rights_has_a_service_of_their_own(story):
    story(
        "service_of_user",
        "of a user: watching 1 resource; 0 waiting; no token",
        "of a user: 600 ann ok",
        "of a user: active",
        "of a user: inactive\n",
    )
