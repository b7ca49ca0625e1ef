"""Check: the service of systemd, if it is installed for this configuration."""

import os
import pwd
import re
from collections.abc import Iterator
from pathlib import Path

from notifyd.doctor.finding import CheckOutcome, Finding
from notifyd.doctor.subject import SYSTEMCTL_TIMEOUT, Subject
from notifyd.service.errors import ServiceError
from notifyd.service.layout import ServiceLayout
from notifyd.service.systemctl import Systemctl, require_systemd
from notifyd.service.units import drop_in_names, service_files
from notifyd.service.written_file import WrittenState
from notifyd.sources.processes import procfs

_PROPERTIES = ("ActiveState", "UnitFileState", "NeedDaemonReload", "Result", "MainPID")
_COMMAND = re.compile(r"^ExecStart=\"?(?P<command>[^\s\"]+)\"? run", re.MULTILINE)
_LINGER = Path("/var/lib/systemd/linger")
_DELAY = 30.0
"""Seconds that the path unit may take to restart the service for a new token."""


def check(subject: Subject) -> CheckOutcome:
    layout = subject.layout
    if layout is None:
        return CheckOutcome("no service is installed for this configuration")
    try:
        require_systemd()
        systemctl = Systemctl(is_user=layout.is_user, within=SYSTEMCTL_TIMEOUT)
        shown = systemctl.run("show", f"--property={','.join(_PROPERTIES)}", "notifyd.service")
    except ServiceError as error:
        return CheckOutcome("", [Finding.warning(f"systemd cannot be asked: {error}")])
    lines = (line.partition("=") for line in shown.splitlines())
    properties = {name: value for name, _, value in lines}
    findings = [
        *_state_findings(properties, systemctl.command, layout),
        *_file_findings(layout),
        *_token_findings(layout, properties.get("MainPID", ""), systemctl, subject.wall()),
        *(_linger_findings() if layout.is_user else ()),
    ]
    return CheckOutcome("notifyd.service is active and enabled", findings)


def _state_findings(
    properties: dict[str, str], systemctl: str, layout: ServiceLayout
) -> Iterator[Finding]:
    state = properties.get("ActiveState")
    journal = f"journalctl{' --user' * layout.is_user} -u notifyd -n 20"
    if state == "failed":
        problem = f"notifyd.service has failed (result: {properties.get('Result')})"
        start = f"{systemctl} reset-failed notifyd && {systemctl} start notifyd"
        yield Finding.fault(problem, f"see why: `{journal}`; then {start}")
    elif state not in ("active", "reloading", "activating"):
        yield Finding.fault(f"notifyd.service is {state}", f"{systemctl} start notifyd")
    if properties.get("UnitFileState") == "disabled":
        problem = "notifyd.service is not enabled, so it does not start at boot"
        yield Finding.warning(problem, f"{systemctl} enable notifyd")
    if properties.get("NeedDaemonReload") == "yes":
        problem = "the unit of notifyd.service has changed since systemd read it"
        yield Finding.warning(problem, f"{systemctl} daemon-reload && {systemctl} restart notifyd")


def _file_findings(layout: ServiceLayout) -> Iterator[Finding]:
    """Yield files of the service that another version wrote."""
    unit = layout.units / "notifyd.service"
    try:
        found = _COMMAND.search(unit.read_text(errors="replace"))
        command = Path(found["command"]) if found else Path("/usr/local/bin/notifyd")
        files = service_files(layout, command, drop_in_names())
        states = {file.path: file.state() for file in files}
    except (OSError, ServiceError):
        return  # not readable for this user
    if not command.exists():
        install = f"notifyd service install{' --user' * layout.is_user} --now"
        yield Finding.fault(f"{unit} runs {command}, which does not exist", install)
    for path, state in states.items():
        if state is WrittenState.OUTDATED:
            install = f"notifyd service install{' --user' * layout.is_user} --now"
            if path.parent == layout.drop_ins:
                install += f" --with {path.stem}"
            yield Finding.warning(f"{path} is of another version of notifyd", install)


def _token_findings(
    layout: ServiceLayout, pid: str, systemctl: Systemctl, wall: float
) -> Iterator[Finding]:
    """Yield whether the service started with another token than the file holds now."""
    if layout.is_user or not pid.isdecimal() or pid == "0":
        return
    try:
        changed = layout.token.stat().st_mtime
        process = procfs.read_stat(int(pid))
    except OSError:
        return
    if process is None:
        return
    started = wall - (procfs.uptime() - process.started)
    is_noticed = systemctl.state("notifyd-token.path") == "active"
    if started < changed < wall - (_DELAY if is_noticed else 0.0):
        problem = f"{layout.token} has changed since the service started, which uses the old one"
        start = f"{systemctl.command} start notifyd-token.path"
        yield Finding.fault(problem, f"{systemctl.command} restart notifyd; {start}")


def _linger_findings() -> Iterator[Finding]:
    name = pwd.getpwuid(os.geteuid()).pw_name
    if _LINGER.is_dir() and not (_LINGER / name).exists():
        problem = f"the service ends when {name} logs out: lingering is not enabled"
        yield Finding.warning(problem, f"loginctl enable-linger {name}")
