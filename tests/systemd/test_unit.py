"""The shipped units, as systemd reads them. No systemd has to run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from notifyd.service.layout import ServiceLayout
from notifyd.service.units import drop_in_names, service_files

COMMAND = Path("/bin/true")
UNITS = Path(__file__).parents[2] / "systemd"

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd is not installed"
)


def analyze(*words, cwd):
    done = subprocess.run(
        ["systemd-analyze", *words],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "XDG_RUNTIME_DIR": "/run"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Others on this machine may be incomplete.
    return [line for line in done.stderr.splitlines() if "notifyd" in line]


def written(files):
    names = []
    for file in files:
        file.write()
        if file.path.suffix != ".conf":
            names.append(f"./{file.path.name}")
    return names


def test_the_units_of_the_system_are_valid_and_hardened(tmp_path):
    layout = ServiceLayout.of_system(tmp_path)
    names = written(service_files(layout, COMMAND, ()))
    assert analyze("verify", *names, cwd=layout.units) == []
    security = ("security", "--offline=yes", "--threshold=20", "./notifyd.service")
    analyze(*security, cwd=layout.units)


def test_the_units_of_the_relay_are_valid_and_hardened(tmp_path):
    for name in ("notifyd-relay.service", "notifyd-relay@.service"):
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/local/bin/notifyd", str(COMMAND)))
    names = ("./notifyd-relay.service", "./notifyd-relay@8788.service")
    assert analyze("verify", *names, cwd=tmp_path) == []
    analyze("security", "--offline=yes", "--threshold=15", names[0], cwd=tmp_path)


def test_the_units_of_a_user_are_valid(tmp_path):
    layout = ServiceLayout.of_user({"HOME": str(tmp_path)})
    names = written(service_files(layout, COMMAND, ()))
    assert analyze("--user", "verify", *names, cwd=layout.units) == []


def test_the_units_with_every_drop_in_are_valid(tmp_path):
    layout = ServiceLayout.of_system(tmp_path)
    names = written(service_files(layout, COMMAND, drop_in_names()))
    assert analyze("verify", *names, cwd=layout.units) == []
