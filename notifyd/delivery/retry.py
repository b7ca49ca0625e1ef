"""Policy, without effects: what an answer means, and how long to wait before the next attempt."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from notifyd.delivery.response import ApiResponse
from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import Json

SHORTEST = 0.5
"""Seconds: no retry comes sooner."""

LONGEST = 300.0
"""Seconds: where the backoff stops growing."""

LONGEST_ASKED = 3600.0
"""Seconds: what a Retry-After is cut to."""

_GOOD = 2
_LOWEST, _HIGHEST = 100, 599
_FIRST = 1.0
_DOUBLINGS = 9
_SECONDS = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_AGAIN = frozenset({408, 409, 425, 429})
_MENDS = {
    402: "the account lacks payment or credits",
    404: "there is no such endpoint, check [api] url",
    405: "this is not the platform's API, check [api] url",
}


def decide(answer: ApiResponse, order: SendAttempt, now: Now, jitter: float) -> Outcome:
    """Say what an answer means. `jitter` is a random number from 0 up to 1."""
    verdict, reason = _judge(answer)
    cause = _cause(answer)
    if verdict not in (OutcomeKind.RETRY, OutcomeKind.ENDPOINT):
        return Outcome(order.id, verdict, reason, report=answer.report, cause=cause)
    asked = asked_pause(answer.retry_after, now.wall, answer.date)
    if asked:
        reason = f"{reason}, and asks to wait for {asked:.0f} s"
    return Outcome(
        order.id,
        verdict,
        reason,
        pause=max(backoff(order.consecutive_failures, jitter), asked),
        own_pause=backoff(order.failures, jitter) if verdict is OutcomeKind.RETRY else 0.0,
        cause=cause,
        retry_after=asked,
    )


def backoff(failures: int, jitter: float) -> float:
    """Seconds to wait after `failures` earlier ones: anything up to twice the last one's most."""
    most = min(_FIRST * 2.0 ** min(failures, _DOUBLINGS), LONGEST)
    return max(SHORTEST, jitter * most)


def asked_pause(header: str, wall: float, date: str = "") -> float:
    """Seconds that a Retry-After asks for, in either of its forms; 0 for none, past or nonsense.

    date: the answer's own Date, from which a time is counted where it is one: this machine's
    clock may be wrong.
    """
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST_ASKED)
    until = _moment(text)
    if until is None:
        return 0.0
    since = _moment(date)
    return min(max(until - (wall if since is None else since), 0.0), LONGEST_ASKED)


def _moment(text: str) -> float | None:
    """Read an HTTP date, in any of its forms, as seconds since the epoch."""
    try:
        when = parsedate_to_datetime(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return when.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _judge(answer: ApiResponse) -> tuple[OutcomeKind, str]:
    match answer.status:
        case None:
            return OutcomeKind.RETRY, answer.fault
        case status if status in _AGAIN:
            return OutcomeKind.RETRY, _answered(answer)
        case 401:
            mend = f"give a new one in {answer.asked_with}" if answer.asked_with else "renew it"
            return OutcomeKind.REFUSED, f"the send token was refused ({_because(answer)}): {mend}"
        case 403:
            return OutcomeKind.FORBIDDEN, f"the API forbids it ({_because(answer)})"
        case 402 | 404 | 405:
            return OutcomeKind.ENDPOINT, f"{_answered(answer)}: {_MENDS[answer.status]}"
    match answer.status // 100:
        case 2:
            return _accepted(answer)
        case 3:
            where = f" and points to {answer.elsewhere}" if answer.elsewhere else ""
            mend = "redirects are not followed, check [api] url"
            return OutcomeKind.ENDPOINT, f"{_answered(answer)}{where}: {mend}"
        case 4:
            return OutcomeKind.FAILED, _answered(answer)
    return OutcomeKind.RETRY, _answered(answer)


def _accepted(answer: ApiResponse) -> tuple[OutcomeKind, str]:
    if answer.success is None:
        return OutcomeKind.RETRY, f"{_answered(answer)} but not with JSON: check [api] url"
    if not answer.success:
        said = f": {answer.said}" if answer.said else ""
        return OutcomeKind.RETRY, f"the API answered {answer.status} without success{said}"
    report = answer.report or {}
    if report.get("skipped"):
        words = [report.get(name) for name in ("skipped", "reason", "detail")]
        said = ", ".join(word for word in words if isinstance(word, str))
        return OutcomeKind.NO_DEVICE, f"the platform did not push it{f' ({said})' if said else ''}"
    if report.get("devices") == 0:
        return OutcomeKind.NO_DEVICE, "no device is registered for this workspace"
    if report.get("delivered") == 0 and report.get("failed"):
        return OutcomeKind.DELIVERED, f"no device took it{_first_error(report)}"
    return OutcomeKind.DELIVERED, ""


def _first_error(report: Json) -> str:
    errors = report.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    said = (first.get("message") or first.get("code")) if isinstance(first, dict) else ""
    return f" ({said})" if said else ""


def _cause(answer: ApiResponse) -> str:
    """Say an answer as one word; there are a few hundred."""
    if answer.status is None:
        return answer.cause or "other"
    if answer.status // 100 == _GOOD:
        return {True: "", False: "unsuccessful", None: "not_json"}[answer.success]
    known = _LOWEST <= answer.status <= _HIGHEST
    return f"http_{answer.status}" if known else "http_other"


def _because(answer: ApiResponse) -> str:
    return f"{answer.status}: {answer.said}" if answer.said else str(answer.status)


def _answered(answer: ApiResponse) -> str:
    return f"the API answered {answer.status}" + (f" ({answer.said})" if answer.said else "")
