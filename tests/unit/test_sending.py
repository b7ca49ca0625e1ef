"""Which notification is sent next, and what an outcome means, in virtual time."""

import pytest

from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.events import Now
from notifyd.model.notifications import Peer, Priority, Status
from notifyd.shaping.inputs import Cancelled, SendingAllowed, Settled
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from notifyd.shaping.send_state import SendStatus, max_attempted
from support.histories import PEER, History, match


@pytest.fixture
def run():
    rule = Rule("app", debounce=0.0, cooldown=0.0)
    return History(
        Rules(triggers={"app": rule}, rate=Limit(1000, 60.0), budget=Budget(1000, 60.0, 1000))
    )


def test_a_notification_is_attempting_in_the_commit_that_hands_it_out(run):
    decision = run.feed(match("app"))
    assert decision.attempt is not None
    assert run.notifications[decision.attempt.id].status is Status.ATTEMPTING
    assert decision.attempt.attempts == 1


def test_one_is_in_flight_at_a_time_urgent_first_then_oldest(run):
    notifications = [run.submit(name) for name in ("first", "low", "default")]
    high = run.submit("high", priority=Priority.HIGH)
    urgent = run.submit("urgent", priority=Priority.URGENT)
    while run.in_flight:
        run.answer()
    assert [name for _, name in run.sent] == [
        notifications[0].id,
        urgent.id,
        high.id,
        notifications[1].id,
        notifications[2].id,
    ]


def test_the_rate_holds_in_every_window_and_across_a_kill(run):
    run.configure(run.with_rules(rate=Limit(2, 10.0)))
    for number in range(6):
        run.submit(str(number))
    run.answer()
    run.sleep(1)
    run.restart()  # the attempt in flight keeps its slot
    for _ in range(20):
        run.sleep(5)
        if run.in_flight:
            run.answer()
    starts = [at for at, _ in run.sent]
    assert all(later - earlier >= 10.0 for earlier, later in zip(starts, starts[2:], strict=False))
    assert {notification.status for notification in run.notifications.values()} == {
        Status.DELIVERED
    }


def test_an_attempt_interrupted_by_a_kill_is_repeated_with_the_same_id(run):
    run.feed(match("app"))
    notification = run.in_flight
    run.restart()
    assert run.in_flight == notification
    assert run.notifications[notification].attempts == 2


def test_a_retry_pauses_all_sending_and_keeps_the_reason(run):
    run.submit("a")
    run.submit("b")
    first = run.in_flight
    run.answer(OutcomeKind.RETRY, pause=30.0)
    assert run.in_flight == ""
    assert run.state.global_state.send_state.error == "retry"
    run.sleep(29)
    assert run.in_flight == ""
    run.restart()
    run.sleep(2)
    assert run.in_flight == first


def test_a_notification_that_always_fails_lets_others_go_after_three_failures(run):
    poison = run.submit("poison")
    good = [run.submit(str(number)) for number in range(3)]
    for _ in range(40):
        if run.in_flight:
            bad = run.in_flight == poison.id
            run.answer(
                OutcomeKind.RETRY if bad else OutcomeKind.DELIVERED, pause=1.0, own_pause=300.0
            )
        run.sleep(1)
    assert {run.notifications[notification.id].status for notification in good} == {
        Status.DELIVERED
    }
    assert run.notifications[poison.id].attempts == 3
    assert run.notifications[poison.id].status is Status.QUEUED


def test_an_outage_attempts_few_of_the_waiting_notifications(run):
    for number in range(500):
        run.submit(str(number))
    for _ in range(300):
        if run.in_flight:
            run.answer(OutcomeKind.RETRY, pause=10.0, own_pause=10.0)
        run.sleep(10)
    assert (
        sum(notification.was_attempted for notification in run.notifications.values())
        <= max_attempted(300) + 1
    )


