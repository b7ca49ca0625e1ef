"""Heartbeats: no alarm is false, none is missing, and none is repeated; in virtual time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.config.cron import CronSchedule
from notifyd.model.events import Now
from notifyd.model.pings import OUTPUT_KEPT, Ping, PingSignal
from notifyd.shaping.codec import latest_time, restore_state
from notifyd.shaping.heartbeat import MOST_RUNS
from notifyd.shaping.heartbeats import UNKNOWN
from notifyd.shaping.inputs import Pinged, PingsRefused, Stalled
from notifyd.shaping.rules import HeartbeatRule, Rule, Rules
from notifyd.telemetry.heartbeats import describe_heartbeat
from support.examples import examples
from support.histories import History

EVERY = HeartbeatRule("every", every=600.0, grace=60.0)
JOB = HeartbeatRule("job", every=600.0, grace=60.0, max_runtime=1200.0)
DAILY = HeartbeatRule("daily", recurrence=CronSchedule("0 3 * * *", "UTC"), grace=600.0)
TWO_O_CLOCK = 1_700_013_600.0
"""2023-11-15 02:00 UTC."""


def history(rule=EVERY, wall=TWO_O_CLOCK) -> History:
    shaping = Rule("job", debounce=0.0, cooldown=0.0, has_conditions=True)
    return History(Rules({"job": shaping}, {"job": rule}), now=Now(1000.0, wall))


def ping(one, signal="success", run="", **more):
    return one.feed(Pinged(Ping("job", PingSignal(signal), run, **more))).replies[0]


def beat(one):
    return one.state.heartbeats["job"]


def condition(one):
    groups = [group for group in one.state.groups.values() if group.condition]
    return groups[0].condition.event if groups else None


def test_a_ping_of_an_unknown_heartbeat_is_refused_and_changes_nothing():
    one = history()
    before = one.stored.copy()
    assert one.feed(Pinged(Ping("other"))).replies[0].refusal == UNKNOWN
    assert one.stored == before


def test_a_ping_is_stored_by_the_commit_that_acknowledges_it():
    one = history()
    ping(one, "start", "r1")
    one.sleep(30)
    ping(one, "success", "r1", output="done")
    stored = beat(one)
    one.restart()
    assert replace(beat(one), waits_from=0, deadline=0) == replace(stored, waits_from=0, deadline=0)
    assert (stored.runtime, stored.output) == (30.0, "done")


def test_a_ping_that_arrives_with_its_deadline_is_in_time():
    one = history()
    ping(one)
    one.move_to(1660.0)
    ping(one)
    assert condition(one) is None


def test_an_alarm_is_given_exactly_at_its_deadline():
    one = history()
    ping(one)
    one.sleep(659.9)
    assert condition(one) is None
    one.sleep(0.2)
    assert condition(one).line == "no ping for 11m (expected every 10m)"


@pytest.mark.parametrize(("stall", "put_off"), [(10.0, 10.0), (300.0, 300.0), (90_000.0, 660.0)])
def test_a_daemon_that_was_stopped_by_a_signal_first_takes_the_pings_that_wait(stall, put_off):
    one = history()
    ping(one)
    one.pause(660.0 + stall)
    one.feed()
    assert condition(one) is None
    one.sleep(put_off - 0.1)
    assert condition(one) is None
    one.sleep(0.2)
    assert condition(one) is not None


def test_a_stalled_daemon_lets_all_wait_anew():
    one = history(JOB)
    ping(one, "start")
    one.pause(1300.0)
    one.feed(Stalled())
    one.sleep(1199)
    assert condition(one) is None
    one.sleep(2)
    assert condition(one) is not None


def test_a_short_delay_puts_nothing_off():
    one = history()
    ping(one)
    one.pause(664.0)
    one.feed()
    assert condition(one) is not None


def test_a_heartbeat_whose_ping_was_refused_waits_anew():
    one = history()
    ping(one)
    one.sleep(650)
    one.feed(PingsRefused(frozenset({"job", "other"})))
    one.sleep(659)
    assert condition(one) is None
    one.sleep(2)
    assert condition(one) is not None


def test_the_monotonic_line_goes_on_from_a_ping_when_its_reading_is_lost():
    one = history()
    one.sleep(500)
    ping(one)
    assert latest_time(restore_state(one.stored, (), seed="s", now=Now(0.0, 0.0))) == 1500.0


def test_a_removed_heartbeat_is_forgotten_and_a_changed_one_waits_anew():
    one = history()
    ping(one)
    one.sleep(300)
    changed = replace(EVERY, identity="shorter", every=60.0)
    one.configure(one.with_rules(heartbeats={"job": changed}))
    one.sleep(119)
    assert condition(one) is None
    one.sleep(2)
    assert condition(one).line == "no ping for 7m (expected every 1m)"
    one.configure(Rules())
    assert one.state.heartbeats == {}
    assert not [name for name in one.stored if name.startswith("heartbeat:")]


def test_a_reload_without_a_change_does_not_begin_the_wait_anew():
    one = history()
    ping(one)
    one.sleep(600)
    one.configure(one.rules)
    one.sleep(61)
    assert condition(one) is not None


def test_without_a_grace_it_is_a_share_of_the_time_between_pings():
    for every, grace in ((60.0, 30.0), (3600.0, 360.0), (86_400.0, 3600.0)):
        one = history(HeartbeatRule("x", every=every))
        assert beat(one).deadline == 1000.0 + every + grace
    one = history(HeartbeatRule("x", recurrence=CronSchedule("*/10 * * * *", "UTC")))
    assert beat(one).deadline == 1000.0 + 600.0 + 60.0


def test_the_clock_set_back_expects_no_run_again_unless_it_was_far_ahead():
    one = history(DAILY, wall=TWO_O_CLOCK)
    one.sleep(3600)
    ping(one)
    one.sleep(600)
    one.sleep(0, wall=-7200)
    one.feed()
    one.sleep(7200)
    assert condition(one) is None
    ahead = history(DAILY, wall=TWO_O_CLOCK + 400 * 86_400)
    ahead.sleep(0, wall=-400 * 86_400)
    ahead.feed()
    ahead.sleep(4201)
    assert condition(ahead).line == "no ping yet after 1h10m (expected Wed 03:00)"


def test_a_restart_after_an_early_ping_does_not_expect_it_again():
    one = history(DAILY, wall=TWO_O_CLOCK + 3600 - 40)
    ping(one)
    one.sleep(10)
    one.restart()
    one.sleep(7200)
    assert condition(one) is None


def test_a_restart_between_a_time_and_its_grace_skips_that_time():
    one = history(DAILY)
    one.sleep(3700)
    one.restart()
    one.sleep(7200)
    assert condition(one) is None
    one.sleep(86_400)
    assert condition(one) is not None


def test_a_clock_that_was_ahead_by_days_is_no_reason_to_wait_for_days_after_a_restart():
    one = history(DAILY, wall=TWO_O_CLOCK + 400 * 86_400)
    one.now = Now(one.now.mono, TWO_O_CLOCK)
    one.restart()
    assert beat(one).expected == TWO_O_CLOCK + 3600


def test_a_changed_schedule_expects_no_time_of_the_old_one():
    one = history(replace(DAILY, recurrence=CronSchedule("30 3 * * *", "UTC")))
    hourly = replace(DAILY, identity="hourly", recurrence=CronSchedule("0 * * * *", "UTC"))
    one.configure(replace(one.rules, heartbeats={"job": hourly}))
    assert beat(one).expected == TWO_O_CLOCK + 3600


@pytest.mark.parametrize(("early", "counts_for_next"), [(10.0, True), (20.0, False)])
def test_a_ping_is_early_for_a_time_only_in_the_last_quarter_before_it(early, counts_for_next):
    every_minute = replace(DAILY, recurrence=CronSchedule("* * * * *", "UTC"))
    one = history(every_minute, wall=TWO_O_CLOCK - early)
    ping(one)
    assert beat(one).expected == TWO_O_CLOCK + (60.0 if counts_for_next else 0.0)


def test_a_run_that_was_reported_is_not_reported_again_after_a_restart():
    one = history(JOB)
    ping(one, "start", "stuck")
    one.sleep(1200)
    assert condition(one) is not None
    one.restart()
    ping(one, "success", "other")
    assert (beat(one).runs, condition(one)) == ((), None)


def test_a_late_step_gives_an_overdue_run_time_though_another_has_just_started():
    one = history(JOB)
    ping(one, "start", "first")
    one.pause(1206.0)
    ping(one, "start", "second")
    assert condition(one) is None
    one.sleep(5)
    assert condition(one) is not None


def test_a_put_off_alarm_puts_off_nothing_after_the_next_ping():
    one = history(replace(JOB, max_runtime=60.0))
    ping(one)
    one.pause(1200.0)
    one.feed()
    ping(one, "start", "r")
    one.sleep(60)
    assert condition(one) is not None


def test_what_a_heartbeat_keeps_is_bounded():
    one = history(JOB)
    for number in range(MOST_RUNS + 5):
        ping(one, "start", f"r{number}")
    ping(one, "log", output="x" * 10_000 + "end")
    assert [run.id for run in beat(one).runs][:: MOST_RUNS - 1] == ["r5", "r24"]
    assert len(beat(one).output) == OUTPUT_KEPT
    assert beat(one).output.endswith("end")


def test_the_output_of_an_earlier_run_is_not_shown_with_a_later_one():
    one = history()
    ping(one, "success", output="of the first")
    ping(one, "fail")
    assert "after" not in condition(one).facts
    ping(one)
    ping(one, "start")
    ping(one, "log", output="a step")
    ping(one, "fail")
    assert condition(one).facts["after"] == "a step"


def test_a_late_end_of_a_run_that_was_reported_ends_the_report_of_it():
    one = history(JOB)
    ping(one, "start", "a")
    one.sleep(1201)
    assert condition(one).line == "running for 20m (max_runtime 20m)"
    ping(one, "success", "b")
    assert condition(one) is None
    assert beat(one).runs == ()


def test_status_shows_the_last_ping_and_the_next_deadline():
    one = history(JOB)
    shown = describe_heartbeat(beat(one), one.now)
    assert (shown["state"], shown["last_ping"]) == ("new", 0.0)
    assert shown["deadline"] == TWO_O_CLOCK + 660
    ping(one, "start")
    assert describe_heartbeat(beat(one), one.now)["state"] == "running"
    one.sleep(60)
    ping(one, "fail")
    shown = describe_heartbeat(beat(one), one.now)
    assert (shown["state"], shown["last_signal"], shown["last_runtime"]) == ("down", "fail", 60.0)
    assert (shown["last_ping"], shown["deadline"]) == (TWO_O_CLOCK + 60, 0.0)


# --- whatever happens in whatever order


spans = st.sampled_from([1.0, 30.0, 300.0, 650.0, 700.0, 1300.0, 4000.0, 90_000.0])
actions = st.one_of(
    st.tuples(st.just("ping"), st.sampled_from(list(PingSignal)), st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("sleep"), spans),
    st.tuples(st.just("stop"), st.sampled_from([0.0, 30.0, 4000.0, 90_000.0])),
    st.tuples(st.just("suspend"), spans),
    st.tuples(st.just("stall"), st.sampled_from([20.0, 300.0, 700.0, 4000.0, 90_000.0])),
    st.tuples(st.just("refuse")),
    st.tuples(st.just("reload")),
)
scripts = st.lists(actions | st.tuples(st.just("set_back"), spans), max_size=25)


class Observer:
    """Plays a script and judges the alarms by what was possible; it knows nothing of deadlines.

    quiet_since: since when a ping could have come and none did; runs: the same for the end of each
    run. listening_since, pinged_at: the same by the wall clock.
    """

    def __init__(self, rule: HeartbeatRule) -> None:
        self.one, self.rule = history(rule), rule
        self.was_down = False
        self.runs: dict[str, float] = {}
        self.pinged_at = 0.0
        self.gap()

    def play(self, script) -> None:
        for action, *details in script:
            getattr(self, action)(*details)
            self.check()
        self.ping(PingSignal.SUCCESS, "")
        assert condition(self.one) is None

    def gap(self) -> None:
        now = self.one.now
        self.quiet_since, self.listening_since = now
        self.runs = dict.fromkeys(self.runs, now.mono)

    def ping(self, signal: PingSignal, run: str) -> None:
        ping(self.one, signal, run)
        if signal is PingSignal.LOG:
            return
        self.quiet_since, self.pinged_at = self.one.now
        self.runs.pop(run, None)
        if signal is PingSignal.START:
            self.runs[run] = self.one.now.mono

    def sleep(self, seconds: float) -> None:
        one = self.one
        end = one.now.mono + seconds
        while (due := one.state.deadline()) <= end:
            one.move_to(due)
            one.feed()
            self.check()
        one.move_to(end)
        one.feed()
        is_quiet = end - self.quiet_since > self.rule.every + EVERY.grace
        if self.rule is EVERY and is_quiet:
            assert beat(one).is_down

    def stop(self, seconds: float) -> None:
        self.one.pause(seconds)
        self.one.restart()
        self.gap()

    def suspend(self, seconds: float) -> None:
        self.set_back(-seconds - 2.1)
        self.gap()

    def stall(self, seconds: float) -> None:
        """Timers come first: the daemon notices only after them that it was not run."""
        self.one.pause(seconds)
        self.one.feed()
        self.check()
        self.one.feed(Stalled())
        self.gap()

    def refuse(self) -> None:
        self.one.feed(PingsRefused(frozenset({"job"})))
        self.gap()

    def set_back(self, seconds: float) -> None:
        self.one.now = Now(self.one.now.mono, self.one.now.wall - seconds)
        self.one.feed()

    def reload(self) -> None:
        self.one.configure(self.one.rules)

    def check(self) -> None:
        event = condition(self.one)
        assert (event is not None) == beat(self.one).is_down
        if event is not None and not self.was_down:
            self.judge(event)
        self.was_down = event is not None

    def judge(self, event) -> None:
        now = self.one.now
        match event.facts["event"]:
            case "overdue":
                waits = [now.mono - since for since in self.runs.values()]
                assert max(waits) >= self.rule.max_runtime - 1e-6
            case "missing" if self.rule is DAILY:
                due = beat(self.one).expected
                assert now.wall >= due + DAILY.grace - 1e-3
                assert max(self.listening_since, self.pinged_at) <= due
            case "missing":
                assert now.mono - self.quiet_since >= self.rule.every + self.rule.grace - 1e-6


@pytest.mark.parametrize("rule", [EVERY, JOB], ids=["every", "max_runtime"])
@given(script=scripts)
@examples(60, 3000)
def test_no_alarm_is_false_none_is_missing_and_none_is_repeated(rule, script):
    Observer(rule).play(script)


@given(script=st.lists(actions, max_size=25))
@examples(60, 3000)
def test_an_expected_time_is_missed_only_if_a_ping_could_have_come(script):
    Observer(DAILY).play(script)
