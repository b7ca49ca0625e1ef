"""Which results of a probe are handed to the fold."""

from notifyd.model.events import AlertState, Event
from notifyd.model.persistence import AT_ONCE, Persistence
from notifyd.sources.probes.condition_filter import ConditionFilter


def result(outcome, line="", wall=0.0):
    state = AlertState.RESOLVED if outcome == "success" else AlertState.FIRING
    return Event("t", wall, line, facts={"outcome": outcome}, alert_state=state)


def admitted(results, begin_after=AT_ONCE, end_after=AT_ONCE):
    probe = ConditionFilter(begin_after, end_after)
    return [probe.admits(each) for each in results]


def test_a_state_is_reported_once_whatever_its_text():
    results = [result("success", "a"), result("success", "b"), result("failure"), result("failure")]
    assert admitted(results) == [True, False, True, False]


def test_each_change_of_the_severity_is_reported():
    results = [result(outcome) for outcome in ("warning", "warning", "critical", "warning")]
    assert admitted(results) == [True, False, True, True]


def test_results_are_reported_as_often_as_they_are_counted():
    results = [result("failure")] * 4 + [result("success")] * 4
    shown = admitted(results, Persistence(times=3), Persistence(times=2))
    assert shown == [True, True, True, False, True, True, False, False]


def test_a_rise_is_counted_anew():
    results = [result("warning")] * 3 + [result("critical")] * 3
    assert admitted(results, Persistence(times=2)) == [True, True, False] * 2


def test_a_new_text_is_reported_as_long_as_the_state_has_to_last():
    results = [result("failure", f"{wall}", wall) for wall in (0.0, 30.0, 59.0, 60.0, 61.0)]
    assert admitted(results, Persistence(seconds=60.0)) == [True, True, True, False, False]
