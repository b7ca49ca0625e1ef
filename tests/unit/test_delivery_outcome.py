from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.delivery.outcome import MAX_BACKOFF, MIN_BACKOFF, backoff, decide_outcome
from notifyd.delivery.response import ApiResponse
from notifyd.http.retry_after import LONGEST, retry_after_seconds
from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.events import Now

WALL = datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp()
NOW = Now(mono=50.0, wall=WALL)
GOOD = {"delivered": 1, "failed": 0, "devices": 1}


def outcome_of(
    response: ApiResponse, *, consecutive_failures: int = 0, failures: int = 0, jitter: float = 1.0
) -> Outcome:
    return decide_outcome(
        response, SendAttempt("n1", 1, failures, consecutive_failures), NOW, jitter
    )


def http_date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(WALL + seconds, UTC), usegmt=True)


TABLE = {
    OutcomeKind.RETRY: [100, 408, 409, 425, 429, *range(500, 512), 599, 600, 999],
    OutcomeKind.REFUSED: [401],
    OutcomeKind.FORBIDDEN: [403],
    OutcomeKind.ENDPOINT: [402, 404, 405, 300, 301, 302, 303, 304, 307, 308, 399],
    OutcomeKind.FAILED: [400, 406, 410, 411, 413, 415, 418, 422, 424, 426, 431, 451, 499],
}


@pytest.mark.parametrize(
    ("status", "kind"), [(code, kind) for kind, codes in TABLE.items() for code in codes]
)
def test_each_status_means_what_the_table_says(status, kind):
    outcome = outcome_of(ApiResponse(status, success=False, error="a reason"))
    assert outcome.kind is kind
    assert str(status) in outcome.reason
    assert "a reason" in outcome.reason
    assert outcome.id == "n1"
    paused = kind in (OutcomeKind.RETRY, OutcomeKind.ENDPOINT)
    assert (outcome.pause >= MIN_BACKOFF) if paused else (outcome.pause == outcome.own_pause == 0)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_success_is_delivered_with_the_apis_figures(status):
    outcome = outcome_of(ApiResponse(status, success=True, report=GOOD))
    assert outcome == Outcome("n1", OutcomeKind.DELIVERED, report=GOOD)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"delivered": 0, "failed": 0, "devices": 0}, "no device is registered for this workspace"),
        (
            {"skipped": True, "reason": "push not configured", "detail": "no key"},
            "the platform did not push it (push not configured, no key)",
        ),
        ({"skipped": "no_push", **GOOD}, "the platform did not push it (no_push)"),
        ({"skipped": 1}, "the platform did not push it"),
        ({"devices": 0, "detail": "kept in the inbox; see it"}, "kept in the inbox; see it"),
        ({"devices": 0, "detail": "else"}, "no device is registered for this workspace"),
    ],
)
def test_a_success_without_a_device_is_no_device(report, reason):
    outcome = outcome_of(ApiResponse(200, success=True, report=report))
    assert (outcome.kind, outcome.reason) == (OutcomeKind.NO_DEVICE, reason)
    assert outcome.report == report


@pytest.mark.parametrize("report", [{"skipped": False, **GOOD}, {"skipped": 0}, {}, GOOD])
def test_a_success_that_was_not_skipped_is_delivered(report):
    assert outcome_of(ApiResponse(200, success=True, report=report)).kind is OutcomeKind.DELIVERED


def test_the_first_error_is_named_if_all_devices_failed():
    errors = [{"code": "messaging/third-party-auth-error", "message": "bad key", "count": 2}]
    report = {"delivered": 0, "failed": 2, "devices": 2, "errors": errors}
    outcome = outcome_of(ApiResponse(200, success=True, report=report))
    assert (outcome.kind, outcome.reason) == (
        OutcomeKind.DELIVERED,
        "no device accepted it (bad key)",
    )


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (
            ApiResponse(200, success=False, error="busy"),
            "the API answered 200 without success: busy",
        ),
        (ApiResponse(200), "the API answered 200, but not with JSON: check [api] url"),
        (ApiResponse(204), "the API answered 204, but not with JSON: check [api] url"),
        (ApiResponse(fault="cannot resolve api.oblien.com"), "cannot resolve api.oblien.com"),
        (
            ApiResponse(503, success=False, error="maintenance"),
            "the API answered 503 (maintenance)",
        ),
        (
            ApiResponse(429, success=False, error="slow down", retry_after="7"),
            "the API answered 429 (slow down), and asks to wait for 7 s",
        ),
    ],
)
def test_a_retry_has_its_reason(response, reason):
    outcome = outcome_of(response)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.RETRY, reason)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (
            ApiResponse(401, error="revoked", token_name="/etc/notifyd/send-token"),
            "the send token was refused (401: revoked): store a new one in /etc/notifyd/send-token",
        ),
        (ApiResponse(401), "the send token was refused (401): renew it"),
        (ApiResponse(403, error="not yours"), "the API forbids it (403: not yours)"),
        (ApiResponse(402), "the API answered 402: the account lacks payment or credits"),
        (
            ApiResponse(307, redirect_host="evil.example"),
            (
                "the API answered 307 and redirects to evil.example:"
                " redirects are not followed, check [api] url"
            ),
        ),
        (ApiResponse(422, error="body: too long"), "the API answered 422 (body: too long)"),
    ],
)
def test_a_reason_says_how_to_fix_it(response, reason):
    assert outcome_of(response).reason == reason


