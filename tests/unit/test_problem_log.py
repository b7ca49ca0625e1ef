"""A source's problem is logged once, and once when it is resolved; nothing floods the log."""

from math import inf

import pytest
from structlog.testing import capture_logs

from notifyd.model.health import LISTED_PER_KIND, Problem, SourceHealth
from notifyd.telemetry.problem_log import REPEAT_INTERVAL, ProblemReporter


@pytest.fixture
def lines():
    with capture_logs() as captured:
        yield captured


def health(*messages, name="log", **keys):
    return SourceHealth(name, 1, tuple(Problem("file", message) for message in messages), **keys)


def logged(lines):
    return [(line["log_level"], line["event"]) for line in lines]


def files(start, end):
    return [f"{number:04}.log cannot be read" for number in range(start, end)]


def test_a_problem_is_logged_once_and_its_resolution_once(lines):
    reporter = ProblemReporter()
    for second in range(1000):
        assert reporter.update([health("a is a FIFO")], second) == inf
    for second in range(1000, 2000):
        assert reporter.update([health()], second) == inf
    assert logged(lines) == [("warning", "a is a FIFO"), ("info", "resolved: a is a FIFO")]
    assert {line["source"] for line in lines} == {"log"}


def test_changing_figures_are_not_logged_and_the_last_ones_are_in_the_resolution(lines):
    reporter = ProblemReporter()
    for count in range(1, 100):
        late = Problem("undecided", f"t: {count} lines", subject="t")
        reporter.update([SourceHealth("log", 1, (late,))], count)
    reporter.update([health()], 100)
    assert logged(lines) == [("warning", "t: 1 lines"), ("info", "resolved: t: 99 lines")]


def test_a_problem_that_comes_and_goes_is_logged_once_per_interval(lines):
    reporter = ProblemReporter()
    for second in range(int(REPEAT_INTERVAL)):
        reporter.update([health("a")] if second % 2 else [health()], second)
    assert logged(lines) == [("warning", "a"), ("info", "resolved: a")]


def test_a_problem_that_returns_and_stays_is_logged_after_the_interval(lines):
    reporter = ProblemReporter()
    reporter.update([health("a")], 0)
    reporter.update([health()], 1)
    assert reporter.update([health("a")], 2) == REPEAT_INTERVAL
    assert len(lines) == 2
    assert reporter.update([health("a")], REPEAT_INTERVAL) == inf
    assert logged(lines)[2:] == [("warning", "a")]


def test_of_many_similar_problems_some_are_listed_and_the_others_counted(lines):
    reporter = ProblemReporter()
    many = files(0, 1000)
    for second in range(100):
        reporter.update([health(*many)], second)
    assert logged(lines)[:LISTED_PER_KIND] == [
        ("warning", message) for message in many[:LISTED_PER_KIND]
    ]
    [(level, more)] = logged(lines)[LISTED_PER_KIND:]
    assert (level, more) == ("warning", f"980 more like this one: {many[LISTED_PER_KIND]}")
    reporter.update([health()], 100)
    resolved = [line["event"] for line in lines if line["log_level"] == "info"]
    assert sorted(resolved) == sorted(
        f"resolved: {said}" for said in [*many[:LISTED_PER_KIND], more]
    )


def test_many_that_are_resolved_one_by_one_do_not_flood_and_the_last_is_listed(lines):
    reporter = ProblemReporter()
    many = files(0, 200)
    for number in range(199):
        reporter.update([health(*many[number:])], number)
    assert len(lines) <= 2 * (LISTED_PER_KIND + 1)
    next_update = reporter.update([health(many[-1])], 199)
    assert next_update <= 199 + REPEAT_INTERVAL
    reporter.update([health(many[-1])], next_update)
    assert logged(lines)[-1] == ("warning", many[-1])


def test_ever_new_problems_do_not_flood_and_are_counted_once_per_interval(lines):
    reporter = ProblemReporter()
    for second in range(3600):
        reporter.update([health(*files(second, second + 50))], second)
    assert len(lines) <= (3600 / REPEAT_INTERVAL + 1) * 2 * (LISTED_PER_KIND + 1)


