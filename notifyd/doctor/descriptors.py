"""Check: the daemon may open as many files as it watches."""

import resource
from pathlib import Path

from notifyd.doctor.finding import CheckOutcome, Finding
from notifyd.doctor.path_survey import PathSurvey
from notifyd.doctor.subject import Once, Subject

_OWN_FILES = 64
"""Descriptors of the database, the listeners, their clients and the interpreter."""
_LIMIT = "Max open files"


def check(subject: Subject, survey: Once[PathSurvey]) -> CheckOutcome:
    needed = len(survey().logs) + _OWN_FILES
    limit = _limit_of(subject.pid)
    findings = []
    if limit < needed:
        problem = f"the daemon may open {limit} files, and needs about {needed}"
        fix = f"ulimit -n {2 * needed} before `notifyd run`"
        if subject.layout:
            edit = "systemctl --user edit" if subject.layout.is_user else "systemctl edit"
            fix = f"{edit} notifyd: [Service] LimitNOFILE={max(65536, 2 * needed)}"
        findings.append(Finding.fault(problem, fix))
    return CheckOutcome(f"about {needed} of {limit}", findings)


def _limit_of(pid: int) -> int:
    """Return the limit of the daemon, which raises its own to the hard one; else this process's."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines() if pid else []
        (line,) = (line for line in lines if line.startswith(_LIMIT))
        return int(line.removeprefix(_LIMIT).split()[1])
    except (OSError, ValueError):
        return resource.getrlimit(resource.RLIMIT_NOFILE)[1]
