"""What a phone gets of a unit: the first line says what happened to which."""

from dataclasses import replace
from functools import reduce

import pytest

from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import UnitTriggerConfig
from notifyd.model.events import ENDED_QUIETLY, AlertState
from notifyd.model.notifications import ConditionReport, Priority
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.summaries import merge_summaries, summarize_one
from notifyd.sources.units.events import UnitReporter
from notifyd.sources.units.status import UnitStatus
from notifyd.sources.units.watch import Change, ChangeKind
from notifyd.triggers import Trigger
from support.histories import History

EXITED = UnitStatus(
    "web.service",
    "failed",
    result="exit-code",
    code=1,
    exit_status=42,
    invocation="a",
    duration=3.04,
    restarts=5,
    changed_wall=1_600_000_000.0,
)
FAILED = Change(ChangeKind.FAILED, EXITED, failures=1)
LOOP = replace(FAILED, failures=5, span=1.26, has_given_up=True)
UP = replace(EXITED, active="active", code=0, exit_status=0, result="success")
RECOVERED = Change(ChangeKind.RECOVERED, UP, failures=5)
ENDED = "web.service: main process exited with status 42 after 3s"
WALL = 1_700_000_000.0


def events(*changes, on=("failed", "started", "stopped"), log_lines="", **keys):
    reporter = UnitReporter("web", frozenset(on), **keys)
    return [event for each in changes for event in reporter.events(each, WALL, log_lines)]


def rendered(*found, **keys):
    config = UnitTriggerConfig.model_validate({"units": "web"} | keys)
    trigger = Trigger("web", config, ShapingConfig())
    return trigger.render(reduce(merge_summaries, map(summarize_one, found)), WALL)


@pytest.mark.parametrize(
    ("change", "title", "body"),
    [
        (
            FAILED,
            "web.service failed: status 42",
            f"{ENDED}\ncannot bind",
        ),
        (
            LOOP,
            "web.service failed 5 times: status 42",
            f"{ENDED}; 5 failures in 1.3s; systemd gave up restarting it\ncannot bind",
        ),
        (
            replace(FAILED, is_restarting=True, was_missed=True),
            "web.service failed: status 42",
            f"{ENDED}; systemd restarts it (noticed late)\ncannot bind",
        ),
        (
            Change(ChangeKind.FAILED, UP, failures=3, was_missed=True),
            "web.service failed 3 times",
            "web.service: restarted 3 times by systemd after it failed (noticed late)\ncannot bind",
        ),
        (
            Change(ChangeKind.FAILED, UP, failures=1, is_cause_unknown=True),
            "web.service was restarted",
            "web.service: restarted once by systemd\ncannot bind",
        ),
        (
            Change(ChangeKind.FAILED, replace(EXITED, result="watchdog", code=3, exit_status=6)),
            "web.service failed: watchdog timeout",
            None,
        ),
    ],
)
def test_a_failure_says_what_how_often_and_why(change, title, body):
    found = rendered(*events(change, log_lines="cannot bind"))
    assert found[0] == title
    assert body is None or found[1] == body


def test_a_recovery_names_the_unit_and_a_oneshot_succeeds():
    assert rendered(*events(RECOVERED))[0] == "web.service runs again"
    finished = replace(RECOVERED, status=replace(UP, active="inactive"))
    assert rendered(*events(finished))[0] == "web.service succeeded"


def test_a_failure_and_its_end_in_one_notification_are_both_named():
    title, body = rendered(*events(FAILED, RECOVERED))
    assert title == "web.service failed, runs again"
    assert "exited with status 42" in body


def test_a_reminder_says_that_it_still_lasts():
    [event] = events(LOOP)
    summary = replace(
        summarize_one(event), condition_report=ConditionReport.STILL_FIRING, reminder=2
    )
    config = UnitTriggerConfig.model_validate({"units": "web"})
    title, body = Trigger("web", config, ShapingConfig()).render(summary, WALL)
    assert title == "web.service still failed 5 times: status 42"
    assert "reminder 2" in body


