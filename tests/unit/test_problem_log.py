"""The daemon's log hears of a source's problem once, and once of its end, and nothing floods it."""

from math import inf

import pytest
from structlog.testing import capture_logs

from notifyd.model.health import LISTED_PER_KIND, Problem, SourceHealth
from notifyd.telemetry.problem_log import QUIET, ProblemReporter


@pytest.fixture
def lines():
    with capture_logs() as captured:
        yield captured


def health(*sentences, name="log", **keys):
    return SourceHealth(name, 1, tuple(Problem("file", sentence) for sentence in sentences), **keys)


def told(lines):
    return [(line["log_level"], line["event"]) for line in lines]


def files(start, end):
    return [f"{number:04}.log cannot be read" for number in range(start, end)]


def test_a_problem_is_told_once_and_its_end_once(lines):
    complaints = ProblemReporter()
    for second in range(1000):
        assert complaints.hear([health("a is a FIFO")], second) == inf
    for second in range(1000, 2000):
        assert complaints.hear([health()], second) == inf
    assert told(lines) == [("warning", "a is a FIFO"), ("info", "over: a is a FIFO")]
    assert {line["source"] for line in lines} == {"log"}


def test_figures_that_change_are_no_news_and_the_last_ones_are_said_at_the_end(lines):
    complaints = ProblemReporter()
    for count in range(1, 100):
        late = Problem("undecided", f"t: {count} lines", subject="t")
        complaints.hear([SourceHealth("log", 1, (late,))], count)
    complaints.hear([health()], 100)
    assert told(lines) == [("warning", "t: 1 lines"), ("info", "over: t: 99 lines")]


def test_what_comes_and_goes_is_told_once_in_a_while(lines):
    complaints = ProblemReporter()
    for second in range(int(QUIET)):
        complaints.hear([health("a")] if second % 2 else [health()], second)
    assert told(lines) == [("warning", "a"), ("info", "over: a")]


def test_what_came_again_and_stays_is_told_when_it_was_quiet_for_long_enough(lines):
    complaints = ProblemReporter()
    complaints.hear([health("a")], 0)
    complaints.hear([health()], 1)
    assert complaints.hear([health("a")], 2) == QUIET
    assert len(lines) == 2
    assert complaints.hear([health("a")], QUIET) == inf
    assert told(lines)[2:] == [("warning", "a")]


def test_of_many_alike_some_are_named_and_the_others_counted(lines):
    complaints = ProblemReporter()
    many = files(0, 1000)
    for second in range(100):
        complaints.hear([health(*many)], second)
    assert told(lines)[:LISTED_PER_KIND] == [
        ("warning", sentence) for sentence in many[:LISTED_PER_KIND]
    ]
    [(level, more)] = told(lines)[LISTED_PER_KIND:]
    assert (level, more) == ("warning", f"980 more like this one: {many[LISTED_PER_KIND]}")
    complaints.hear([health()], 100)
    over = [line["event"] for line in lines if line["log_level"] == "info"]
    assert sorted(over) == sorted(f"over: {said}" for said in [*many[:LISTED_PER_KIND], more])


def test_many_that_end_one_by_one_do_not_flood_and_who_is_left_is_named_at_last(lines):
    complaints = ProblemReporter()
    many = files(0, 200)
    for number in range(199):
        complaints.hear([health(*many[number:])], number)
    assert len(lines) <= 2 * (LISTED_PER_KIND + 1)
    again = complaints.hear([health(many[-1])], 199)
    assert again <= 199 + QUIET
    complaints.hear([health(many[-1])], again)
    assert told(lines)[-1] == ("warning", many[-1])


def test_ever_new_ones_do_not_flood_and_are_counted_once_in_a_while(lines):
    complaints = ProblemReporter()
    for second in range(3600):
        complaints.hear([health(*files(second, second + 50))], second)
    assert len(lines) <= (3600 / QUIET + 1) * 2 * (LISTED_PER_KIND + 1)


def test_more_of_a_crowd_are_told_after_a_while(lines):
    complaints = ProblemReporter()
    complaints.hear([health(*files(0, LISTED_PER_KIND + 1))], 0)
    again = complaints.hear([health(*files(0, LISTED_PER_KIND + 5))], 1)
    assert again == QUIET
    complaints.hear([health(*files(0, LISTED_PER_KIND + 5))], again)
    assert [event[:16] for _, event in told(lines)[LISTED_PER_KIND:]] == [
        "1 more like this",
        "5 more like this",
    ]


def test_many_of_one_kind_hide_none_of_another(lines):
    problems = (
        *(Problem("file", sentence) for sentence in files(0, 99)),
        Problem("inotify", "limit"),
    )
    ProblemReporter().hear([SourceHealth("log", 1, problems)], 0)
    assert ("warning", "limit") in told(lines)
    assert "limit" in SourceHealth("log", 1, problems).messages


def test_a_source_that_is_down_is_an_error_and_keeps_the_problems_it_had(lines):
    complaints = ProblemReporter()
    complaints.hear([health("a")], 0)
    down = SourceHealth("log", 0, (Problem("stopped", "it failed"),), dead=True)
    complaints.hear([down], 1)
    complaints.hear([health("a")], 2)
    assert told(lines) == [("warning", "a"), ("error", "it failed"), ("info", "over: it failed")]


def test_a_reload_repeats_nothing_and_ends_what_is_not_watched_any_more(lines):
    complaints = ProblemReporter()
    complaints.hear([health("a"), health("b", name="file")], 0)
    complaints.hear([health(ready=False)], 1)
    complaints.hear([health("a")], 2)
    assert told(lines)[2:] == [("info", "over: b")]


def test_a_name_with_line_breaks_forges_no_line(lines):
    ProblemReporter().hear([health("/tmp/a\n<2>all is well\x1b[2J\udc80 cannot be read")], 0)
    [(_, event)] = told(lines)
    assert event.isprintable()


def test_status_lists_a_bounded_number_of_each_kind():
    sentences = health(*files(0, 1000)).messages
    assert sentences == [*files(0, LISTED_PER_KIND), "and 980 more like these"]


def test_what_happened_and_was_told_by_its_source_is_in_status_alone(lines):
    happened = SourceHealth(
        "journal", 1, (Problem("lost", "t: 3 lost", subject="t", already_logged=True),)
    )
    ProblemReporter().hear([happened], 0)
    assert (lines, happened.messages) == ([], ["t: 3 lost"])


def test_what_is_not_there_yet_is_told_once_and_is_no_problem(lines):
    complaints = ProblemReporter()
    for second in range(10):
        complaints.hear([SourceHealth("log", 0, missing_paths=("/var/log/app.log",))], second)
    complaints.hear([SourceHealth("log", 1)], 10)
    sentence = "there is no /var/log/app.log yet: it is read when it comes"
    assert told(lines) == [("info", sentence), ("info", f"over: {sentence}")]
