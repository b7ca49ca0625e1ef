"""A retry is an event: the notification keeps its id and its attempts."""

import pytest

from notifyd.model.attempts import OutcomeKind
from notifyd.model.notifications import Peer, Priority, Status
from notifyd.shaping.inputs import Retried, SendingAllowed
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from notifyd.shaping.send_state import SendStatus
from support.histories import PEER, History, match

STRANGER = Peer(2000, 2000, 1)


@pytest.fixture
def run():
    rule = Rule("app", debounce=0.0, cooldown=0.0)
    return History(
        Rules(triggers={"app": rule}, rate=Limit(1000, 60.0), budget=Budget(1000, 60.0, 1000))
    )


def retry(run, notification, peer=PEER, *, is_admin=False):
    (reply,) = run.feed(
        Retried(peer, run.notifications[notification.id], is_admin)
    ).replies.values()
    return reply


@pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.NO_DEVICE, OutcomeKind.FORBIDDEN])
def test_a_failed_notification_is_sent_again_with_its_id(run, kind):
    notification = run.submit("a")
    run.answer(kind)
    run.sleep(100)
    assert retry(run, notification).refusal == ""
    assert run.in_flight == notification.id
    assert run.notifications[notification.id].attempts == 2
    run.answer()
    assert run.notifications[notification.id].status is Status.DELIVERED


def test_an_expired_notification_gets_a_new_expiry(run):
    run.configure(run.with_rules(expire=100.0))
    notification = run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=3600.0, retry_after=3600.0)
    run.sleep(150)
    assert run.notifications[notification.id].status is Status.EXPIRED
    assert retry(run, notification).notification.status is Status.QUEUED
    run.sleep(50)
    assert run.notifications[notification.id].status is Status.QUEUED
    run.restart()
    run.sleep(60)
    assert run.notifications[notification.id].status is Status.EXPIRED


def test_a_digest_that_is_sent_again_never_expires(run):
    run.configure(run.with_rules(expire=10.0))
    run.submit("in flight")
    run.submit("expires")
    run.feed(match("app"), match("app"))
    run.sleep(20)
    run.answer()
    digest = run.notifications[run.in_flight]
    assert run.counts[digest.id] == {"socket": 1, "app": 2}
    run.answer(OutcomeKind.FAILED)
    assert retry(run, digest, is_admin=True).refusal == ""
    run.answer(OutcomeKind.RETRY, pause=3600.0, retry_after=3600.0)
    run.sleep(3601)
    run.answer()
    assert run.notifications[digest.id].status is Status.DELIVERED
    assert run.counted()["app"] == 2


def test_a_retry_ends_a_backoff_but_not_a_retry_after(run):
    failed = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    waiting = run.submit("b")
    run.answer(OutcomeKind.RETRY, pause=300.0)
    assert retry(run, failed).refusal == ""
    assert run.in_flight
    run.answer(OutcomeKind.RETRY, pause=300.0, retry_after=300.0)
    assert retry(run, waiting).refusal == ""
    assert run.in_flight == ""


def test_a_notification_that_yields_to_others_is_sent_at_once(run):
    poison = run.submit("poison")
    for _ in range(3):
        run.answer(OutcomeKind.RETRY, pause=0.5, own_pause=300.0)
        run.sleep(1)
    assert run.in_flight == ""
    assert retry(run, poison).refusal == ""
    assert run.in_flight == poison.id


def test_users_retry_their_own_and_admins_everyones(run):
    notification = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    assert retry(run, notification, STRANGER).refusal == "not_found"
    assert retry(run, notification, STRANGER, is_admin=True).refusal == ""
    run.answer()
    run.feed(match("app"))
    (of_trigger,) = [
        notification for notification in run.notifications.values() if notification.trigger == "app"
    ]
    run.answer(OutcomeKind.FAILED)
    assert retry(run, of_trigger).refusal == "not_found"
    assert retry(run, of_trigger, is_admin=True).refusal == ""


def test_an_impossible_retry_is_refused_with_its_reason(run):
    notification = run.submit("under way")
    assert retry(run, notification).refusal == "in_flight"
    held = run.submit("held", delay=60.0)
    assert retry(run, held).refusal == "held"
    run.answer()
    assert retry(run, notification).refusal == "finished"
    assert run.notifications[notification.id].status is Status.DELIVERED


def test_two_requests_at_once_send_it_once(run):
    notification = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    known = run.notifications[notification.id]
    replies = run.feed(Retried(PEER, known), Retried(PEER, known)).replies
    assert [reply.refusal for reply in replies.values()] == ["", ""]
    run.answer()
    assert run.in_flight == ""
    assert run.notifications[notification.id].attempts == 2


def test_a_full_outbox_refuses_retries(run):
    notification = run.submit("a")
    run.answer(OutcomeKind.FAILED)
    run.configure(run.with_rules(capacity=2, digest=False))
    run.submit("b", priority=Priority.HIGH)
    assert run.submit_if_room(priority=Priority.HIGH, peer=STRANGER).refusal == ""
    assert retry(run, notification).refusal == "no_room"
    assert run.notifications[notification.id].status is Status.FAILED


def test_a_retried_403_does_not_count_against_the_token(run):
    notification = run.submit("a")
    run.answer(OutcomeKind.FORBIDDEN)
    assert retry(run, notification).refusal == ""
    run.answer(OutcomeKind.RETRY, pause=0.5)
    run.submit("b", priority=Priority.URGENT)
    run.feed(SendingAllowed())
    run.answer(OutcomeKind.FORBIDDEN)
    assert run.state.global_state.send_state.status is not SendStatus.REFUSED
    assert run.notifications[notification.id].attempts >= 2
