"""Check: the journal can be read, if a trigger reads it."""

from notifyd.doctor.configuration import reads_journal
from notifyd.doctor.finding import CheckOutcome, Finding, Severity
from notifyd.doctor.subject import Subject
from notifyd.sources.journal.access import access_problem, missing_command


def check(subject: Subject) -> CheckOutcome:
    if not reads_journal(subject.settings):
        return CheckOutcome("no trigger reads it")
    problem = missing_command() or access_problem()
    findings = [Finding.from_sentence(Severity.FAULT, problem)] if problem else []
    return CheckOutcome("readable", findings)
