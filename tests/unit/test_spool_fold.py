"""Requests of the spool count once, as of the time at which they were made."""

from collections import Counter
from dataclasses import replace

import pytest

from notifyd.model.events import Event, Match
from notifyd.model.notifications import Message, Priority, Status
from notifyd.model.pings import Ping, PingSignal
from notifyd.shaping.inputs import Pinged, Spooled, SpoolFilesRemoved, Submitted
from notifyd.shaping.rules import HeartbeatRule, Rule, Rules
from notifyd.shaping.spool import EXPIRED, KNOWN, OUTDATED
from support.histories import PEER, History

ID = "01a212e9-06bc-7be6-9cef-2df5a7e3ba45"
OTHER_ID = "01a212e9-06bc-7be6-9cef-2df5a7e3ba46"
DAY = 86_400.0
HOURLY = HeartbeatRule("hourly", every=3600.0, recurrence=None, grace=60.0, max_runtime=7200.0)
RULES = Rules(
    triggers={"backup": Rule("backup", debounce=0.0, cooldown=0.0, has_conditions=True)},
    heartbeats={"backup": HOURLY},
)


@pytest.fixture
def history():
    return History(RULES)


def message(history, age=0.0, *, spooled_id=ID, **fields):
    submitted = Submitted(Message("t", "b"), Priority.DEFAULT, PEER, **fields)
    time = history.now.wall - age
    return Spooled(spooled_id, time, time + DAY, submitted)


def ping(history, signal, age=0.0, *, spooled_id=ID, **fields):
    time = history.now.wall - age
    return Spooled(spooled_id, time, time + DAY, Pinged(Ping("backup", signal, **fields)))


def refusals(decision):
    return [reply.refusal for reply in decision.replies.values()]


def test_a_message_has_the_id_the_time_and_the_owner_of_its_file(history):
    history.feed(message(history, age=600.0))
    notification = history.notifications[ID]
    assert notification.created == history.now.wall - 600.0
    assert notification.peer == PEER
    assert notification.status in (Status.QUEUED, Status.ATTEMPTING)


def test_a_time_in_the_future_is_now(history):
    history.feed(message(history, age=-600.0))
    assert history.notifications[ID].created == history.now.wall


def test_an_id_that_was_committed_is_known_over_a_restart_until_its_file_is_gone(history):
    spooled = message(history)
    assert refusals(history.feed(spooled)) == [""]
    assert refusals(history.feed(spooled)) == [KNOWN]
    history.restart()
    assert refusals(history.feed(spooled)) == [KNOWN]
    assert f"spooled:{ID}" in history.stored
    history.feed(SpoolFilesRemoved(frozenset({ID, OTHER_ID})))
    assert f"spooled:{ID}" not in history.stored
    assert not history.state.spooled_ids


def test_an_id_is_forgotten_once_no_file_of_it_can_be_valid(history):
    history.feed(message(history))
    history.sleep(30 * DAY)
    assert ID in history.state.spooled_ids
    history.sleep(2 * DAY)
    assert not history.state.spooled_ids
    assert not any(name.startswith("spooled:") for name in history.stored)


def test_the_same_id_twice_in_one_step_counts_once(history):
    spooled = message(history)
    assert refusals(history.feed(spooled, spooled)) == ["", KNOWN]


def test_a_waiting_notification_is_never_replaced_by_a_file_of_its_id(history):
    history.feed(message(history, delay=600.0))
    history.feed(SpoolFilesRemoved(frozenset({ID})))
    assert refusals(history.feed(message(history))) == [KNOWN]
    assert history.notifications[ID].status is Status.HELD


def test_a_message_that_is_too_old_is_counted_in_the_digest_of_expired_ones(history):
    spooled = message(history, age=DAY)
    decision = history.feed(spooled)
    assert refusals(decision) == [EXPIRED]
    assert history.notifications[ID].status is Status.EXPIRED
    digests = [each for each in history.notifications.values() if each.id != ID]
    assert [each.count for each in digests] == [1]
    assert refusals(history.feed(spooled)) == [KNOWN]


@pytest.mark.parametrize(("age", "held_for"), [(0.0, 600.0), (400.0, 200.0), (900.0, 0.0)])
def test_a_delay_counts_from_the_time_of_the_file(history, age, held_for):
    history.feed(message(history, age=age, delay=600.0))
    notification = history.notifications[ID]
    if held_for:
        assert notification.not_before == pytest.approx(history.now.mono + held_for)
    else:
        assert notification.status is not Status.HELD


def test_a_key_replaces_the_message_of_the_same_user(history):
    history.feed(message(history, key="build", delay=600.0))
    history.feed(message(history, spooled_id=OTHER_ID, key="build"))
    assert history.notifications[ID].status is Status.REPLACED


def test_without_room_the_file_is_read_again(history):
    history.configure(replace(RULES, capacity=0))
    assert refusals(history.feed(message(history))) == ["no_room"]
    assert not history.state.spooled_ids
    history.configure(RULES)
    assert refusals(history.feed(message(history))) == [""]


def test_pings_keep_their_times_and_the_wait_begins_anew(history):
    history.sleep(10.0)
    start = ping(history, PingSignal.START, age=900.0, run="a")
    end = ping(history, PingSignal.SUCCESS, age=300.0, run="a", spooled_id=OTHER_ID)
    history.feed(start, end)
    heartbeat = history.state.heartbeats["backup"]
    assert heartbeat.runtime == pytest.approx(600.0)
    assert heartbeat.pinged_at == history.now.wall - 300.0
    assert heartbeat.deadline == pytest.approx(history.now.mono + 3660.0)


def test_a_failure_is_reported_once(history):
    spooled = ping(history, PingSignal.FAIL, age=300.0, output="tape is full")
    history.feed(spooled)
    history.feed(spooled)
    alarms = [each for each in history.notifications.values() if each.trigger == "backup"]
    assert len(alarms) == 1


def test_a_failure_from_before_the_boot_is_known_at_the_first_start_of_all(history):
    age = history.now.mono + 600.0
    history.feed(ping(history, PingSignal.FAIL, age=age))
    assert history.state.heartbeats["backup"].is_down


def test_a_ping_that_is_older_than_the_last_one_changes_nothing(history):
    history.feed(Pinged(Ping("backup")))
    before = history.state.heartbeats["backup"]
    late = ping(history, PingSignal.FAIL, age=300.0)
    assert refusals(history.feed(late)) == [OUTDATED]
    assert history.state.heartbeats["backup"] == before
    assert refusals(history.feed(late)) == [KNOWN]


def test_a_ping_that_is_too_old_or_of_no_heartbeat_is_refused(history):
    assert refusals(history.feed(ping(history, PingSignal.FAIL, age=DAY))) == [EXPIRED]
    time = history.now.wall
    other = Spooled(OTHER_ID, time, time + DAY, Pinged(Ping("other")))
    assert refusals(history.feed(other)) == ["unknown_heartbeat"]


def test_matches_in_the_same_step_are_counted(history):
    match = Match((), Event("backup", history.now.wall, "a line"))
    history.feed(match, message(history), match)
    counts = Counter()
    for each in history.notifications.values():
        counts[each.trigger] += each.count
    assert counts == {"socket": 1, "backup": 2}
