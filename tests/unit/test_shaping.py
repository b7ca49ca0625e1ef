"""Threshold, debounce, cooldown, groups, budget and storms, in virtual time."""

from dataclasses import replace

import pytest

from notifyd.model.events import AlertState
from notifyd.model.notifications import Digest, Priority, Status
from notifyd.model.persistence import Persistence
from notifyd.shaping.inputs import Muted
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from notifyd.shaping.step import step
from support.histories import History, match


def history(rule=None, **rules):
    options = {"rate": Limit(1000, 60.0), "budget": Budget(1000, 3600.0, 1000)} | rules
    return History(Rules(triggers={"app": rule or Rule("app")}, **options))


def arrivals(history):
    """List when each notification was created, in seconds since the start, and its count."""
    start = 1_700_000_000.0
    return [
        (round(notification.created - start, 3), notification.count)
        for notification in history.notifications.values()
    ]


def play(history, *times):
    """Feed one match at each of these seconds, and settle each attempt."""
    for at in times:
        until(history, at)
        history.feed(match("app", wall=history.now.wall))
        settle(history)


def until(history, second):
    while history.now.mono < 1000.0 + second:
        history.sleep(min(0.5, 1000.0 + second - history.now.mono))
        settle(history)


def settle(history):
    while history.in_flight:
        history.answer()


def test_debounce_waits_for_a_pause_and_counts_all():
    run = history(Rule("app", debounce=2.0, cooldown=0.0))
    play(run, 0.0, 1.0, 2.5)
    until(run, 10)
    assert arrivals(run) == [(4.5, 3)]


def test_max_wait_bounds_the_debounce_from_the_first_match():
    run = history(Rule("app", debounce=2.0, max_wait=5.0, cooldown=0.0))
    play(run, *range(12))
    until(run, 20)
    assert arrivals(run) == [(5.0, 5), (10.0, 5), (13.0, 2)]


def test_without_debounce_and_cooldown_every_match_has_its_own_notification():
    run = history(Rule("app", debounce=0.0, cooldown=0.0))
    run.feed(*[match("app")] * 3)
    assert arrivals(run) == [(0.0, 1)] * 3


def test_a_threshold_fires_once_and_starts_again():
    run = history(Rule("app", threshold=3, window=10.0, debounce=0.0, cooldown=0.0))
    play(run, 0, 1, 2, 3, 4)
    assert arrivals(run) == [(2.0, 3)]
    play(run, 5)
    assert arrivals(run) == [(2.0, 3), (5.0, 3)]


def test_a_threshold_counts_within_a_sliding_window_only():
    run = history(Rule("app", threshold=3, window=10.0, debounce=0.0, cooldown=0.0))
    play(run, 0, 9, 12, 15)
    assert arrivals(run) == [(15.0, 3)]
    assert run.below_threshold() == {"app": 1}
    play(run, 20)
    until(run, 31)
    assert run.below_threshold() == {"app": 2}


def test_matches_during_a_cooldown_are_reported_as_soon_as_it_ends():
    run = history(Rule("app", debounce=2.0, cooldown=60.0, cooldown_max=60.0))
    play(run, 0, 10, 61.5)
    until(run, 200)
    assert arrivals(run) == [(2.0, 1), (62.0, 2)]


def test_a_cooldown_doubles_while_matches_go_on_and_resets_after_a_quiet_time():
    run = history(Rule("app", debounce=0.0, cooldown=1.0, cooldown_max=4.0))
    play(run, *[at / 2 for at in range(40)])
    until(run, 30)
    assert [at for at, _ in arrivals(run)] == [0.0, 1.0, 3.0, 7.0, 11.0, 15.0, 19.0, 23.0]
    assert sum(count for _, count in arrivals(run)) == 40
    before = len(run.notifications)
    play(run, 40, 40.5)
    until(run, 60)
    assert arrivals(run)[before:] == [(40.0, 1), (41.0, 1)]