def test_a_refused_token_stops_sending_and_expiry(run):
    run.configure(run.with_rules(expire=100.0, probe=900.0))
    run.submit("a")
    run.submit("b")
    run.answer(OutcomeKind.REFUSED)
    assert run.state.global_state.send_state.status is SendStatus.REFUSED
    run.sleep(899)
    assert run.in_flight == ""
    assert {notification.status for notification in run.notifications.values()} == {Status.QUEUED}
    run.sleep(2)
    assert run.in_flight
    run.answer(OutcomeKind.REFUSED)
    run.feed(SendingAllowed())
    run.answer()
    run.sleep(50)
    while run.in_flight:
        run.answer()
    assert {notification.status for notification in run.notifications.values()} == {
        Status.DELIVERED
    }


def test_one_403_fails_that_notification_and_two_refuse_the_token(run):
    run.submit("a")
    run.submit("b")
    first = run.in_flight
    run.answer(OutcomeKind.FORBIDDEN)
    assert run.notifications[first].status is Status.FAILED
    run.answer(OutcomeKind.FORBIDDEN)
    assert run.state.global_state.send_state.status is SendStatus.REFUSED
    assert {notification.status for notification in run.notifications.values()} == {Status.QUEUED}


def test_a_success_between_two_403_clears_the_token(run):
    for name in "abc":
        run.submit(name)
    run.answer(OutcomeKind.FORBIDDEN)
    run.answer()
    run.answer(OutcomeKind.FORBIDDEN)
    assert run.state.global_state.send_state.status is SendStatus.OK
    assert sorted(notification.status for notification in run.notifications.values()) == [
        "delivered",
        "failed",
        "failed",
    ]


def test_a_network_error_does_not_clear_a_refused_token(run):
    run.submit("a")
    run.answer(OutcomeKind.REFUSED)
    run.sleep(1000)
    run.answer(OutcomeKind.RETRY, pause=1.0)
    assert run.state.global_state.send_state.status is SendStatus.REFUSED


def test_a_refusal_extends_each_expiry_only_by_the_time_it_waited(run):
    run.configure(run.with_rules(expire=100.0, probe=1000.0))
    run.submit("old")
    run.answer(OutcomeKind.REFUSED)
    run.sleep(500)
    late = run.submit("late")
    run.sleep(10, wall=1e7)
    run.feed(SendingAllowed())
    run.answer(OutcomeKind.RETRY, pause=1.0)
    run.sleep(2)
    run.answer(OutcomeKind.ENDPOINT, pause=1e6)
    assert run.notifications[late.id].expires <= late.expires + 600


def test_a_403_older_than_history_is_forgotten(run):
    run.configure(run.with_rules(history=3600.0, probe=10.0))
    run.submit("a")
    run.answer(OutcomeKind.FORBIDDEN)
    run.sleep(20_000)
    run.submit("b")
    run.answer(OutcomeKind.FORBIDDEN)
    assert run.state.global_state.send_state.status is not SendStatus.REFUSED


def test_a_pause_that_ends_during_a_commit_is_noticed():
    run = History(Rules(rate=Limit(10, 60.0)), lag=0.7)
    run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=0.5)
    run.sleep(1)
    assert run.in_flight


def test_no_attempt_is_made_before_there_is_a_worker(run):
    run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=10.0)
    run.pause(60)
    run.restart()
    assert [notification.attempts for notification in run.notifications.values()] == [2]


def test_a_wrong_endpoint_fails_nothing_and_is_tried_again_on_reload(run):
    run.submit("a")
    run.answer(OutcomeKind.ENDPOINT, pause=300.0)
    assert run.state.global_state.send_state.status is SendStatus.ENDPOINT
    run.feed(SendingAllowed())
    assert run.in_flight


