"""Check: whether this workspace sleeps while things should be watched."""

import time

from notifyd.doctor.finding import CheckOutcome, Finding, skipped
from notifyd.doctor.subject import Subject
from notifyd.text.durations import format_duration

_WORKSPACE = "OBLIEN_WORKSPACE_ID"


def check(subject: Subject) -> CheckOutcome:
    """Look for a suspend, which the platform makes without HTTP traffic, in the daemon's status."""
    if subject.status is None:
        return skipped("no daemon answers")
    gap = subject.part("gap")
    if gap.get("kind") != "suspend":
        return CheckOutcome("no suspend since the daemon started")
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(_number(gap.get("at"))))
    length = format_duration(round(_number(gap.get("seconds"))))
    workspace = subject.environ.get(_WORKSPACE, "ID")
    problem = f"this workspace was suspended for {length}, until {until}: nothing is seen meanwhile"
    fix = (
        f"keep it awake during work: `notifyd api POST /workspace/{workspace}/ping`, or raise "
        f"suspend_after: `notifyd api PUT /workspace/{workspace}/lifecycle/idle -F suspend_after=N`"
    )
    return CheckOutcome("", [Finding.warning(problem, fix)])


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0.0