def test_starts_and_stops_are_told_without_saying_anything_twice():
    started = Change(ChangeKind.STARTED, UP)
    stopped = Change(ChangeKind.STOPPED, replace(UP, active="inactive"))
    title, body = rendered(*events(started))
    assert title == "web.service started"
    assert body.startswith("At ")
    title, _ = rendered(*events(started, stopped, started))
    assert title == "web.service: 2 started, 1 stopped"
    title, _ = rendered(*events(started, stopped, started), group_by=[])
    assert title == "web: 2 started, 1 stopped"
    finished = Change(ChangeKind.FINISHED, replace(UP, active="inactive"))
    assert rendered(*events(finished))[0] == "web.service finished"


def test_a_trigger_reports_what_it_is_asked_for():
    started = Change(ChangeKind.STARTED, UP, is_part_of_failure=True)
    assert events(FAILED, RECOVERED, on=["started"]) == []
    assert events(started, on=["failed"]) == []
    assert events(started) == [], "the recovery says it"
    assert len(events(started, resolve=False)) == 1
    [stopped] = events(FAILED, RECOVERED, on=["stopped"])
    assert (stopped.alert_state, stopped.facts["outcome"]) == (AlertState.NONE, "failure")
    assert rendered(stopped)[0] == "web.service failed: status 42"
    assert events(replace(FAILED, is_restarting=True), on=["stopped"]) == []


def test_what_was_missed_has_the_time_at_which_it_happened():
    assert events(replace(FAILED, was_missed=True))[0].wall == 1_600_000_000.0
    assert events(FAILED)[0].wall == WALL


def test_templates_have_the_facts():
    template = "{{ unit }} {{ outcome }} {{ result }} {{ exit_code + 1 }} {{ restarts }}"
    title, _ = rendered(*events(FAILED), title=template + " {{ duration }} {{ signal }}|")
    assert title == "web.service failure exit-code 43 5 3s |"


# shaping


def history(**keys):
    rule = Rule(
        "web",
        debounce=0.0,
        cooldown=0.0,
        has_conditions=True,
        failure_priority=Priority.HIGH,
        **keys,
    )
    return History(Rules(triggers={"web": rule}))


def matches(*changes, **keys):
    config = UnitTriggerConfig.model_validate({"units": "web"})
    trigger = Trigger("web", config, ShapingConfig())
    return [trigger.match(event) for event in events(*changes, on=["failed"], **keys)]


def test_a_failure_and_its_end_that_are_found_together_are_one_notification():
    run = history()
    run.feed(*matches(FAILED, RECOVERED))
    [notification] = run.notifications.values()
    assert (notification.count, notification.priority) == (2, Priority.HIGH)


def test_further_failures_are_not_reported_and_reminders_count_them():
    run = history(repeat=(3600.0,))
    run.feed(*matches(FAILED))
    run.answer()
    run.feed(*matches(LOOP))
    assert len(run.notifications) == 1
    run.sleep(3601.0)
    reminder = list(run.contents.values())[-1]
    assert len(run.notifications) == 2
    assert "5 failures" in reminder.event.line


def test_for_counts_the_failures_of_a_loop():
    config = UnitTriggerConfig.model_validate({"units": "web", "for": "3 times"})
    begin_after = config.shaping(ShapingConfig()).begin_after
    run = history(begin_after=begin_after)
    run.feed(*matches(FAILED, counts=3))
    assert not run.notifications
    run.feed(*matches(replace(FAILED, failures=2), counts=3))
    assert len(run.notifications) == 1


def test_a_failure_that_is_reset_ends_without_a_word_and_can_begin_again():
    run = history()
    run.feed(*matches(FAILED))
    run.answer()
    reset = matches(Change(ChangeKind.FORGOTTEN, replace(EXITED, active="inactive")))
    assert reset[0].event.facts["event"] == ENDED_QUIETLY
    run.feed(*reset)
    run.sleep(3600.0)
    assert len(run.notifications) == 1
    run.feed(*matches(FAILED))
    assert len(run.notifications) == 2
