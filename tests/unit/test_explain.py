"""The explanation of a trigger lists each match's line and group with what happened to it."""

import time
from dataclasses import replace

import pytest

from notifyd.cli.explain import format_trigger
from notifyd.model.notifications import Priority
from notifyd.shaping.inputs import Muted
from notifyd.shaping.rules import Budget, Rule, Rules
from notifyd.telemetry.explain import explain_trigger
from support.histories import History, match


def run(budget=1000, **shape):
    rules = Rules(triggers={"app": Rule("app", **shape)}, budget=Budget(budget, 3600.0, budget))
    return History(rules)


def steps(history, trigger="app"):
    explanation = explain_trigger(history.state, history.now, trigger, "log")
    return [(step["did"], step.get("group"), step.get("line")) for step in explanation["trail"]]


def test_an_immediate_notification_has_line_and_group():
    history = run(debounce=0.0, cooldown=0.0)
    history.feed(match("app", "db", line="ERROR one"))
    assert steps(history) == [("queued", ["db"], "ERROR one")]


def test_a_debounced_match_waits_and_is_then_queued():
    history = run(debounce=2.0)
    history.feed(match("app", "db", line="ERROR one"))
    history.sleep(3.0)
    assert [did for did, _, _ in steps(history)] == ["waiting", "queued"]
    history.feed(match("app", "db", line="ERROR two"))
    assert steps(history)[-1] == ("cooling", ["db"], "ERROR two")


def test_muted_matches_and_matches_over_the_budget():
    history = run(debounce=0.0, cooldown=0.0, budget=1)
    history.feed(match("app", "db", line="ERROR one"), match("app", "web", line="ERROR two"))
    history.feed(Muted("app", 60.0), match("app", "db", line="ERROR three"))
    assert steps(history) == [
        ("queued", ["db"], "ERROR one"),
        ("over_budget", ["web"], "ERROR two"),
        ("muted", ["db"], "ERROR three"),
    ]


def test_a_message_has_its_title_as_the_line():
    history = run()
    history.submit("Build finished", priority=Priority.URGENT)
    history.feed(Muted("", 60.0))
    history.submit("Hello")
    assert [(did, line) for did, _, line in steps(history, "socket")] == [
        ("queued", "Build finished"),
        ("muted", "Hello"),
    ]


@pytest.mark.parametrize("threshold", [2, 5])
def test_matches_below_the_threshold_have_their_count(threshold):
    history = run(threshold=threshold, window=60.0)
    history.feed(match("app", line="ERROR one"))
    explanation = explain_trigger(history.state, history.now, "app", "log")
    assert explanation["trail"][0]["detail"] == f"1 of {threshold} within 60 s"
    assert explanation["groups"][0]["below_threshold"] == 1


def test_the_trail_survives_a_restart_and_is_bounded():
    history = run(debounce=0.0, cooldown=0.0)
    for number in range(50):
        history.feed(match("app", f"g{number}", line=f"line {number}"))
    before = steps(history)
    history.rules = replace(history.rules)
    history.restart()
    assert steps(history) == before
    assert len(before) == 20
    assert before[-1][2] == "line 49"


def test_the_command_prints_what_was_done_until_when_and_what_is_pending(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    history = run(debounce=0.0, cooldown=300.0)
    history.feed(match("app", "db", line="ERROR one"), match("app", "db", line="ERROR two"))
    history.feed(Muted("app", 60.0))
    assert format_trigger(
        explain_trigger(history.state, history.now, "app", "log")
    ).splitlines() == [
        "app (log): 2 matches, 1 notification",
        "  2023-11-14 22:13:20  [db] notification queued",
        "      ERROR one",
        f"      → {next(iter(history.notifications))} no longer stored",
        "  2023-11-14 22:13:20  [db] cooling down until 2023-11-14 22:18:20",
        "      ERROR two",
        "  now: muted until 2023-11-14 22:14:20",
        "  now: [db] 1 match to report at 2023-11-14 22:18:20",
    ]


def test_the_command_prints_how_much_of_a_log_has_no_newline_yet():
    history = run()
    explanation = explain_trigger(history.state, history.now, "app", "log")
    text = format_trigger(explanation | {"unfinished_bytes": 81920})
    assert text.splitlines()[1:] == [
        "  no matches yet",
        (
            "  now: 81920 bytes without a newline at the end of a log; a line counts once it ends, "
            "or with `flush_partial`"
        ),
    ]
