"""Check: a daemon answers on its socket, and the socket admits whom it should."""

import os
import socket
import stat
from collections.abc import Iterator

from notifyd.config.sections import SocketConfig
from notifyd.doctor.finding import CheckOutcome, Finding, skipped
from notifyd.doctor.subject import ANSWER_TIMEOUT, Subject
from notifyd.model.user import effective_user, group_name, joinable_group, user_name


def check(subject: Subject) -> CheckOutcome:
    path = subject.socket
    if subject.status is not None:
        is_own = not subject.has_inherited_socket
        findings = [*_differences(path, subject.settings.socket)] if is_own else []
        return CheckOutcome(f"a daemon answers on {path}", findings)
    if subject.is_stopped:
        return skipped("the service does not run")
    return CheckOutcome("", [_why_silent(subject, path)])


def _why_silent(subject: Subject, path: str) -> Finding:
    start = subject.start_command
    try:
        found = os.lstat(path)
    except PermissionError:
        return Finding.fault(f"user {effective_user()} cannot look at {path}", "run it as root")
    except OSError:
        return Finding.fault(f"the daemon does not run: there is no socket {path}", start)
    if not stat.S_ISSOCK(found.st_mode):
        problem = f"{path} is not a socket, so the daemon cannot listen there"
        return Finding.fault(problem, f"mv {path} {path}.old, then {start}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(ANSWER_TIMEOUT)
        try:
            probe.connect(path)
        except PermissionError:
            return _forbidden(subject, path, found)
        except OSError:
            problem = f"the daemon does not run: nobody listens on the stale socket {path}"
            return Finding.fault(problem, start)
    problem = f"the daemon does not answer: {subject.silence}"
    return Finding.fault(problem, f"notifyd check, then {subject.restart_command}")


def _forbidden(subject: Subject, path: str, found: os.stat_result) -> Finding:
    user = effective_user()
    if group := joinable_group(found):
        problem = f"user {user} may not connect to {path}, which is for the group {group}"
        return Finding.fault(problem, f"usermod -aG {group} {user} as root, then log in again")
    owner = user_name(found.st_uid)
    problem = f"user {user} may not connect to {path}, which is for the user {owner}"
    if subject.layout:
        return Finding.fault(problem, "systemctl edit notifyd.socket")
    fix = f"let `group` in [socket] of its daemon name a group of {user}, or run this as {owner}"
    return Finding.fault(problem, fix)


def _differences(path: str, settings: SocketConfig) -> Iterator[Finding]:
    """Yield how the socket differs from what is configured."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a string throughout
    except OSError as error:
        yield Finding.fault(f"{path}: {error.strerror}", "restart the daemon")
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode != settings.mode:
        problem = f"{path} has mode {mode:04o}; [socket] mode is {settings.mode:04o}"
        yield Finding.fault(problem, f"chmod {settings.mode:04o} {path}")
    group = group_name(found.st_gid)
    if settings.group is not None and group != settings.group:
        problem = f"{path} belongs to the group {group}; [socket] group is {settings.group}"
        yield Finding.fault(problem, f"chgrp {settings.group} {path}")
