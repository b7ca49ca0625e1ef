"""Each change of delivery is logged once, and nothing floods the log."""

import itertools
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.events import Now
from notifyd.model.notifications import Digest
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import PendingDigest
from notifyd.telemetry.delivery_log import REPEAT_INTERVAL, DeliveryReporter

WAITING = SendState(SendStatus.WAITING, "the API answered 503", "http_503")
OFFLINE = SendState(SendStatus.WAITING, "cannot resolve api.oblien.com", "dns")
FINE = SendState()


@pytest.fixture
def lines():
    with capture_logs() as captured:
        yield captured


def logged(lines):
    return [line.get("reason") or line["event"] for line in lines]


def test_a_reason_is_logged_once_and_not_at_every_attempt(lines):
    reporter = DeliveryReporter()
    for second in range(3600):
        reporter.report_sending(WAITING, second)
    reporter.report_sending(FINE, 3601)
    assert logged(lines) == ["the API answered 503", "sending resumed"]


def test_what_was_logged_at_the_start_is_not_logged_again(lines):
    reporter = DeliveryReporter()
    reporter.known_error = WAITING.error
    reporter.report_sending(WAITING, 0)
    reporter.report_sending(FINE, 1)
    assert logged(lines) == ["sending resumed"]


def test_a_new_cause_is_logged_and_new_words_for_the_same_cause_are_not(lines):
    reporter = DeliveryReporter()
    reporter.report_sending(WAITING, 0)
    reporter.report_sending(
        SendState(SendStatus.WAITING, "the API answered 503 (request 17)", "http_503"), 1
    )
    reporter.report_sending(OFFLINE, 2)
    assert logged(lines) == ["the API answered 503", "cannot resolve api.oblien.com"]


@pytest.mark.parametrize("states", [(WAITING, FINE), (WAITING, OFFLINE), (WAITING, OFFLINE, FINE)])
def test_alternating_states_do_not_flood_the_log(lines, states):
    reporter = DeliveryReporter()
    for second, send_state in zip(range(3600), itertools.cycle(states), strict=False):
        reporter.report_sending(send_state, second)
    assert len(lines) <= len(states) * (3600 / REPEAT_INTERVAL + 1)


def test_the_end_of_every_reported_pause_is_logged(lines):
    reporter = DeliveryReporter()
    for second, send_state in enumerate([WAITING, FINE, OFFLINE, FINE, WAITING, FINE]):
        reporter.report_sending(send_state, second)
    reported = ["the API answered 503", "cannot resolve api.oblien.com"]
    assert logged(lines) == [reported[0], "sending resumed", reported[1], "sending resumed"]


def test_a_state_that_lasts_is_logged_even_if_it_was_logged_shortly_before(lines):
    reporter = DeliveryReporter()
    for second, send_state in enumerate([WAITING, FINE, *[WAITING] * 1000]):
        reporter.report_sending(send_state, second)
    assert logged(lines)[-1] == "the API answered 503"
    assert len(lines) == 3


def test_similar_failures_are_logged_once_and_later_with_their_number(lines):
    reporter = DeliveryReporter()
    for number in range(100):
        reporter.record(
            Outcome(str(number), OutcomeKind.FAILED, "too long", cause="http_422"), number
        )
    reporter.record(
        Outcome("x", OutcomeKind.FAILED, "too long", cause="http_422"), REPEAT_INTERVAL + 1
    )
    assert [line.get("suppressed") for line in lines] == [None, 99]
    assert reporter.summary()["outcomes"]["failed"] == 101
    assert reporter.summary()["last_failed"] == {"id": "x", "reason": "too long"}
    reporter.record(Outcome("x", OutcomeKind.DELIVERED), REPEAT_INTERVAL + 2)
    assert reporter.summary()["last_failed"] is None


def test_notifications_that_reach_no_device_are_logged(lines):
    reporter = DeliveryReporter()
    reporter.report_sending(SendState(no_device_reason="no device is registered"), 0)
    reporter.report_sending(FINE, 1)
    assert logged(lines) == ["no device is registered", "notifications reach a device again"]


def test_each_digest_of_the_budget_is_logged_once(lines):
    reporter, now = DeliveryReporter(), Now(1000.0, 1_700_000_000.0)
    pending = PendingDigest("d1", Digest("budget", {"app": 1}, 0.0, 0.0, ()), 1030.0, queued=False)
    for each in (None, pending, replace(pending, due=1040.0), replace(pending, id="d2"), None):
        reporter.report_budget(each, now)
    assert [(line["triggers"], line["digest"], line["due_in"]) for line in lines] == [
        ("app", "d1", 30.0),
        ("app", "d2", 30.0),
    ]