def test_a_growing_number_is_logged_after_the_interval(lines):
    reporter = ProblemReporter()
    reporter.update([health(*files(0, LISTED_PER_KIND + 1))], 0)
    next_update = reporter.update([health(*files(0, LISTED_PER_KIND + 5))], 1)
    assert next_update == REPEAT_INTERVAL
    reporter.update([health(*files(0, LISTED_PER_KIND + 5))], next_update)
    assert [event[:16] for _, event in logged(lines)[LISTED_PER_KIND:]] == [
        "1 more like this",
        "5 more like this",
    ]


def test_many_problems_of_one_kind_hide_none_of_another(lines):
    problems = (
        *(Problem("file", message) for message in files(0, 99)),
        Problem("inotify", "limit"),
    )
    ProblemReporter().update([SourceHealth("log", 1, problems)], 0)
    assert ("warning", "limit") in logged(lines)
    assert "limit" in SourceHealth("log", 1, problems).messages


def test_a_dead_source_is_an_error_and_keeps_its_problems(lines):
    reporter = ProblemReporter()
    reporter.update([health("a")], 0)
    down = SourceHealth("log", 0, (Problem("stopped", "it failed"),), dead=True)
    reporter.update([down], 1)
    reporter.update([health("a")], 2)
    assert logged(lines) == [
        ("warning", "a"),
        ("error", "it failed"),
        ("info", "resolved: it failed"),
    ]


def test_a_reload_repeats_nothing_and_resolves_what_is_no_longer_watched(lines):
    reporter = ProblemReporter()
    reporter.update([health("a"), health("b", name="file")], 0)
    reporter.update([health(ready=False)], 1)
    reporter.update([health("a")], 2)
    assert logged(lines)[2:] == [("info", "resolved: b")]


def test_a_file_name_with_line_breaks_forges_no_line(lines):
    ProblemReporter().update([health("/tmp/a\n<2>all is well\x1b[2J\udc80 cannot be read")], 0)
    [(_, event)] = logged(lines)
    assert event.isprintable()


def test_status_lists_a_bounded_number_of_each_kind():
    messages = health(*files(0, 1000)).messages
    assert messages == [*files(0, LISTED_PER_KIND), "and 980 more like these"]


def test_a_problem_that_its_source_has_logged_is_only_in_the_status(lines):
    happened = SourceHealth(
        "journal", 1, (Problem("lost", "t: 3 lost", subject="t", already_logged=True),)
    )
    ProblemReporter().update([happened], 0)
    assert (lines, happened.messages) == ([], ["t: 3 lost"])


def missing(*paths, **keys):
    return SourceHealth("log", 0, missing_paths=paths, **keys)


def test_a_missing_log_file_is_logged_once_and_is_no_problem(lines):
    reporter = ProblemReporter()
    for second in range(10):
        reporter.update([missing("/var/log/app.log")], second)
    reporter.update([missing()], 10)
    assert logged(lines) == [
        ("info", "waiting for log file: /var/log/app.log"),
        ("info", "log file appeared: /var/log/app.log"),
    ]


def test_a_pattern_is_not_shown_as_the_file_that_appeared(lines):
    reporter = ProblemReporter()
    reporter.update([missing("/var/log/*.log")], 0)
    reporter.update([missing()], 1)
    assert logged(lines) == [
        ("info", "waiting for a log file that matches /var/log/*.log"),
        ("info", "a log file now matches /var/log/*.log"),
    ]


def test_a_reload_that_removes_a_missing_path_does_not_report_that_it_appeared(lines):
    reporter = ProblemReporter()
    reporter.update([missing("/a.log", "/b.log")], 0)
    reporter.pipeline_started()
    reporter.update([missing(ready=False)], 1)
    reporter.update([missing("/a.log")], 2)
    assert len(lines) == 2
    reporter.update([missing()], 3)
    assert logged(lines)[2:] == [("info", "log file appeared: /a.log")]


def test_a_reload_without_the_source_reports_nothing_of_its_missing_paths(lines):
    reporter = ProblemReporter()
    reporter.update([missing("/a.log")], 0)
    reporter.pipeline_started()
    reporter.update([], 1)
    assert len(lines) == 1
