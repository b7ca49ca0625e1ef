"""The journal hears of each change once, and nothing floods it."""

import itertools

import pytest
from structlog.testing import capture_logs

from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.telemetry.delivery_log import QUIET, DeliveryReporter

WAITING = SendState(SendStatus.WAITING, "the API answered 503", "http_503")
OFFLINE = SendState(SendStatus.WAITING, "cannot resolve api.oblien.com", "dns")
FINE = SendState()


@pytest.fixture
def lines():
    with capture_logs() as captured:
        yield captured


def told(lines):
    return [line.get("reason") or line["event"] for line in lines]


def test_a_reason_is_told_once_and_not_at_every_try(lines):
    reporter = DeliveryReporter()
    for second in range(3600):
        reporter.report_sending(WAITING, second)
    reporter.report_sending(FINE, 3601)
    assert told(lines) == ["the API answered 503", "notifications are delivered again"]


def test_another_reason_is_told_and_other_words_for_the_same_are_not(lines):
    reporter = DeliveryReporter()
    reporter.report_sending(WAITING, 0)
    reporter.report_sending(
        SendState(SendStatus.WAITING, "the API answered 503 (request 17)", "http_503"), 1
    )
    reporter.report_sending(OFFLINE, 2)
    assert told(lines) == ["the API answered 503", "cannot resolve api.oblien.com"]


@pytest.mark.parametrize("states", [(WAITING, FINE), (WAITING, OFFLINE), (WAITING, OFFLINE, FINE)])
def test_changing_to_and_fro_does_not_flood(lines, states):
    reporter = DeliveryReporter()
    for second, gate in zip(range(3600), itertools.cycle(states), strict=False):
        reporter.report_sending(gate, second)
    assert len(lines) <= len(states) * (3600 / QUIET + 1)


def test_a_trouble_that_stays_is_told_though_it_was_told_shortly_before(lines):
    reporter = DeliveryReporter()
    for second, gate in enumerate([WAITING, FINE, *[WAITING] * 1000]):
        reporter.report_sending(gate, second)
    assert told(lines)[-1] == "the API answered 503"
    assert len(lines) == 3


def test_many_that_fail_alike_are_told_once_with_their_number_later(lines):
    reporter = DeliveryReporter()
    for number in range(100):
        reporter.record(
            Outcome(str(number), OutcomeKind.FAILED, "too long", cause="http_422"), number
        )
    reporter.record(Outcome("x", OutcomeKind.FAILED, "too long", cause="http_422"), QUIET + 1)
    assert [line.get("untold_before") for line in lines] == [None, 99]
    assert reporter.described()["outcomes"]["failed"] == 101
    assert reporter.described()["last_failed"] == {"id": "x", "reason": "too long"}
    reporter.record(Outcome("x", OutcomeKind.DELIVERED), QUIET + 2)
    assert reporter.described()["last_failed"] is None


def test_notifications_that_reach_nobody_are_told(lines):
    reporter = DeliveryReporter()
    reporter.report_sending(SendState(no_device_reason="no device is registered"), 0)
    reporter.report_sending(FINE, 1)
    assert told(lines) == ["no device is registered", "notifications reach a device again"]
