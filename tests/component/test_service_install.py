"""Installing the service below a directory; systemd's programs are scripts that note their calls.

The real ones run in tests/systemd/test_readme_service.py.
"""

import os
import re
import stat
from pathlib import Path

import pytest

from notifyd.cli import main
from notifyd.cli.exit_status import FAILED, USAGE
from notifyd.config.load import load
from notifyd.model.errors import TokenError
from notifyd.service.errors import ServiceError
from notifyd.service.initial_config import initial_config
from notifyd.service.install import ServiceInstaller
from notifyd.service.installation import Installation
from notifyd.service.layout import ServiceLayout
from notifyd.service.uninstall import uninstall
from notifyd.service.units import example_config, service_files

COMMAND = Path("/opt/notifyd/bin/notifyd")
PROGRAM = """#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
case "$*" in *ActiveState*) cat "$STATE";; esac
"""


class Machine:
    """A root directory, and what was called."""

    def __init__(self, folder, layout):
        self.root, self.layout = folder / "root", layout
        self._calls, self._state = folder / "calls", folder / "state"
        self._state.write_text("inactive")

    def install(self, *drop_ins, start=True, token="", command=COMMAND):
        """Return the changes and the calls that may change something."""
        self._calls.write_text("")
        installer = ServiceInstaller(self.layout, command, drop_ins, lambda: token)
        changes = list(installer.install(start=start))
        if start:
            self._state.write_text("active")
        return changes, self.calls()

    def uninstall(self):
        self._calls.write_text("")
        return list(uninstall(self.layout, COMMAND)), self.calls()

    def calls(self):
        calls = self._calls.read_text().splitlines()
        return [call for call in calls if not re.search(r"show|daemon-reload|systemd-", call)]

    def files(self):
        found = (path for path in self.root.rglob("*") if path.is_file() or path.is_symlink())
        return {str(path.relative_to(self.root)) for path in found}