def test_backoff_doubles_from_a_second_to_five_minutes():
    most = [backoff(failures, 1.0) for failures in range(12)]
    assert most == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


@given(st.integers(0, 10**9), st.floats(0, 1))
def test_backoff_keeps_its_bounds(failures, jitter):
    assert MIN_BACKOFF <= backoff(failures, jitter) <= MAX_BACKOFF


@given(st.integers(0, 20), st.floats(0, 1), st.floats(0, 1))
def test_jitter_spreads_over_the_whole_range(failures, lower, higher):
    if lower <= higher:
        assert backoff(failures, lower) <= backoff(failures, higher)


def test_sending_backs_off_by_its_consecutive_failures_and_a_notification_by_its_own():
    outcome = outcome_of(ApiResponse(503), consecutive_failures=4, failures=1)
    assert (outcome.pause, outcome.own_pause) == (16, 2)
    assert outcome_of(ApiResponse(404), consecutive_failures=4, failures=1).pause == 16


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("1.5", 1.5),
        ("3600", 3600),
        ("86400", LONGEST),
        ("99999999999999999999", LONGEST),
        ("9" * 500, 0),
        ("-5", 0),
        ("", 0),
        ("soon", 0),
        ("nan", 0),
        ("inf", 0),
        ("1e3", 0),
        ("1_000", 0),
        ("٣", 0),
        ("12, 13", 0),
        (http_date(90), 90),
        (http_date(-90), 0),
        (http_date(90_000), LONGEST),
        ("Mon, 04 May 2026 12:00:30 -0000", 30),
        ("Mon, 04 May 2026 14:00:30 +0200", 30),
        ("Monday, 04-May-26 12:00:30 GMT", 30),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("Mon, 99 May 2026 12:00:30 GMT", 0),
    ],
)
def test_retry_after_in_both_forms(header, seconds):
    assert retry_after_seconds(header, WALL) == seconds


@pytest.mark.parametrize("wrong_by", [-86_400.0, 86_400.0])
def test_a_date_to_retry_at_is_relative_to_the_responses_own_date(wrong_by):
    assert retry_after_seconds(http_date(90), WALL + wrong_by, http_date(0)) == 90
    assert retry_after_seconds("90", WALL + wrong_by, http_date(0)) == 90
    assert retry_after_seconds(http_date(90), WALL, "yesterday") == 90


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (ApiResponse(200, success=True, report=GOOD), ""),
        (ApiResponse(200, success=False), "unsuccessful"),
        (ApiResponse(200), "not_json"),
        (ApiResponse(503), "http_503"),
        (ApiResponse(401), "http_401"),
        (ApiResponse(999), "http_other"),
        (ApiResponse(fault="cannot resolve x", cause="dns"), "dns"),
        (ApiResponse(fault="?"), "other"),
    ],
)
def test_each_response_has_its_cause_in_one_word(response, cause):
    assert outcome_of(response).cause == cause


@given(st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+", fullmatch=True))
def test_any_retry_after_keeps_its_bounds(header):
    assert 0 <= retry_after_seconds(header, WALL) <= LONGEST


@given(st.sampled_from([200, 307, 404, 429, 503, None]), st.integers(0, 3600), st.floats(0, 1))
def test_nothing_is_sent_before_the_retry_after(status, seconds, jitter):
    outcome = outcome_of(ApiResponse(status, retry_after=str(seconds), fault="x"), jitter=jitter)
    assert outcome.pause >= max(seconds, MIN_BACKOFF)
