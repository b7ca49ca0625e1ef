"""Sending again what did not arrive: by an event, under its id, with its attempts."""

import pytest

from notifyd.model.attempts import OutcomeKind
from notifyd.model.notifications import Peer, Priority, Status
from notifyd.shaping.inputs import Retried, SendingAllowed
from notifyd.shaping.rules import Limit, Rule, Rules
from notifyd.shaping.send_state import SendStatus
from support.histories import PEER, History, match

STRANGER = Peer(2000, 2000, 1)


@pytest.fixture
def run():
    rule = Rule("app", debounce=0.0, cooldown=0.0)
    return History(Rules(triggers={"app": rule}, rate=Limit(1000, 60.0), budget=Limit(1000, 60.0)))


def retry(run, row, peer=PEER, *, everyone=False):
    (reply,) = run.feed(Retried(peer, run.rows[row.id], everyone)).replies.values()
    return reply


@pytest.mark.parametrize(
    "verdict", [OutcomeKind.FAILED, OutcomeKind.NO_DEVICE, OutcomeKind.FORBIDDEN]
)
def test_what_failed_goes_out_again_under_its_id(run, verdict):
    row = run.submit("a")
    run.answer(verdict)
    run.sleep(100)
    assert retry(run, row).refusal == ""
    assert run.in_flight == row.id
    assert run.rows[row.id].attempts == 2
    run.answer()
    assert run.rows[row.id].status is Status.DELIVERED


def test_what_expired_gets_a_new_time_to_expire(run):
    run.configure(run.with_rules(expire=100.0))
    row = run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=3600.0, retry_after=3600.0)
    run.sleep(150)
    assert run.rows[row.id].status is Status.EXPIRED
    assert retry(run, row).notification.status is Status.QUEUED
    run.sleep(50)
    assert run.rows[row.id].status is Status.QUEUED
    run.restart()
    run.sleep(60)
    assert run.rows[row.id].status is Status.EXPIRED


def test_it_ends_a_backoff_but_not_a_retry_after(run):
    failed = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    waiting = run.submit("b")
    run.answer(OutcomeKind.RETRY, pause=300.0)
    assert retry(run, failed).refusal == ""
    assert run.in_flight
    run.answer(OutcomeKind.RETRY, pause=300.0, retry_after=300.0)
    assert retry(run, waiting).refusal == ""
    assert run.in_flight == ""


def test_one_that_stands_back_comes_to_the_front(run):
    poison = run.submit("poison")
    for _ in range(3):
        run.answer(OutcomeKind.RETRY, pause=0.5, own_pause=300.0)
        run.sleep(1)
    assert run.in_flight == ""
    assert retry(run, poison).refusal == ""
    assert run.in_flight == poison.id


def test_only_ones_own_and_everyones_for_admins(run):
    row = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    assert retry(run, row, STRANGER).refusal == "not_found"
    assert retry(run, row, STRANGER, everyone=True).refusal == ""
    run.answer()
    run.feed(match("app"))
    (of_trigger,) = [row for row in run.rows.values() if row.trigger == "app"]
    run.answer(OutcomeKind.FAILED)
    assert retry(run, of_trigger).refusal == "not_found"
    assert retry(run, of_trigger, everyone=True).refusal == ""


def test_what_cannot_be_sent_again_is_refused_with_its_reason(run):
    row = run.submit("under way")
    assert retry(run, row).refusal == "in_flight"
    held = run.submit("held", delay=60.0)
    assert retry(run, held).refusal == "held"
    run.answer()
    assert retry(run, row).refusal == "finished"
    assert run.rows[row.id].status is Status.DELIVERED


def test_two_wishes_at_once_send_it_once(run):
    row = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    known = run.rows[row.id]
    replies = run.feed(Retried(PEER, known), Retried(PEER, known)).replies
    assert [reply.refusal for reply in replies.values()] == ["", ""]
    run.answer()
    assert run.in_flight == ""
    assert run.rows[row.id].attempts == 2


def test_a_full_outbox_takes_nothing_back(run):
    row = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    run.configure(run.with_rules(capacity=2, digest=False))
    run.submit("b", priority=Priority.HIGH)
    assert run.submit_if_room(priority=Priority.HIGH, peer=STRANGER).refusal == ""
    assert retry(run, row).refusal == "no_room"
    assert run.rows[row.id].status is Status.FAILED


def test_one_that_was_forbidden_is_not_taken_for_the_token_once_it_is_retried(run):
    row = run.submit("a")
    run.answer(OutcomeKind.FORBIDDEN)
    assert retry(run, row).refusal == ""
    run.answer(OutcomeKind.RETRY, pause=0.5)
    run.submit("b", priority=Priority.URGENT)
    run.feed(SendingAllowed())
    run.answer(OutcomeKind.FORBIDDEN)
    assert run.state.global_state.send_state.status is not SendStatus.REFUSED
    assert run.rows[row.id].attempts >= 2
