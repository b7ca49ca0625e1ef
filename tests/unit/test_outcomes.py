"""The outcome of matches gives a notification its priority, and the worst of them is shown."""

import pytest

from notifyd.config.triggers import LogTriggerConfig, ProcessTriggerConfig
from notifyd.model.notifications import Priority
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.summaries import merge_summaries, summarize
from support.histories import History, match


def end(outcome, line="ended"):
    plain = match("job")
    return plain._replace(event=plain.event._replace(line=line, facts={"outcome": outcome}))


def history(**keys):
    rule = Rule("job", debounce=0.0, failure_priority=Priority.HIGH, **keys)
    return History(Rules(triggers={"job": rule}))


@pytest.mark.parametrize(
    ("outcome", "priority"),
    [
        ("success", Priority.DEFAULT),
        ("unknown", Priority.DEFAULT),
        ("failure", Priority.HIGH),
    ],
)
def test_a_failure_has_a_priority_of_its_own(outcome, priority):
    run = history()
    run.feed(end(outcome))
    assert [each.priority for each in run.notifications.values()] == [priority]


def test_a_notification_that_a_failure_joins_rises_in_priority_and_never_falls():
    run = history(cooldown=10.0)
    run.feed(match("job"))  # is being sent, so the others wait behind it
    run.sleep(11.0)
    last = []
    for outcome in ("success", "failure", "success"):
        run.feed(end(outcome))
        run.sleep(60.0)
        last.append(list(run.notifications.values())[-1].priority)
    assert last == [Priority.DEFAULT, Priority.HIGH, Priority.HIGH]
    assert list(run.notifications.values())[-1].count == 3


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Priority.HIGH),
        ({"priority": "low"}, Priority.LOW),
        ({"priority": "default"}, Priority.DEFAULT),
    ],
)
def test_the_priority_of_a_process_trigger_is_also_that_of_failures_if_it_is_set(keys, expected):
    config = ProcessTriggerConfig.model_validate({"name": "x"} | keys)
    assert config.failure_priority is expected


def test_other_triggers_have_one_priority():
    config = LogTriggerConfig.model_validate({"paths": "/x", "patterns": "x", "priority": "low"})
    assert config.failure_priority is Priority.LOW


def test_the_last_event_with_the_worst_outcome_represents_all():
    outcomes = ["success", "failure", "unknown", "failure", "success", "unknown"]
    events = [end(outcome, f"{n}").event for n, outcome in enumerate(outcomes)]
    assert summarize(events).event.line == "3"
    assert summarize(events[4:]).event.line == "5"
    merged = merge_summaries(summarize(events[:4]), summarize(events[4:]))
    assert merged.event.line == "3"
    assert merged.outcomes == {"success": 2, "failure": 2, "unknown": 2}