@pytest.mark.parametrize("before", [None, OutcomeKind.REFUSED])
def test_nothing_cuts_a_retry_after_short(run, before):
    run.submit("a")
    if before:
        run.answer(before)
        run.feed(SendingAllowed())
    run.answer(OutcomeKind.RETRY, pause=3600.0, retry_after=3600.0)
    run.feed(SendingAllowed())
    assert run.in_flight == ""
    run.sleep(1800)
    run.restart()
    run.submit("urgent", priority=Priority.URGENT)
    run.sleep(1799)
    assert run.in_flight == ""
    run.sleep(2)
    assert run.in_flight


def test_a_request_ends_a_backoff(run):
    run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=300.0)
    run.feed(SendingAllowed())
    assert run.in_flight


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0])
@pytest.mark.parametrize("retry_after", [0.0, 100.0])
def test_a_step_of_the_wall_clock_neither_ends_nor_lengthens_a_pause(run, jump, retry_after):
    run.configure(run.with_rules(expire=1e6))
    run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=100.0, retry_after=retry_after)
    run.sleep(50, wall=50 + jump)
    run.restart()
    run.sleep(49)
    assert run.in_flight == ""
    run.sleep(2)
    assert run.in_flight


def test_a_start_waits_an_hour_at_most_whatever_the_clocks_say(run):
    run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=3600.0, retry_after=3600.0)
    run.now = Now(run.now.mono - 900.0, run.now.wall)
    run.restart()
    run.sleep(3601)
    assert run.in_flight


def test_after_an_outage_everything_is_sent_urgent_first(run):
    for number in range(20):
        run.submit(str(number))
    for minute in range(60):
        if minute == 40:
            urgent = run.submit("urgent", priority=Priority.URGENT)
        if run.in_flight:
            run.answer(OutcomeKind.RETRY, pause=60.0, own_pause=60.0)
        run.sleep(60)
    assert len(run.sent) <= 61
    before = len(run.sent)
    while run.in_flight:
        run.answer()
    assert {notification.status for notification in run.notifications.values()} == {
        Status.DELIVERED
    }
    assert urgent.id in [name for _, name in run.sent[before - 1 : before + 1]]


def test_a_flapping_api_receives_everything(run):
    for number in range(10):
        run.submit(str(number))
    for turn in range(60):
        if run.in_flight:
            flap = turn % 2
            run.answer(
                OutcomeKind.RETRY if flap else OutcomeKind.DELIVERED, pause=1.0, own_pause=1.0
            )
        run.sleep(1)
    assert {notification.status for notification in run.notifications.values()} == {
        Status.DELIVERED
    }
    assert run.state.global_state.send_state.consecutive_failures == 0


def test_a_repeated_outcome_changes_nothing(run):
    run.submit("a")
    notification = run.in_flight
    run.answer()
    before = dict(run.notifications)
    run.feed()
    run.feed(Settled(Outcome(notification, OutcomeKind.RETRY)))
    assert run.notifications == before


