"""Checks of `notifyd doctor` run beside each other, and none holds up the report."""

import threading
from types import SimpleNamespace

from notifyd.doctor.daemon_user import DaemonUser
from notifyd.doctor.finding import CheckOutcome, CheckReport, Finding, Severity
from notifyd.doctor.runner import DoctorCheck, run_checks

SUBJECT = SimpleNamespace(user=DaemonUser.current())


def test_a_check_that_hangs_is_reported_and_not_waited_for():
    end = threading.Event()
    hanging = DoctorCheck("hanging", lambda _: end.wait(45) and CheckOutcome("late"))
    sound = DoctorCheck("sound", lambda _: CheckOutcome("fine"))
    first, second = run_checks([hanging, sound], SUBJECT, within=0.2)
    end.set()
    assert first.status == "warning"
    assert "did not end within 0.2 s" in first.findings[0].problem
    assert second == CheckReport("sound", "fine")


def test_checks_run_at_the_same_time():
    both = threading.Barrier(2)
    checks = [
        DoctorCheck(name, lambda _: both.wait(45) >= 0 and CheckOutcome("met")) for name in "ab"
    ]
    assert [report.summary for report in run_checks(checks, SUBJECT, within=45)] == ["met", "met"]


def test_a_check_that_fails_unexpectedly_is_a_warning():
    def broken(_):
        raise OSError(5, "Input/output error")

    (report,) = run_checks([DoctorCheck("broken", broken)], SUBJECT, within=45)
    assert report.findings[0].severity is Severity.WARNING
    assert "Input/output error" in report.findings[0].problem


def test_a_report_survives_the_way_from_another_process():
    findings = (Finding.fault("a", "b"), Finding.from_sentence(Severity.WARNING, "c; d; e"))
    report = CheckReport("x", "", findings)
    assert CheckReport.from_json(report.to_json()) == report
    assert findings[1] == Finding.warning("c", "d; e")
    skipped = CheckReport("x", "why", is_skipped=True)
    assert CheckReport.from_json(skipped.to_json()) == skipped
