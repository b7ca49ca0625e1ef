"""All checks of `notifyd doctor`, in the order of the report."""

from functools import partial

from notifyd.doctor import (
    agent_hooks,
    api,
    clock,
    configuration,
    daemon_socket,
    daemon_status,
    descriptors,
    devices,
    inotify,
    journal,
    paths,
    processes,
    service,
    sleep,
    spool,
    state_directory,
    token,
    units,
)
from notifyd.doctor.api import ApiAnswers
from notifyd.doctor.finding import CheckReport
from notifyd.doctor.path_survey import survey_paths
from notifyd.doctor.runner import DoctorCheck, run_checks
from notifyd.doctor.subject import Once, Subject

LIMIT = 20.0
"""Seconds for all checks together."""


def examine(subject: Subject, within: float = LIMIT) -> list[CheckReport]:
    """Run all checks. Call it before threads start. A problem is reported once."""
    reports = run_checks(checks_of(subject), subject, within)
    seen: set[str] = set()
    return [_without_repeats(report, seen) for report in reports]


def checks_of(subject: Subject) -> list[DoctorCheck]:
    answers = ApiAnswers(subject)
    survey = Once(lambda: survey_paths(subject))
    # systemd reads the token of a service as root, and hands it over.
    reads_token = subject.layout is None or subject.layout.is_user
    return [
        DoctorCheck("configuration", configuration.check, as_user=True),
        DoctorCheck("token", partial(token.check, answers=answers), as_user=reads_token),
        DoctorCheck("api", partial(api.check, answers=answers)),
        DoctorCheck("clock", partial(clock.check, answers=answers)),
        DoctorCheck("devices", partial(devices.check, answers=answers)),
        DoctorCheck("service", service.check),
        DoctorCheck("socket", daemon_socket.check),
        DoctorCheck("state", state_directory.check, as_user=True),
        DoctorCheck("spool", spool.check, as_user=True),
        DoctorCheck("paths", partial(paths.check, survey=survey), as_user=True),
        DoctorCheck("journal", journal.check, as_user=True),
        DoctorCheck("units", units.check, as_user=True),
        DoctorCheck("processes", processes.check, as_user=True),
        DoctorCheck("inotify", partial(inotify.check, survey=survey), as_user=True),
        DoctorCheck("descriptors", partial(descriptors.check, survey=survey), as_user=True),
        DoctorCheck("sleep", sleep.check),
        DoctorCheck("agents", agent_hooks.check),
        # Last: what another check finds, too, that one reports with the command that fixes it.
        DoctorCheck("daemon", daemon_status.check),
    ]


def _without_repeats(report: CheckReport, seen: set[str]) -> CheckReport:
    fresh = tuple(finding for finding in report.findings if finding.problem not in seen)
    seen.update(finding.problem for finding in fresh)
    return report._replace(findings=fresh)
