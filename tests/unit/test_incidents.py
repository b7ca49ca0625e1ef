"""What befell the store is told once; state that cannot be read is dropped and told."""

from dataclasses import replace

import pytest

from notifyd.engine.clock import Clock
from notifyd.model.notifications import Incident, Message
from notifyd.shaping.codec import latest_time, restore_state
from notifyd.shaping.inputs import IncidentOccurred
from notifyd.shaping.rules import Limit, Rule, Rules
from support.histories import History, match

RULES = Rules(
    triggers={"app": Rule("app", debounce=2.0, cooldown=300.0)},
    rate=Limit(1000, 60.0),
    history=86400.0,
)


def about_itself(history):
    return [row for row in history.rows.values() if row.trigger == "notifyd"]


def test_an_incident_is_told_once_over_any_number_of_restarts():
    history = History(RULES)
    history.feed(IncidentOccurred(Incident(1.0, "title", "what happened")))
    for _ in range(3):
        history.restart()
    (row,) = about_itself(history)
    assert row.title == "title"
    assert history.contents[row.id] == Message("title", "what happened")


def test_an_incident_that_was_only_written_down_is_told_at_the_next_start():
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
def test_a_piece_that_cannot_be_read_is_dropped_and_told_once(name, text):
    history = History(RULES)
    history.feed(match("app"))
    history.stored[name] = text
    for _ in range(3):
        history.restart()
        assert history.stored.get(name) != text
    assert not history.state.orphaned_keys
    (row,) = about_itself(history)
    assert name in history.contents[row.id].body
    history.sleep(5)
    assert sum(row.count for row in history.rows.values() if row.trigger == "app") == 1


def test_counts_whose_untried_row_is_lost_are_told_again():
    history = History(RULES)
    history.submit("in flight")
    history.feed(match("app"), match("app"))
    history.sleep(3)
    (app,) = [row for row in history.state.notifications.values() if row.trigger == "app"]
    del history.rows[app.id]
    history.restart()
    history.drain()
    assert history.told()["app"] == 2


def test_counts_of_a_digest_whose_row_is_lost_are_told_again():
    history = History(with_budget(1))
    history.submit("in flight")
    for _ in range(3):
        history.submit("over the budget")
    (held,) = history.state.digests.values()
    history.sleep(held.due - history.now.mono)
    assert held.id in history.state.notifications
    del history.rows[held.id]
    history.restart()
    history.drain()
    assert history.told()["socket"] == 4


def test_time_goes_on_from_what_is_known_where_the_reading_is_lost():
    history = History(RULES)
    history.feed(match("app"))
    history.pause(-900.0)  # a new line of time, which began after that match
    history.state = restore_state(history.stored, [], seed="seed", now=history.now)
    clock = Clock(None, boot="boot", monotonic=lambda: history.now.mono, wall=lambda: 1e9)
    clock.advance_to(latest_time(history.state))
    assert clock.now().mono == latest_time(history.state) > history.now.mono


@pytest.mark.parametrize("saved", ["", "{", "[]", "{}", '{"boot": "b", "mono": "x"}', "7"])
def test_a_reading_of_the_clock_that_makes_no_sense_is_none(saved):
    clock = Clock(saved, boot="b", monotonic=lambda: 5.0, wall=lambda: 1e9)
    assert clock.now().mono == 5.0


def with_budget(most):
    return replace(RULES, budget=Limit(most, 3600.0))
