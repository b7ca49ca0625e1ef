"""Runs checks at the same time, within a time limit, some of them as the daemon's user.

The threads are daemon threads: one that hangs in the kernel, such as on a file system of a server
that is gone, does not hold up the exit.
"""

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from notifyd.doctor.daemon_user import DaemonUser
from notifyd.doctor.finding import CheckOutcome, CheckReport, Finding
from notifyd.doctor.subject import Subject
from notifyd.model.errors import NotifydError

_REPORT_MARGIN = 1.0
"""Seconds that a process has to hand over its reports after its checks had to end."""
_LARGEST_REPORT = 16 << 20


class DoctorCheck(NamedTuple):
    """as_user: it sees what the daemon sees, so it runs as the daemon's user."""

    name: str
    run: Callable[[Subject], CheckOutcome]
    as_user: bool = False


def run_checks(checks: Sequence[DoctorCheck], subject: Subject, within: float) -> list[CheckReport]:
    """Run all checks and return their reports in the order of the checks.

    within: seconds. Call it before other threads start.
    """
    is_other = subject.user.uid != os.geteuid()
    others = [check for check in checks if check.as_user and is_other]
    reports: queue.SimpleQueue[CheckReport] = queue.SimpleQueue()
    work: list[tuple[str, Callable[[], CheckReport]]] = []
    if others and os.geteuid() == 0:
        start_as_user(others, subject, within, reports)
    else:
        for check in others:
            reports.put(_unreachable_check(check, subject.user))
    work = [(c.name, _bound(c, subject)) for c in checks if c not in others]
    for name, run in work:
        threading.Thread(target=lambda run=run: reports.put(run()), name=name, daemon=True).start()
    return _collect([check.name for check in checks], reports, within + _REPORT_MARGIN * is_other)


def _bound(check: DoctorCheck, subject: Subject) -> Callable[[], CheckReport]:
    return lambda: run_check(check, subject)


def run_check(check: DoctorCheck, subject: Subject) -> CheckReport:
    """Run one check. What fails unexpectedly is a warning."""
    try:
        outcome = check.run(subject)
        return CheckReport(check.name, outcome.summary, tuple(outcome.findings), outcome.is_skipped)
    except NotifydError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - the other checks are worth their reports
        reason = f"{type(error).__name__}: {error}"
    finding = Finding.warning(f"this could not be checked: {reason}")
    return CheckReport(check.name, "", (finding,))


def start_as_user(
    checks: Sequence[DoctorCheck],
    subject: Subject,
    within: float,
    reports: "queue.SimpleQueue[CheckReport]",
) -> None:
    """Run checks in a process of another user, and put their reports into the queue."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _report_and_exit(checks, subject, within, writing)
    os.close(writing)
    threading.Thread(target=_read_reports, args=(reading, pid, reports), daemon=True).start()


def _report_and_exit(
    checks: Sequence[DoctorCheck], subject: Subject, within: float, writing: int
) -> None:
    status = 1
    try:
        subject.user.become()
        found = run_checks(checks, subject, within)
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:
            json.dump([report.to_json() for report in found], pipe)
        status = 0
    finally:
        os._exit(status)


def _read_reports(reading: int, pid: int, reports: "queue.SimpleQueue[CheckReport]") -> None:
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read(_LARGEST_REPORT)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    with suppress(ValueError):  # it could not report: its checks time out
        for report in json.loads(text):
            reports.put(CheckReport.from_json(report))


def _collect(
    names: Sequence[str], reports: "queue.SimpleQueue[CheckReport]", within: float
) -> list[CheckReport]:
    found: dict[str, CheckReport] = {}
    deadline = time.monotonic() + within
    while len(found) < len(names):
        try:
            report = reports.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            break
        found[report.name] = report
    return [found.get(name) or _unanswered(name, within) for name in names]


def _unanswered(name: str, within: float) -> CheckReport:
    problem = f"this check did not end within {within:g} s: a file system or program hangs"
    return CheckReport(name, "", (Finding.warning(problem, "see `dmesg` and `mount`"),))


def _unreachable_check(check: DoctorCheck, user: DaemonUser) -> CheckReport:
    why = f"the daemon runs as user {user.name}: run `notifyd doctor` as root to check this"
    return CheckReport(check.name, why, is_skipped=True)