def test_after_a_cooldown_without_matches_the_debounce_starts_again():
    run = history(Rule("app", debounce=2.0, cooldown=5.0, cooldown_max=5.0))
    play(run, 0, 20)
    until(run, 30)
    assert arrivals(run) == [(2.0, 1), (22.0, 1)]


def test_groups_have_windows_of_their_own():
    run = history(Rule("app", debounce=2.0, cooldown=60.0))
    run.feed(match("app", "a"), match("app", "b"), match("app", "a"))
    until(run, 3)
    assert sorted(notification.count for notification in run.notifications.values()) == [1, 2]


def test_more_groups_than_allowed_share_one():
    run = history(Rule("app", max_groups=2, debounce=2.0))
    run.feed(*[match("app", name) for name in "abcde"])
    until(run, 3)
    assert sorted(notification.count for notification in run.notifications.values()) == [1, 1, 3]
    assert any("(others)" in key for key in run.state.groups)


def test_idle_groups_are_forgotten():
    run = history(Rule("app", debounce=0.0, cooldown=5.0, cooldown_max=10.0))
    run.feed(*[match("app", str(number)) for number in range(50)])
    until(run, 4)
    assert len(run.state.groups) == 50
    until(run, 12)
    assert run.state.groups == {}


def test_later_matches_join_a_notification_that_was_never_attempted():
    run = history(Rule("app", debounce=0.0, cooldown=5.0, cooldown_max=5.0))
    run.feed(match("app"))
    first = run.in_flight
    run.sleep(1)
    run.feed(match("app"), match("app"))
    run.sleep(5)  # the cooldown ends while the first one is in flight
    run.feed(match("app"))
    run.sleep(5)
    assert [
        (notification.count, notification.was_attempted)
        for notification in run.notifications.values()
    ] == [
        (1, True),
        (3, False),
    ]
    run.answer()
    assert run.in_flight != first
    assert run.counted(Status.ATTEMPTING) == {"app": 3}


@pytest.mark.parametrize("restarts", [False, True])
def test_a_shorter_cooldown_ends_one_that_runs(restarts):
    run = history(Rule("app", debounce=0.0, cooldown=300.0))
    run.feed(match("app"))
    run.sleep(60)
    run.feed(match("app"))
    assert len(run.notifications) == 1
    if restarts:
        run.restart()
    run.configure(replace(run.rules, triggers={"app": Rule("app", debounce=0.0, cooldown=10.0)}))
    run.sleep(1)
    assert [each.count for each in run.notifications.values()] == [1, 1]


def test_a_changed_cooldown_keeps_how_often_it_has_doubled():
    run = history(Rule("app", debounce=0.0, cooldown=100.0))
    play(run, 0, 60, 120)  # from 100 on, a cooldown of 200 seconds runs
    for cooldown in (500.0, 20.0):
        rule = Rule("app", debounce=0.0, cooldown=cooldown)
        run.configure(replace(run.rules, triggers={"app": rule}))
    until(run, 400)
    assert arrivals(run) == [(0.0, 1), (100.0, 1), (140.0, 1)]


def test_windows_and_cooldowns_survive_a_restart():
    run = history(Rule("app", threshold=2, window=60.0, debounce=0.0, cooldown=100.0))
    play(run, 0)
    run.restart()
    play(run, 5)
    assert arrivals(run) == [(5.0, 2)]
    run.pause(20)
    run.restart()
    play(run, 26, 27)
    until(run, 104)
    assert arrivals(run) == [(5.0, 2)]
    until(run, 106)
    assert arrivals(run) == [(5.0, 2), (105.0, 2)]


def test_what_became_due_during_downtime_is_reported_at_the_start():
    run = history(Rule("app", debounce=2.0))
    run.feed(match("app"))
    run.pause(3600)
    run.restart()
    assert [notification.count for notification in run.notifications.values()] == [1]