class TestRequests:
    """Keys, delays and cancelling, while the worker is busy with another notification."""

    @pytest.fixture(autouse=True)
    def busy(self, run):
        run.submit("busy")

    def test_a_key_replaces_an_unattempted_notification(self, run):
        old = run.submit("50 %", key="build")
        new = run.submit("100 %", key="build")
        assert run.notifications[old.id].status is Status.REPLACED
        assert run.notifications[new.id].status is Status.QUEUED

    def test_keys_of_different_users_are_independent(self, run):
        mine = run.submit("mine", key="build")
        run.submit("theirs", key="build", peer=Peer(2000, 2000, 1))
        assert run.notifications[mine.id].status is Status.QUEUED

    def test_a_key_never_replaces_an_attempted_notification(self, run):
        tried = run.submit("tried", key="build")
        run.answer()
        assert run.in_flight == tried.id
        run.submit("new", key="build")
        assert run.notifications[tried.id].status is Status.ATTEMPTING

    def test_a_delayed_request_is_held_and_queued_when_it_is_due(self, run):
        notification = run.submit("later", delay=30.0)
        assert notification.status is Status.HELD
        run.restart()
        run.sleep(29)
        assert run.notifications[notification.id].status is Status.HELD
        run.sleep(2)
        assert run.notifications[notification.id].status is Status.QUEUED

    def test_a_waiting_notification_can_be_cancelled_by_its_owner(self, run):
        notification = run.submit("oops", delay=30.0)
        reply = run.feed(Cancelled(PEER, id=notification.id)).replies[0]
        assert reply.notification.status is Status.CANCELLED
        assert run.feed(Cancelled(PEER, id=notification.id)).replies[0].refusal == "not_found"

    def test_another_user_cannot_cancel_but_an_admin_can(self, run):
        notification = run.submit("mine")
        stranger = Peer(2000, 2000, 1)
        assert run.feed(Cancelled(stranger, id=notification.id)).replies[0].refusal == "not_found"
        reply = run.feed(Cancelled(stranger, id=notification.id, is_admin=True)).replies[0]
        assert reply.notification.status is Status.CANCELLED

    def test_an_attempted_notification_cannot_be_cancelled(self, run):
        reply = run.feed(Cancelled(PEER, id=run.in_flight)).replies[0]
        assert reply.refusal == "in_flight"

    def test_an_attempted_notification_cannot_be_cancelled_by_its_key(self, run):
        notification = run.submit("x", key="build")
        run.answer()
        assert run.in_flight == notification.id
        assert run.feed(Cancelled(PEER, key="build")).replies[0].refusal == "in_flight"

    def test_one_user_cannot_take_all_the_room(self, run):
        run.configure(run.with_rules(capacity=20, digest=False))
        refused = [run.submit_if_room(delay=1e6).refusal for _ in range(30)]
        assert refused.count("") == 17  # nine tenths, less the one that is busy
        assert run.submit_if_room(peer=Peer(2000, 2000, 1)).refusal == ""

    def test_cancelling_by_key(self, run):
        notification = run.submit("x", key="build")
        assert run.feed(Cancelled(PEER, key="build")).replies[0].notification.id == notification.id


def test_setting_the_clock_expires_nothing_and_keeps_nothing_longer(run):
    run.configure(run.with_rules(expire=100.0))
    waiting = run.submit("waiting")
    run.answer(OutcomeKind.RETRY, pause=1e6)
    for jump in (1e6, -3e6, 5e5):
        run.sleep(1.0, wall=jump)
        run.restart()
        run.answer(OutcomeKind.RETRY, pause=1e6)
    assert run.notifications[waiting.id].status is Status.QUEUED
    run.sleep(100.0)
    assert run.notifications[waiting.id].status is Status.EXPIRED


def test_what_waited_for_a_token_does_not_expire_because_the_clock_was_set_back(run):
    run.configure(run.with_rules(expire=100.0, probe=1e6))
    run.submit("old")
    run.answer(OutcomeKind.REFUSED)
    late = run.submit("late")
    run.sleep(500.0, wall=-1e6)
    run.feed(SendingAllowed())
    run.answer(OutcomeKind.ENDPOINT, pause=1e6)
    assert {each.status for each in run.notifications.values()} == {Status.QUEUED}
    run.sleep(99.0)
    assert run.notifications[late.id].status is Status.QUEUED
    run.sleep(2.0)
    assert {each.status for each in run.notifications.values() if each.count} >= {Status.EXPIRED}


def test_a_gap_ends_the_backoff_but_not_a_pause_that_the_api_asked_for(run):
    run.submit("a")
    run.answer(OutcomeKind.RETRY, pause=300.0)
    run.sleep(1.0, wall=3600.0)
    run.feed()
    assert run.in_flight
    run.answer(OutcomeKind.RETRY, pause=300.0, retry_after=300.0)
    run.sleep(1.0, wall=3600.0)
    run.feed()
    assert not run.in_flight
