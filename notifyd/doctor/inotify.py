"""Check: inotify can watch what the triggers name."""

import errno
from contextlib import ExitStack
from pathlib import Path

from asyncinotify import Inotify, Mask

from notifyd.config.triggers import FileTriggerConfig, LogTriggerConfig
from notifyd.doctor.finding import CheckOutcome, Finding
from notifyd.doctor.path_survey import PathSurvey
from notifyd.doctor.subject import Once, Subject

_LIMITS = Path("/proc/sys/fs/inotify")
_OWN_WATCHES = 64
"""Watches of the directories on the way to what is watched, and of the daemon's own files."""
_SPARE_DESCRIPTORS = 3


def check(subject: Subject, survey: Once[PathSurvey]) -> CheckOutcome:
    triggers = subject.settings.triggers.values()
    if not any(isinstance(trigger, LogTriggerConfig | FileTriggerConfig) for trigger in triggers):
        return CheckOutcome("no trigger needs it")
    limit = _read_limit("max_user_watches")
    needed = len(survey().directories) + _OWN_WATCHES
    findings = []
    if 0 < limit < needed:
        problem = f"about {needed} inotify watches are needed, and a user may have {limit}"
        findings.append(
            Finding.fault(problem, _sysctl("max_user_watches", max(524288, 2 * needed)))
        )
    if not findings and (finding := _try()):
        findings.append(finding)
    return CheckOutcome(f"about {needed} of {limit or '?'} watches", findings)


def _try() -> Finding | None:
    """Watch a directory for a moment."""
    try:
        with Inotify() as inotify:
            inotify.add_watch("/", Mask.UNMOUNT)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            problem = "this user has no inotify watches left, so changes are polled"
            return Finding.fault(problem, _sysctl("max_user_watches", 524288))
        if error.errno == errno.EMFILE and _has_descriptors():
            problem = "this user has no inotify instances left, so changes are polled"
            return Finding.fault(problem, _sysctl("max_user_instances", 512))
        return Finding.warning(f"inotify cannot be used ({error.strerror}): changes are polled")
    return None


def _has_descriptors() -> bool:
    """Return whether this process may open more files, so that it is inotify that is used up."""
    with ExitStack() as stack:
        try:
            for _ in range(_SPARE_DESCRIPTORS):
                stack.enter_context(Path("/dev/null").open("rb"))
        except OSError:
            return False
    return True


def _read_limit(name: str) -> int:
    """Return a limit of this machine; 0 if it is unknown."""
    try:
        return int((_LIMITS / name).read_text())
    except (OSError, ValueError):
        return 0


def _sysctl(name: str, value: int) -> str:
    setting = f"fs.inotify.{name}={value}"
    return f"sysctl {setting} && echo {setting} > /etc/sysctl.d/60-notifyd.conf, as root"
