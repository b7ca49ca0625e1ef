"""Incidents are reported once; unreadable state is dropped and reported."""

from dataclasses import replace

import pytest

from notifyd.engine.clock import Clock
from notifyd.model.notifications import Incident, Message
from notifyd.shaping.codec import latest_time, restore_state
from notifyd.shaping.inputs import IncidentOccurred
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from support.histories import History, match

RULES = Rules(
    triggers={"app": Rule("app", debounce=2.0, cooldown=300.0)},
    rate=Limit(1000, 60.0),
    history=86400.0,
)


def about_itself(history):
    return [
        notification
        for notification in history.notifications.values()
        if notification.trigger == "notifyd"
    ]


def test_an_incident_is_reported_once_across_any_number_of_restarts():
    history = History(RULES)
    history.feed(IncidentOccurred(Incident(1.0, "title", "what happened")))
    for _ in range(3):
        history.restart()
    (notification,) = about_itself(history)
    assert notification.title == "title"
    assert history.contents[notification.id] == Message("title", "what happened")


def test_an_incident_that_was_only_stored_is_reported_at_the_next_start():
    history = History(RULES)
    history.stored["incident:1.000"] = '{"wall": 1.0, "title": "title", "sentence": "what"}'
    history.restart()
    history.restart()
    assert len(about_itself(history)) == 1


def test_status_shows_an_incident_as_long_as_history_is_kept():
    history = History(RULES)
    history.feed(IncidentOccurred(Incident(history.now.wall, "title", "what")))
    history.sleep(80_000)
    assert history.state.incidents
    history.sleep(20_000)
    assert not history.state.incidents
    assert not [name for name in history.stored if name.startswith("incident:")]


@pytest.mark.parametrize("text", ["", "{", "[]", "\ufffd\x00", "null"])
@pytest.mark.parametrize("name", ["group:x", "books:", "digest:y", "ledger:app", "later:z", "?"])
def test_an_unreadable_entry_is_dropped_and_reported_once(name, text):
    history = History(RULES)
    history.feed(match("app"))
    history.stored[name] = text
    for _ in range(3):
        history.restart()
        assert history.stored.get(name) != text
    assert not history.state.orphaned_keys
    (notification,) = about_itself(history)
    assert name in history.contents[notification.id].body
    history.sleep(5)
    assert (
        sum(
            notification.count
            for notification in history.notifications.values()
            if notification.trigger == "app"
        )
        == 1
    )


def test_matches_of_a_lost_unattempted_notification_are_reported_again():
    history = History(RULES)
    history.submit("in flight")
    history.feed(match("app"), match("app"))
    history.sleep(3)
    (app,) = [
        notification
        for notification in history.state.notifications.values()
        if notification.trigger == "app"
    ]
    del history.notifications[app.id]
    history.restart()
    history.drain()
    assert history.counted()["app"] == 2


def test_matches_of_a_lost_digest_are_reported_again():
    history = History(with_budget(1))
    history.submit("in flight")
    for _ in range(3):
        history.submit("over the budget")
    (pending,) = history.state.digests.values()
    history.sleep(pending.due - history.now.mono)
    assert pending.id in history.state.notifications
    del history.notifications[pending.id]
    history.restart()
    history.drain()
    assert history.counted()["socket"] == 4


def test_time_continues_from_the_state_if_the_clock_reading_is_lost():
    history = History(RULES)
    history.feed(match("app"))
    history.pause(-900.0)  # a monotonic line that begins anew
    history.state = restore_state(history.stored, [], seed="seed", now=history.now)
    clock = Clock(None, boot="boot", monotonic=lambda: history.now.mono, wall=lambda: 1e9)
    clock.advance_to(latest_time(history.state))
    assert clock.now().mono == latest_time(history.state) > history.now.mono


@pytest.mark.parametrize("saved", ["", "{", "[]", "{}", '{"boot": "b", "mono": "x"}', "7"])
def test_an_unreadable_clock_reading_is_ignored(saved):
    clock = Clock(saved, boot="b", monotonic=lambda: 5.0, wall=lambda: 1e9)
    assert clock.now().mono == 5.0


def with_budget(most):
    return replace(RULES, budget=Budget(most, 3600.0, most))
