"""The last events, and where a client that comes back goes on."""

import pytest

from notifyd.api.event_log import EVENTS_KEPT, EventKind, EventLog, LiveEvent


def event(number):
    return LiveEvent(EventKind.MATCH, "app", None, lambda: {"number": number})


@pytest.fixture
def log():
    log = EventLog("run")
    log.publish(event(number) for number in range(1, EVENTS_KEPT + 11))
    return log


def numbers(log, after, limit=EVENTS_KEPT):
    return [(number, each.data["number"]) for number, each in log.after(after, limit)]


def test_events_follow_each_other_by_their_numbers(log):
    assert numbers(log, 1005) == [(number, number) for number in range(1006, 1011)]
    assert numbers(log, 1005, 2) == [(1006, 1006), (1007, 1007)]
    assert numbers(log, 1010) == []
    assert len(numbers(log, 0)) == EVENTS_KEPT
    assert numbers(log, 0, 1) == [(11, 11)]


@pytest.mark.parametrize(
    ("last", "position", "gap"),
    [
        ("", 1010, None),
        ("run-1010", 1010, None),
        ("run-1000", 1000, None),
        ("run-10", 10, None),
        ("run-9", 10, "too_old"),
        ("run-0", 10, "too_old"),
        ("other-1010", 10, "restarted"),
        ("run-1011", 10, "unknown_id"),
        ("run-", 10, "unknown_id"),
        ("17", 10, "unknown_id"),
        ("run-\u0661", 10, "unknown_id"),
        ("run-" + "9" * 5000, 10, "unknown_id"),
    ],
)
def test_a_client_goes_on_after_its_last_event_or_is_told_of_a_gap(log, last, position, gap):
    assert log.resume(last) == (position, gap)


def test_followers_are_woken_for_news_only_and_while_they_follow():
    log, woken = EventLog(), []
    with log.follow(lambda: woken.append(log.newest)):
        log.publish([])
        log.publish([event(1), event(2)])
    log.publish([event(3)])
    assert woken == [2]
    assert EventLog().run != log.run