def test_over_the_budget_everything_goes_into_one_digest():
    rules = Rules(
        triggers={name: Rule(name, debounce=0.0, cooldown=0.0) for name in ("app", "disk")},
        budget=Budget(2, 100.0, 10),
        rate=Limit(1000, 1.0),
    )
    run = History(rules)
    run.feed(*[match("app")] * 4, *[match("disk", line="disk is full")] * 3)
    run.sleep(29)
    settle(run)
    assert run.counted() == {"app": 2, "disk": 2}
    run.sleep(2)
    settle(run)
    assert run.counted() == {"app": 4, "disk": 3}
    (digest,) = [content for content in run.contents.values() if isinstance(content, Digest)]
    assert digest.reason == "budget"
    assert digest.lines[-1] == "disk is full"
    assert digest.counts == {"app": 2, "disk": 1}
    assert len(run.sent) == 5


def test_high_priority_is_never_charged_to_the_budget():
    run = history(
        Rule("app", priority=Priority.HIGH, debounce=0.0, cooldown=0.0), budget=Budget(1, 1e6, 1)
    )
    run.feed(*[match("app")] * 5)
    assert len(run.notifications) == 5


def test_a_request_over_the_budget_keeps_its_id_and_names_its_digest():
    run = history(budget=Budget(1, 100.0, 1))
    run.submit("first")
    merged = run.submit("second")
    assert merged.status is Status.MERGED
    run.sleep(101)
    run.drain()
    assert run.notifications[merged.merged_into].status is Status.DELIVERED
    assert run.contents[merged.merged_into].lines == ("second",)


def test_without_digests_nothing_is_merged_by_budget_or_storm():
    run = history(
        Rule("app", debounce=0.0, cooldown=0.0),
        budget=Budget(1, 1e6, 1),
        rate=Limit(1, 1.0),
        digest=False,
    )
    run.feed(*[match("app")] * 500)
    assert len(run.notifications) == 500


def test_a_storm_is_merged_by_trigger_and_keeps_its_counts():
    quick = {"debounce": 0.0, "cooldown": 0.0}
    rules = Rules(
        triggers={name: Rule(name, **quick) for name in ("app", "disk")}
        | {"loud": Rule("loud", priority=Priority.HIGH, **quick)},
        budget=Budget(10_000, 1.0, 10_000),
        rate=Limit(1, 60.0),  # two minutes of it: two notifications
    )
    run = History(rules)
    run.feed(match("loud"), match("loud"), *[match("app")] * 50, *[match("disk")] * 30)
    run.feed(match("app"))
    waiting = [
        notification
        for notification in run.notifications.values()
        if notification.status.is_waiting
    ]
    assert sorted((notification.trigger, notification.count) for notification in waiting) == [
        ("app", 51),
        ("disk", 30),
        ("loud", 1),
        ("loud", 1),
    ]
    run.drain()
    assert run.counted() == {"loud": 2, "app": 51, "disk": 30}


def test_beyond_the_capacity_matches_are_counted_and_requests_refused():
    run = history(
        Rule("app", priority=Priority.URGENT, debounce=0.0, cooldown=0.0),
        capacity=5,
        rate=Limit(1, 60.0),
    )
    run.feed(*[match("app")] * 20)
    assert len(run.state.notifications) <= 7
    reply = run.submit_if_room()
    assert reply.refusal == "no_room"
    run.drain()
    assert run.counted() == {"app": 20}


def test_expired_notifications_are_counted_in_a_digest_that_does_not_expire():
    rule = Rule("app", debounce=0.0, cooldown=0.0)
    run = history(rule, expire=10.0, rate=Limit(1, 100.0), digest=False)
    run.feed(*[match("app")] * 3)
    run.answer()
    run.sleep(20)
    assert run.counted(Status.EXPIRED) == {"app": 2}
    run.sleep(10_000)
    run.drain()
    assert run.counted() == {"app": 3}


