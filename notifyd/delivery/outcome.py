"""The retry policy: what a response means, and how long to wait before the next attempt. Pure."""

from notifyd.delivery.response import ApiResponse
from notifyd.http.retry_after import retry_after_seconds
from notifyd.model.attempts import KEPT_IN_INBOX, Outcome, OutcomeKind, SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import Json

MIN_BACKOFF, MAX_BACKOFF = 0.5, 300.0
"""Seconds between which a backoff lies."""

_FIRST_BACKOFF = 1.0
_MAX_DOUBLINGS = 9
_SUCCESS = 2
_MIN_STATUS, _MAX_STATUS = 100, 599
_RETRIED = frozenset({408, 409, 425, 429})
_ENDPOINT_FIXES = {
    402: "the account lacks payment or credits",
    404: "there is no such endpoint, check [api] url",
    405: "this is not the platform's API, check [api] url",
}


def decide_outcome(response: ApiResponse, attempt: SendAttempt, now: Now, jitter: float) -> Outcome:
    """Return what a response means for the attempt. jitter: a random number in [0, 1)."""
    kind, reason = _classify(response)
    cause = _cause(response)
    if kind not in (OutcomeKind.RETRY, OutcomeKind.ENDPOINT):
        return Outcome(attempt.id, kind, reason, report=response.report, cause=cause)
    retry_after = retry_after_seconds(response.retry_after, now.wall, response.date)
    if retry_after:
        reason = f"{reason}, and asks to wait for {retry_after:.0f} s"
    return Outcome(
        attempt.id,
        kind,
        reason,
        pause=max(backoff(attempt.consecutive_failures, jitter), retry_after),
        own_pause=backoff(attempt.failures, jitter) if kind is OutcomeKind.RETRY else 0.0,
        cause=cause,
        retry_after=retry_after,
    )


def backoff(failures: int, jitter: float) -> float:
    """Return the seconds to wait after a failure that followed `failures` others.

    The upper bound doubles with each failure; the jitter spreads over the whole range.
    """
    upper = min(_FIRST_BACKOFF * 2.0 ** min(failures, _MAX_DOUBLINGS), MAX_BACKOFF)
    return max(MIN_BACKOFF, jitter * upper)


def _classify(response: ApiResponse) -> tuple[OutcomeKind, str]:
    """Return the kind of the outcome, and the reason as a sentence; no reason on success."""
    match response.status:
        case None:
            return OutcomeKind.RETRY, response.fault
        case status if status in _RETRIED:
            return OutcomeKind.RETRY, _answered(response)
        case 401:
            fix = f"store a new one in {response.token_name}" if response.token_name else "renew it"
            why = _status_and_error(response)
            return OutcomeKind.REFUSED, f"the send token was refused ({why}): {fix}"
        case 403:
            return OutcomeKind.FORBIDDEN, f"the API forbids it ({_status_and_error(response)})"
        case 402 | 404 | 405:
            fix = _ENDPOINT_FIXES[response.status]
            return OutcomeKind.ENDPOINT, f"{_answered(response)}: {fix}"
    match response.status // 100:
        case 2:
            return _classify_success(response)
        case 3:
            target = f" and redirects to {response.redirect_host}" if response.redirect_host else ""
            fix = "redirects are not followed, check [api] url"
            return OutcomeKind.ENDPOINT, f"{_answered(response)}{target}: {fix}"
        case 4:
            return OutcomeKind.FAILED, _answered(response)
    return OutcomeKind.RETRY, _answered(response)


def _classify_success(response: ApiResponse) -> tuple[OutcomeKind, str]:
    if response.success is None:
        return OutcomeKind.RETRY, f"{_answered(response)}, but not with JSON: check [api] url"
    if not response.success:
        error = f": {response.error}" if response.error else ""
        return OutcomeKind.RETRY, f"the API answered {response.status} without success{error}"
    report = response.report or {}
    if report.get("skipped"):
        words = [report.get(name) for name in ("skipped", "reason", "detail")]
        why = ", ".join(word for word in words if isinstance(word, str))
        return OutcomeKind.NO_DEVICE, f"the platform did not push it{f' ({why})' if why else ''}"
    if report.get("devices") == 0:
        detail = report.get("detail")
        is_kept = isinstance(detail, str) and detail.startswith(KEPT_IN_INBOX)
        reason = str(detail) if is_kept else "no device is registered for this workspace"
        return OutcomeKind.NO_DEVICE, reason
    if report.get("delivered") == 0 and report.get("failed"):
        return OutcomeKind.DELIVERED, f"no device accepted it{_first_error(report)}"
    return OutcomeKind.DELIVERED, ""


def _first_error(report: Json) -> str:
    errors = report.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    text = (first.get("message") or first.get("code")) if isinstance(first, dict) else ""
    return f" ({text})" if text else ""


def _cause(response: ApiResponse) -> str:
    """Return the reason as one word, of a few hundred in all; empty on success."""
    if response.status is None:
        return response.cause or "other"
    if response.status // 100 == _SUCCESS:
        return {True: "", False: "unsuccessful", None: "not_json"}[response.success]
    is_known = _MIN_STATUS <= response.status <= _MAX_STATUS
    return f"http_{response.status}" if is_known else "http_other"


def _status_and_error(response: ApiResponse) -> str:
    return f"{response.status}: {response.error}" if response.error else str(response.status)


def _answered(response: ApiResponse) -> str:
    error = f" ({response.error})" if response.error else ""
    return f"the API answered {response.status}{error}"
