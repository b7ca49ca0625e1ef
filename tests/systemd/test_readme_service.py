"""The README's way to a service, as it is written, on a booted Debian."""

import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support.booted import ROOT, booted, needs_systemd
from support.markdown import blocks, section
from support.wheelhouse import pack

README = (ROOT / "README.md").read_text()
UPGRADING = (ROOT / "docs" / "upgrading.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SYSTEM_PYTHON = Path("/usr/bin/python3").resolve().name

SCRIPT = r"""
set -eu
# What every Debian has, and a package index without a network.
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PIP_NO_INDEX=1 PIP_NO_COMPILE=1 PIP_FIND_LINKS={wheels}
cd {root}
# The platform: a relay on this machine.
OBLIEN_CLIENT_ID=id OBLIEN_CLIENT_SECRET=secret \
  {python} -m notifyd relay --database /root/relay.db > /dev/null &
until answer=$(curl -sf http://127.0.0.1:8788/notifications/tokens -d '{{"workspace_id": "w"}}' \
  -H 'Content-Type: application/json' -H 'X-Client-ID: id' -H 'X-Client-Secret: secret'); do
  sleep 0.1
done
mkdir -p /etc/notifyd/config.d
printf '[api]\nurl = "http://127.0.0.1:8788"\n' > /etc/notifyd/config.d/url.toml

echo "$answer" | grep -o 'onp_[A-Za-z0-9_-]*' | sort | tail -1 | sh -eux {scripts}/install
sh -eux {scripts}/use
echo service: $(systemctl show -p User,ActiveState,UnitFileState notifyd)
echo program: $(tr '\0' ' ' < /proc/$(systemctl show -p MainPID --value notifyd)/cmdline)
until notifyd history | grep -q 'no_device.*Hello from the service'; do sleep 0.1; done
echo sent to the relay

before=$(systemctl show -p MainPID --value notifyd)
echo onp_another > /etc/notifyd/send-token
until [ "$(systemctl show -p MainPID --value notifyd)" != "$before" ]; do sleep 0.1; done
echo restarted with another token

sh -eux {scripts}/upgrade
echo upgraded: $(systemctl is-active notifyd)
sh -eux {scripts}/uninstall
sh -eux {scripts}/purge
echo left: $(ls -d /etc/notifyd /opt/notifyd /var/lib/notifyd /usr/local/bin/notifyd \
  /etc/systemd/system/*notifyd* /etc/sysusers.d/notifyd* 2> /dev/null)
"""


@needs_systemd
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    f"python3.{sys.version_info.minor}" != SYSTEM_PYTHON,
    reason="the wheels at hand are for another Python than the system's",
)
def test_the_commands_shown_make_a_service_that_sends(tmp_path):
    scripts, wheels = tmp_path / "scripts", tmp_path / "wheels"
    scripts.mkdir()
    wheels.mkdir()
    install, use = blocks(section(README, "## Run it as a service"), "sh")
    upgrade = blocks(section(UPGRADING, "## Upgrade the service"), "sh")[0]
    uninstall, purge = blocks(section(UPGRADING, "## Uninstall the service"), "sh")
    for name, script in {
        "install": install,
        "use": use,
        "upgrade": upgrade,
        "uninstall": uninstall,
        "purge": purge,
    }.items():
        (scripts / name).write_text(script)
    needed = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    pack(wheels, [Requirement(text).name for text in needed])
    said = booted(SCRIPT, within=240, folders=(tmp_path,), scripts=scripts, wheels=wheels)
    assert "service: User=notifyd ActiveState=active UnitFileState=enabled" in said, said
    assert "program: /opt/notifyd/bin/python3 /usr/local/bin/notifyd run" in said, said
    assert "sent to the relay" in said
    assert "restarted with another token" in said
    assert "upgraded: active" in said
    assert "left:\n" in said, said
