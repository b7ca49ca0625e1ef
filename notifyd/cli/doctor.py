"""`notifyd doctor`: find what keeps notifications from arriving, and say how to fix it."""

import argparse
import os
import sys
import time
from collections.abc import Iterator

from notifyd.cli.exit_status import FAILED, UsageError
from notifyd.cli.options import SOCKET_HELP, add_config_option
from notifyd.cli.output import colored, format_json, printable, quantity, write
from notifyd.doctor.daemon_user import DaemonUser
from notifyd.doctor.discovery import find_subject
from notifyd.doctor.examination import examine
from notifyd.doctor.finding import CheckReport, Severity
from notifyd.doctor.trial import send_trial

HELP = """\
Find what keeps notifications from arriving, and say how to fix each. Changes nothing and sends
nothing. Needs no daemon; as root it sees what the daemon's user sees."""

EPILOG = """\
examples:
  notifyd doctor
  sudo notifyd doctor --config /etc/notifyd/config.toml
  notifyd doctor --send-test

exit status: 0 no fault, warnings or not; 1 faults; 2 usage; 78 --config names no file.
"""
_COLORS = {"fault": "red", "warning": "yellow", "ok": "green", "skipped": ""}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_option(parser)
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="check as this user (default: the one who runs the daemon); only root may",
    )
    parser.add_argument("--all", action="store_true", help="show what each check found right, too")
    parser.add_argument(
        "--send-test", action="store_true", help="also send a notification, and wait for its result"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    user = _user(args.user) if args.user else None
    subject = find_subject(args.config, args.socket, user, os.environ, time.time)
    reports = examine(subject)
    if args.send_test:
        reports.append(send_trial(subject))
    faults, warnings = (_count(reports, severity) for severity in Severity)
    if args.json:
        checks = [report.to_json() for report in reports]
        counts = {"faults": faults, "warnings": warnings}
        write(format_json({"success": not faults, **counts, "checks": checks}))
    else:
        for line in _lines(reports, show_all=args.all):
            write(line)
        write(_verdict(faults, warnings))
    return FAILED if faults else 0


def _user(name: str) -> DaemonUser:
    try:
        user = DaemonUser.named(name)
    except (KeyError, OverflowError):
        raise UsageError(f"--user: no such user: {name}") from None
    if os.geteuid() not in (0, user.uid):
        raise UsageError(f"--user: only root may check as {name}; run it with sudo")
    return user


def _count(reports: list[CheckReport], severity: Severity) -> int:
    return sum(each.severity is severity for report in reports for each in report.findings)


def _lines(reports: list[CheckReport], *, show_all: bool) -> Iterator[str]:
    """Yield each finding with its fix, faults first, then the checks that found nothing."""
    findings = [(report.name, each) for report in reports for each in report.findings]
    findings.sort(key=lambda found: found[1].severity is not Severity.FAULT)
    for name, finding in findings:
        word = finding.severity.value
        label = colored(f"{word:8}", _COLORS[word], sys.stdout)
        yield f"{label} {name}: {printable(finding.problem)}"
        if finding.fix:
            yield f"{'':8} fix: {printable(finding.fix)}"
    for status in ("ok", "skipped"):
        matching = [report for report in reports if report.status == status]
        label = colored(f"{status:8}", _COLORS[status], sys.stdout)
        if show_all:
            yield from (f"{label} {each.name}: {printable(each.summary)}" for each in matching)
        elif matching:
            yield f"{label} {', '.join(report.name for report in matching)}"


def _verdict(faults: int, warnings: int) -> str:
    if not faults and not warnings:
        return "no faults"
    parts = [quantity(faults, "fault")] if faults else ["no faults"]
    return ", ".join([*parts, *([quantity(warnings, "warning")] if warnings else [])])
