"""What the measurements of a resource mean: levels, their ends, and what the fold still awaits."""

import pytest

from notifyd.config.resource_limits import ResourceValue
from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.model.events import Event
from notifyd.shaping.summaries import merge_summaries, summarize
from notifyd.sources.probes.resources.measurement import Measurement
from notifyd.sources.probes.resources.watch import ResourceWatch
from notifyd.triggers.trigger import Trigger

WALL = 1_700_000_000.0


def config_of(**keys):
    return ResourceTriggerConfig.model_validate({"resource": "memory", "every": "30s"} | keys)


def watch_of(**keys):
    config = config_of(**keys)
    shaping = config.shaping(ShapingConfig())
    return ResourceWatch("t", config, begin_after=shaping.begin_after, end_after=shaping.end_after)


def measured(percent):
    return Measurement("memory", f"{percent}% used", ResourceValue(percent, free=100 - percent))


def play(watch, *values):
    """Measure every 30 s; return for each measurement what the event says, or nothing."""
    made = []
    for index, value in enumerate(values):
        result = watch.evaluate(measured(value), WALL + 30.0 * index)
        made.append(result and result.event.line.partition("(")[2].removesuffix(")"))
    return made


def test_each_level_is_one_event_and_so_is_its_end():
    watch = watch_of(warning="80%", critical="95%")
    assert play(watch, 50, 81, 90, 96, 99, 90, 85, 70, 60) == [
        *("ok again", "warning", None, "critical", None),
        *("warning, no longer critical", None, "ok again", None),
    ]


def test_a_level_ends_two_points_below_its_limit():
    watch = watch_of(warning="80%", critical="95%")
    assert play(watch, 50, 81, 79, 78, 77.9)[1:] == ["warning", None, None, "ok again"]
    assert play(watch, 96, 94, 93, 92.9) == ["critical", None, None, "warning, no longer critical"]


def test_clear_is_where_a_level_ends_and_the_critical_one_ends_as_far_below_its_own():
    watch = watch_of(warning="80%", critical="95%", clear="70%")
    assert play(watch, 96, 86, 84.9, 71, 69.9) == [
        *("critical", None, "warning, no longer critical", None, "ok again"),
    ]


def test_a_value_between_begin_and_end_says_nothing_after_a_start():
    watch = watch_of(warning="80%", critical="95%", clear="70%")
    assert play(watch, 75, 74, 60, 75, 81) == [None, None, "ok again", None, "warning"]


def test_a_limit_that_values_fall_below():
    watch = watch_of(warning="< 10%", clear="20%")
    assert play(watch, 50, 9, 15, 19, 20) == ["ok again", "warning", None, None, "ok again"]


def test_only_one_limit():
    watch = watch_of(critical="5GiB free")
    assert play(watch, 50)[0] == "critical"  # 50 bytes are free


def test_while_the_fold_waits_each_new_value_is_an_event():
    watch = watch_of(warning="80%", **{"for": "1m"}, clear="0s")
    assert play(watch, 50, 81, 82, 82, 83, 84)[1:] == ["warning", "warning", None, None, None]


def test_times_in_a_row_are_as_many_events():
    watch = watch_of(warning="80%", **{"for": "3 times"}, clear="2 times")
    assert play(watch, 50, 50, 50, 50)[3] is None
    assert play(watch, 81, 81, 81, 81, 50, 50, 50) == [
        *("warning", "warning", "warning", None, "ok again", "ok again", None),
    ]


def test_the_consumers_are_wanted_at_first_and_when_the_report_is_near():
    watch = watch_of(warning="80%", **{"for": "2m"})
    made = [watch.evaluate(measured(81 + index), WALL + 30.0 * index) for index in range(5)]
    assert [each and each.wants_consumers for each in made] == [True, False, False, True, None]


@pytest.mark.parametrize("level", ["warning", "critical"])
def test_the_line_is_the_title_and_what_is_largest_the_body(level):
    config = config_of(warning=80, critical=95)
    watch = watch_of(warning=80, critical=95)
    event = watch.evaluate(measured(96 if level == "critical" else 81), WALL).event
    trigger = Trigger("ram", config, ShapingConfig())
    title, body = trigger.render(summarize([event]))
    limit = "95%" if level == "critical" else "80%"
    assert title == f"memory: {96 if level == 'critical' else 81}% used ({level})"
    assert body == f"limit: {limit}"


def test_a_title_of_ones_own_leaves_the_line_in_the_body():
    config = config_of(title="Memory!")
    event = watch_of().evaluate(measured(96), WALL).event
    _, body = Trigger("ram", config, ShapingConfig()).render(summarize([event]))
    assert body == "memory: 96% used (critical)\nlimit: 95%"


def test_what_came_and_went_names_the_worst_level():
    config, watch = config_of(), watch_of()
    events = [
        watch.evaluate(measured(value), WALL).event for index, value in enumerate((91, 96, 50))
    ]
    summary = merge_summaries(summarize(events[:2]), summarize(events[2:]))
    title, body = Trigger("ram", config, ShapingConfig()).render(summary)
    assert title == "memory: was critical for a while"
    assert "memory: 50% used (ok again)" in body


def test_the_title_of_a_kill_says_what_happened():
    config = config_of(resource="oom")
    line, facts = "out of memory: the kernel killed python", {"after": "java (pid 7): 3.0 GiB"}
    event = Event("killed", WALL, line, facts=facts)
    title, body = Trigger("killed", config, ShapingConfig()).render(summarize([event]))
    assert (title, body) == (line, "java (pid 7): 3.0 GiB")
