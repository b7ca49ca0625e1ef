"""Check: every watched path exists and can be read by the daemon's user."""

from notifyd.doctor.finding import CheckOutcome
from notifyd.doctor.path_survey import PathSurvey
from notifyd.doctor.subject import Once, Subject


def check(subject: Subject, survey: Once[PathSurvey]) -> CheckOutcome:
    if subject.user.reads_everything:
        return CheckOutcome("the daemon may read the files of all users")
    found = survey()
    logs, patterns = len(found.logs), found.patterns
    summary = f"{patterns} path{'s' * (patterns != 1)}, {logs} log{'s' * (logs != 1)} readable"
    return CheckOutcome(summary, found.findings)