@pytest.fixture
def programs(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("systemctl", "systemd-sysusers", "systemd-tmpfiles"):
        (folder / name).write_text(PROGRAM)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("STATE", str(tmp_path / "state"))


@pytest.fixture
def machine(tmp_path, programs):
    for name in ("etc/systemd/system", "etc/sysusers.d", "usr/local/bin"):
        (tmp_path / "root" / name).mkdir(parents=True)
    return Machine(tmp_path, ServiceLayout.of_system(tmp_path / "root"))


@pytest.fixture
def home(tmp_path, programs):
    (tmp_path / "root").mkdir()
    return Machine(tmp_path, ServiceLayout.of_user({"HOME": str(tmp_path / "root")}))


UNITS = {
    f"etc/systemd/system/{name}"
    for name in ("notifyd.service", "notifyd.socket", "notifyd-token.path", "notifyd-token.service")
}
CONFS = {"etc/sysusers.d/notifyd.conf", "etc/tmpfiles.d/notifyd.conf"}
KEPT = {"etc/notifyd/config.toml", "etc/notifyd/send-token"}
LINK = "usr/local/bin/notifyd"


def test_everything_is_written_enabled_and_started(machine):
    changes, calls = machine.install()
    assert machine.files() == UNITS | CONFS | KEPT | {LINK}
    assert len(changes) == len(machine.files()) + 1
    assert changes[-1] == "started notifyd.service"
    assert calls == [
        "systemctl enable --quiet notifyd.service",
        "systemctl start notifyd.socket notifyd.service",
    ]
    unit = (machine.layout.units / "notifyd.service").read_text()
    assert f"\nExecStart={COMMAND} run\n" in unit
    assert (machine.root / LINK).readlink() == COMMAND
    assert machine.layout.token.read_text() == ""
    assert stat.S_IMODE(machine.layout.token.stat().st_mode) == 0o600


def test_nothing_is_enabled_or_started_unless_asked(machine):
    assert machine.install(start=False)[1] == []


def test_a_second_time_changes_nothing(machine):
    machine.install("private-logs")
    before = {path: (machine.root / path).stat().st_mtime_ns for path in KEPT | UNITS}
    assert machine.install("private-logs") == ([], ["systemctl enable --quiet notifyd.service"])
    assert {path: (machine.root / path).stat().st_mtime_ns for path in before} == before


def test_changed_units_restart_the_service_and_the_socket_only_if_it_changed(machine):
    machine.install()
    drop_in = machine.layout.drop_ins / "private-logs.conf"
    assert machine.install("private-logs") == (
        [f"wrote {drop_in}", "restarted notifyd.service"],
        [
            "systemctl enable --quiet notifyd.service",
            "systemctl stop notifyd.service",
            "systemctl start notifyd.socket notifyd.service",
        ],
    )
    (machine.layout.units / "notifyd.socket").unlink()
    assert "systemctl stop notifyd.service notifyd.socket" in machine.install()[1]


def test_another_installation_of_notifyd_may_take_over(machine):
    machine.install()
    assert machine.install(command=Path("/opt/new one/100%/notifyd"))[0] == [
        f"wrote {machine.layout.units}/notifyd.service",
        "restarted notifyd.service",
    ]
    unit = (machine.layout.units / "notifyd.service").read_text()
    assert '\nExecStart="/opt/new one/100%%/notifyd" run\n' in unit


@pytest.mark.parametrize("how", ["foreign", "edited", "link"])
def test_a_file_of_others_is_not_overwritten_and_nothing_else_is_changed(machine, how):
    unit = machine.layout.units / "notifyd.socket"
    said = "exists, and `notifyd service install` did not write it"
    if how == "foreign":
        unit.write_text("[Socket]\n")
    elif how == "link":
        unit.symlink_to("/dev/null-is-not-here")
    else:
        machine.install()
        unit.write_text(unit.read_text() + "SocketMode=0666\n")
        said = "was changed after `notifyd service install` wrote it"
        (machine.root / LINK).unlink()
    before = machine.files()
    with pytest.raises(ServiceError, match=re.escape(f"{unit} {said}; move ")) as refusal:
        machine.install()
    assert str(refusal.value).endswith(f"then: rm {unit}")
    assert machine.files() == before


def test_configuration_and_token_of_before_are_kept(machine):
    machine.layout.config_dir.mkdir(parents=True)
    machine.layout.config.write_text("# mine\n")
    machine.layout.token.write_text("onp_mine\n")
    machine.install(token="onp_other")
    assert machine.layout.config.read_text() == "# mine\n"
    assert machine.layout.token.read_text() == "onp_mine\n"


def test_a_token_that_is_entered_is_stored_for_root_alone(machine):
    machine.install()
    assert f"wrote {machine.layout.token}" in machine.install(token=" onp_new ")[0]
    assert machine.layout.token.read_text() == "onp_new\n"
    assert stat.S_IMODE(machine.layout.token.stat().st_mode) == 0o600


def test_what_cannot_be_a_token_is_refused(machine):
    with pytest.raises(TokenError, match="contains characters that are not allowed"):
        machine.install(token="two words")


def test_a_program_that_fails_is_quoted(machine, tmp_path):
    (tmp_path / "bin" / "systemd-sysusers").write_text("#!/bin/sh\necho no such luck >&2\nexit 1\n")
    with pytest.raises(ServiceError, match=r"`systemd-sysusers .*` failed: no such luck"):
        machine.install()


def test_removing_keeps_configuration_and_token(machine):
    machine.install("private-logs")
    lines, calls = machine.uninstall()
    assert machine.files() == KEPT
    assert not machine.layout.drop_ins.exists()
    assert len(lines) == len(UNITS | CONFS) + 3
    assert calls[0] == "systemctl disable --quiet --now notifyd.socket notifyd.service"
    assert machine.uninstall() == ([], [])


def test_removing_leaves_what_others_wrote(machine):
    machine.install()
    edited = machine.layout.units / "notifyd-token.path"
    edited.write_text(edited.read_text() + "# mine\n")
    (machine.layout.drop_ins).mkdir()
    (machine.layout.drop_ins / "override.conf").write_text("[Service]\n")
    (machine.root / LINK).unlink()
    (machine.root / LINK).symlink_to("/elsewhere")
    lines, _ = machine.uninstall()
    assert lines[-1] == f"kept {edited}: it was written or changed by others"
    assert machine.files() == KEPT | {
        LINK,
        "etc/systemd/system/notifyd-token.path",
        "etc/systemd/system/notifyd.service.d/override.conf",
    }


def test_a_user_gets_units_of_their_own(home):
    changes, calls = home.install()
    assert home.files() == {
        ".config/notifyd/config.toml",
        ".config/notifyd/send-token",
        ".config/systemd/user/notifyd.service",
        ".config/systemd/user/notifyd.socket",
    }
    assert changes[-1] == "started notifyd.service"
    assert calls == [
        "systemctl --user enable --quiet notifyd.service",
        "systemctl --user start notifyd.socket notifyd.service",
    ]
    home.uninstall()
    assert home.files() == {".config/notifyd/config.toml", ".config/notifyd/send-token"}


@pytest.mark.parametrize(("reads_journal", "trigger"), [(True, "failed-units"), (False, "disk")])
def test_the_first_configuration_is_valid_and_shows_every_key(tmp_path, reads_journal, trigger):
    text = initial_config(example_config(), reads_journal=reads_journal)
    path = tmp_path / "config.toml"
    path.write_text(text)
    loaded = load(path, {"HOME": str(tmp_path)})
    assert list(loaded.settings.triggers) == [trigger]
    assert loaded.warnings == ()
    shown = set(re.sub("^#", "", text, flags=re.MULTILINE).splitlines())
    assert set(re.sub("^#", "", example_config(), flags=re.MULTILINE).splitlines()) <= shown


def test_an_installation_that_others_can_change_is_refused_with_the_way_out(tmp_path):
    command = tmp_path / "venv" / "bin" / "notifyd"
    command.parent.mkdir(parents=True)
    command.touch()
    installation = Installation(command, command, command.parent, tmp_path / "venv")
    with pytest.raises(ServiceError) as refusal:
        installation.require_trusted()
    first, *commands = str(refusal.value).splitlines()
    assert first.startswith(f"the service cannot run from {tmp_path}/venv: ")
    assert re.search(r"everybody can write to /\w+;|belongs to the user \w+, who could ", first)
    assert [line.split()[0] for line in commands] == [
        "python3",
        "/opt/notifyd/bin/pip",
        "/opt/notifyd/bin/notifyd",
    ]


def test_the_files_name_no_directory_of_the_build(tmp_path):
    for layout in (ServiceLayout.of_system(tmp_path), ServiceLayout.of_user({"HOME": "/home/x"})):
        for file in service_files(layout, COMMAND, ()):
            assert str(Path.cwd()) not in file.content


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here")
def test_without_systemd_or_root_the_command_says_so(capsys):
    expected = FAILED if os.geteuid() == 0 else USAGE
    assert main(["service", "install"]) == expected
    said = capsys.readouterr().err
    assert ("systemd does not run here" if expected == FAILED else "only root may install") in said
    assert main(["service", "install", "--user", "--with", "private-logs"]) == USAGE