def test_pending_matches_of_a_removed_trigger_are_reported():
    run = history(Rule("app", debounce=60.0, max_wait=60.0))
    run.feed(*[match("app")] * 4)
    run.configure(Rules(triggers={}))
    run.drain()
    assert run.counted() == {"app": 4}


def test_a_trigger_of_the_same_identity_keeps_counting():
    run = history(Rule("app", identity="log", debounce=60.0, max_wait=60.0))
    run.feed(match("app"))
    run.configure(run.with_rules(triggers={"app": Rule("app", identity="log", debounce=5.0)}))
    run.feed(match("app"))
    run.sleep(6)
    assert [notification.count for notification in run.notifications.values()] == [2]


def test_a_step_of_the_wall_clock_moves_no_window():
    run = history(Rule("app", debounce=2.0, cooldown=60.0, cooldown_max=60.0))
    run.feed(match("app"))
    run.sleep(1, wall=-7200)
    assert run.notifications == {}
    run.sleep(1.5, wall=7200)
    assert len(run.notifications) == 1


def test_a_failed_commit_leaves_the_state_as_it_was():
    run = history(Rule("app", debounce=0.0))
    before = (dict(run.state.groups), dict(run.state.notifications), run.state.global_state)
    lost = step(run.state, [match("app")], run.now)
    assert (run.state.groups, run.state.notifications, run.state.global_state) == before
    again = step(run.state, [match("app")], run.now)
    assert list(lost.notifications) == list(again.notifications)


def outcome(value, *group, alert_state=AlertState.NONE):
    plain = match("app", *group)
    event = plain.event._replace(facts={"outcome": value}, alert_state=alert_state)
    return plain._replace(event=event)


COOLING = Rule("app", debounce=0.0, cooldown=300.0)


def reported(run):
    """List how many matches each notification counts, by outcome."""
    return [
        dict(run.contents[notification.id].outcomes) for notification in run.notifications.values()
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [("success", "failure"), ("unknown", "failure"), ("warning", "critical")],
)
def test_a_rise_in_severity_is_never_held_by_the_cooldown(before, after):
    run = history(COOLING)
    run.feed(outcome(before))
    settle(run)
    run.sleep(10)
    run.feed(outcome(before), outcome(after), outcome(before))
    settle(run)
    assert reported(run) == [{before: 1}, {before: 1, after: 1}]
    run.feed(outcome(after))
    run.sleep(299)
    assert len(run.notifications) == 2
    run.sleep(2)
    settle(run)
    assert reported(run)[2:] == [{before: 1, after: 1}]


@pytest.mark.parametrize(
    ("before", "after"),
    [("failure", "failure"), ("failure", "success"), ("critical", "warning"), ("", "other")],
)
def test_what_is_no_rise_is_held_by_the_cooldown(before, after):
    run = history(COOLING)
    run.feed(outcome(before))
    settle(run)
    run.feed(outcome(after))
    run.sleep(299)
    assert reported(run) == [{before: 1}]


def test_a_rise_debounces_and_neither_doubles_the_cooldown_nor_waits_for_its_end():
    run = history(replace(COOLING, debounce=5.0))
    run.feed(outcome("success"))
    run.sleep(6)
    settle(run)
    run.feed(outcome("failure"))
    run.sleep(3)
    run.feed(outcome("failure"), outcome("success"))
    assert len(run.notifications) == 1
    run.sleep(2.1)
    settle(run)
    assert reported(run)[1:] == [{"failure": 2, "success": 1}]
    (group,) = run.state.groups.values()
    assert (group.cooldown, group.severity) == (300.0, 2)


def test_a_failure_after_a_reported_success_is_a_rise_again():
    run = history(COOLING)
    for value in ("failure", "success", "failure"):
        run.feed(outcome(value))
        settle(run)
        run.sleep(301)
        settle(run)
    assert [list(counts) for counts in reported(run)] == [["failure"], ["success"], ["failure"]]
    run.sleep(3600)
    run.feed(outcome("success"))
    settle(run)
    run.feed(outcome("failure"))
    assert reported(run)[-1] == {"failure": 1}


