"""Check: the clock of this machine, against the time that the API sends."""

from email.utils import parsedate_to_datetime

from notifyd.doctor.api import HIDDEN, ApiAnswers
from notifyd.doctor.finding import CheckOutcome, Finding, skipped
from notifyd.doctor.subject import Subject
from notifyd.text.durations import format_duration

_LARGEST_SKEW = 30.0
"""Seconds between both clocks: more moves mute windows and schedules, and fails TLS some day."""
_FIX = "timedatectl set-ntp true; in a container, set the clock of its host"


def check(subject: Subject, answers: ApiAnswers) -> CheckOutcome:
    """Compare. The header has whole seconds, and was written while the answer was on its way."""
    if subject.has_hidden_environ:
        return skipped(HIDDEN)
    answer = answers.reached()
    if not answer.date:
        return skipped("the API does not answer, or does not say what time it is")
    try:
        theirs = parsedate_to_datetime(answer.date).timestamp()
    except ValueError:
        return skipped("the API does not say what time it is")
    latest, earliest = answer.wall - theirs, answer.wall - answer.seconds - theirs - 1
    skew = earliest if earliest > 0 else min(latest, 0.0)
    if abs(skew) < _LARGEST_SKEW:
        return CheckOutcome("right")
    where = "ahead of" if skew > 0 else "behind"
    problem = f"the clock of this machine is {format_duration(round(abs(skew)))} {where} the API's"
    return CheckOutcome("", [Finding.fault(problem, _FIX)])