def test_a_condition_that_gets_worse_or_better_is_reported_once_more():
    run = history(replace(COOLING, has_conditions=True))
    for value in ("warning", "warning", "critical", "critical", "warning", "warning"):
        run.feed(outcome(value, alert_state=AlertState.FIRING))
        settle(run)
    assert reported(run) == [{"warning": 1}, {"critical": 1}, {"warning": 1}]
    run.feed(outcome("success", alert_state=AlertState.RESOLVED))
    settle(run)
    assert reported(run)[3:] == [{"success": 1}]


def test_a_condition_that_flaps_between_severities_waits_for_the_cooldown():
    run = history(replace(COOLING, has_conditions=True))
    for value in ("critical", "warning", "critical", "warning", "critical"):
        run.feed(outcome(value, alert_state=AlertState.FIRING))
        settle(run)
    assert reported(run) == [{"critical": 1}, {"warning": 1}]
    run.sleep(301)
    settle(run)
    assert reported(run)[2:] == [{"critical": 2, "warning": 1}]


def test_a_condition_must_be_worse_for_as_long_as_it_must_fire():
    rule = replace(COOLING, has_conditions=True, begin_after=Persistence(times=2))
    run = history(rule)
    values = ["warning", "warning", "critical", "warning", "critical", "critical"]
    seen = []
    for value in values:
        run.feed(outcome(value, alert_state=AlertState.FIRING))
        settle(run)
        seen.append(len(run.notifications))
    assert seen == [0, 1, 1, 1, 1, 2]


def test_an_end_that_is_not_confirmed_yet_gives_way_to_a_rise():
    rule = replace(COOLING, has_conditions=True, end_after=Persistence(seconds=60.0))
    run = history(rule)
    run.feed(outcome("warning", alert_state=AlertState.FIRING))
    settle(run)
    run.feed(outcome("success", alert_state=AlertState.RESOLVED))
    run.feed(outcome("critical", alert_state=AlertState.FIRING))
    run.sleep(120)
    settle(run)
    assert reported(run) == [{"warning": 1}, {"critical": 1}]


def test_a_condition_that_waits_for_its_duration_begins_with_its_latest_severity():
    rule = replace(COOLING, has_conditions=True, begin_after=Persistence(seconds=60.0))
    run = history(rule)
    run.feed(outcome("warning", alert_state=AlertState.FIRING))
    run.sleep(30)
    run.feed(outcome("critical", alert_state=AlertState.FIRING))
    run.sleep(31)
    assert reported(run) == [{"critical": 1}]


def test_the_digest_of_a_mute_forgets_a_condition_whose_line_changed_before_it_ended():
    def say(group, line, state):
        plain = match("app", group, line=line)
        return plain._replace(event=plain.event._replace(alert_state=state))

    run = history(replace(COOLING, has_conditions=True))
    run.feed(Muted("app", 600.0))
    run.feed(say("a", "a: 1", AlertState.FIRING), say("b", "b: 1", AlertState.FIRING))
    run.feed(say("a", "a: 2", AlertState.FIRING))
    run.feed(say("a", "a: well", AlertState.RESOLVED))
    (pending,) = run.state.digests.values()
    assert (pending.digest.count, pending.digest.lines) == (1, ("b: 1",))


def test_a_lower_cooldown_max_shortens_a_cooldown_that_has_doubled():
    run = history(Rule("app", debounce=0.0, cooldown=100.0, cooldown_max=3600.0))
    play(run, 0, 60, 120)  # from 100 on, a cooldown of 200 seconds runs
    rule = Rule("app", debounce=0.0, cooldown=100.0, cooldown_max=150.0)
    run.configure(replace(run.rules, triggers={"app": rule}))
    until(run, 400)
    assert arrivals(run) == [(0.0, 1), (100.0, 1), (250.0, 1)]
