"""What the result of a command means, and the push that reports it."""

import re
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import CommandTriggerConfig
from notifyd.model.events import AlertState, Event
from notifyd.model.notifications import ConditionReport
from notifyd.shaping.summaries import merge_summaries, summarize_one
from notifyd.sources.probes.commands.changed_output import describe_change
from notifyd.sources.probes.commands.check import Check
from notifyd.sources.probes.commands.perfdata import Figure, parse_figures, split_output
from notifyd.sources.probes.commands.runner import CommandResult
from notifyd.sources.probes.commands.source import Probe
from notifyd.triggers import Trigger
from support.markdown import blocks, section

ROOT = Path(__file__).parents[2]
DISK = b"DISK CRITICAL - /var 97% full;| /var=5800MB;4776;5373;0;5970\n"


def config(check="exit", run="x", **keys):
    return CommandTriggerConfig.model_validate({"run": run, "check": check} | keys)


def evaluate(status, out=b"", err=b"", *, error="", **keys):
    return Check(config(**keys)).evaluate(CommandResult(status, out, err, error))


def outcome(*args, **keys):
    result = evaluate(*args, **keys)
    return result.outcome, result.reason


def test_an_exit_status_decides():
    assert outcome(0) == ("success", "status 0")
    assert outcome(3) == ("failure", "status 3")
    assert outcome(-11) == ("failure", "killed by SIGSEGV")


@pytest.mark.parametrize("check", ["exit", "nagios", "changed"])
def test_what_was_not_checked_is_unknown_and_never_ok(check):
    assert outcome(None, check=check) == ("unknown", "timed out after 30s")
    assert outcome(None, error="cannot start x: y", check=check) == ("unknown", "cannot start x: y")


def test_a_shell_that_cannot_start_a_command_is_unknown():
    assert outcome(127)[0] == outcome(126)[0] == "unknown"
    assert outcome(127, run=["/usr/bin/env", "false"]) == ("failure", "status 127")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *[(0, "success"), (1, "warning"), (2, "critical"), (3, "unknown")],
        *[(4, "unknown"), (127, "unknown"), (-9, "unknown")],
    ],
)
def test_the_states_of_nagios_plugins(status, expected):
    assert evaluate(status, b"text", check="nagios").outcome == expected


def test_the_state_of_a_plugin_is_named_once():
    assert outcome(2, b"CRITICAL - /var 97% full", check="nagios")[1] == "CRITICAL - /var 97% full"
    assert outcome(2, b"/var 97% full", check="nagios")[1] == "CRITICAL - /var 97% full"
    assert outcome(1, b"", check="nagios")[1] == "WARNING - no output"
    assert outcome(4, b"what", check="nagios")[1] == "status 4"


def test_more_text_and_the_figures_of_a_plugin_are_details():
    output = b"LOAD OK | load1=0.1;;;0\nsecond\nthird | load5=0.2;5;10\nload15=0.3"
    result = evaluate(0, output, check="nagios")
    assert result.line == "LOAD OK"
    assert result.details.splitlines() == [
        *("second", "third", "load1: 0.1", "load5: 0.2 (warning 5, critical 10)", "load15: 0.3"),
    ]
    assert result.value == "0.1"


def test_performance_data_is_parsed_as_plugins_write_it():
    assert parse_figures(
        "'it''s a label'=-1.5e3B;@1:2;~:3;;9 time=0.01s;1;;0 junk U=U 'x y'=1%"
    ) == [
        Figure("it's a label", "-1.5e3", "B", "@1:2", "~:3", "", "9"),
        Figure("time", "0.01", "s", "1", "", "0"),
        Figure("x y", "1", "%"),
    ]
    assert str(Figure("/", "50", "%", "80", "90", "0", "100")) == "/: 50% (warning 80, critical 90)"
    free = Figure("/", "29018292224", "B", "257024904396", "~:3", "0", "270552530944")
    assert str(free) == "/: 27.0 GiB of 252 GiB (warning 239 GiB, critical ~:3)"
    assert split_output("text without figures\nmore") == ("text without figures\nmore", [])


@pytest.mark.parametrize("junk", ["a", "'", "' ", "a=", "a=1"])
def test_a_long_line_that_is_no_performance_data_is_parsed_in_linear_time(junk):
    text, figures = split_output(f"OK | {junk * (60_000 // len(junk))} /=1%")
    assert (text, figures[-1:]) == ("OK", [Figure("/", "1", "%")])


@pytest.mark.parametrize(
    ("when", "output", "expected"),
    [
        *[("> 90", "95", "failure"), ("> 90", "90.0\n", "success"), ("> 90", "many", "unknown")],
        *[("> 90", "", "unknown"), ('== "red"', "red", "failure"), ("== red", "blue", "success")],
        *[("== 5", "5.0", "failure"), ("!= 5", "5", "success"), ("!= 5", "x", "failure")],
        *[("== true", "true", "failure"), ('== "5"', "5", "failure")],
        ("== true", "[" * 40_000, "success"),
    ],
)
def test_a_value_is_compared_in_the_type_of_the_comparison(when, output, expected):
    assert evaluate(0, output.encode(), check="value", when=when).outcome == expected


def test_a_value_of_a_command_that_failed_is_unknown():
    result = evaluate(1, b"95", b"cannot connect", check="value", when="> 90")
    assert (result.outcome, result.reason, result.line) == ("unknown", "status 1", "cannot connect")


def test_the_output_is_what_a_terminal_shows():
    result = evaluate(1, b"\n\x1b[31m10%\r50%\rfailed\x1b[0m\r\n\xff\0\n")
    assert (result.line, result.details) == ("failed", "\ufffd")


def test_of_a_long_output_the_first_and_the_last_lines_are_shown():
    result = evaluate(1, b"".join(b"line %d\n" % number for number in range(100)))
    assert result.line == "line 0"
    assert result.details.splitlines() == ["…", *(f"line {number}" for number in range(92, 100))]


def test_a_change_names_what_is_gone_and_what_is_new():
    assert describe_change("1.2", "1.3") == "1.2 → 1.3"
    assert describe_change("", "x") == "nothing → x"
    assert describe_change("a\nb\nc", "a\nd\nc") == "b → d"
    assert describe_change("a\nb\nc", "a\nd\ne\nc") == "- b\n+ d\n+ e"
    assert describe_change("a\nb", "b\na") == "the order or the number of equal lines"
    assert describe_change("a", "a") == "the output after its first 2000 characters"
    many = describe_change("", "".join(f"{number}\n" for number in range(100)))
    assert many.splitlines()[-2:] == ["+ 7", "and 92 more"]


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Pushes:
    """The title and body for each result of a check that its state changes."""

    def __init__(self, name, **keys):
        self.config = config(**keys)
        self.trigger = Trigger(name, self.config, ShapingConfig())
        self.probe = Probe(name, self.config, self.trigger.shaping)
        self.summaries, self.wall = [], 1_767_603_600.0

    def result(self, status, out=b"", **keys):
        """Render what a result would send, unless nothing has changed; a minute passes."""
        self.wall += 60
        result = CommandResult(status, out, **keys)
        events = self.probe.events(self.probe.check.evaluate(result), self.wall)
        if not events:
            return None
        self.summaries += map(summarize_one, events)
        return self.trigger.render(self.summaries[-1])


def test_pushes_of_a_nagios_plugin():
    disk = Pushes("disk", check="nagios")
    disk.result(0, b"DISK OK")
    assert disk.result(2, DISK) == (
        "disk: DISK CRITICAL - /var 97% full",
        "/var: 5800 MB of 5970 (warning 4776, critical 5373)",
    )
    assert disk.result(2, DISK) is None
    title, body = disk.result(0, b"DISK OK - free space: / 5 GB | /=5MB\n")
    assert title == "disk recovered after 2m: DISK OK - free space: / 5 GB"
    assert body == "/: 5 MB"


def test_pushes_of_an_exit_status():
    backup = Pushes("backup")
    backup.result(0, b"ok")
    assert backup.result(1, b"disk not mounted\ngiving up\n") == (
        "backup failed: status 1",
        "disk not mounted\ngiving up",
    )
    assert backup.result(0, b"ok\n") == ("backup recovered after 1m", "ok")
    came_and_went = merge_summaries(*backup.summaries[1:])
    assert backup.trigger.render(came_and_went) == (
        "backup failed and recovered",
        "disk not mounted\nok\nFrom 09:02:00 to 09:03:00",
    )
    assert backup.result(1)[0] == "backup failed: status 1"


def test_pushes_of_an_unknown_result_and_of_a_rise():
    check = Pushes("check")
    check.result(0)
    title, body = check.result(None, error="cannot start /x: Permission denied")
    assert title == "check unknown: cannot start /x: Permission denied"
    assert body.startswith("At ")
    assert check.result(2, b"broken")[0] == "check failed: status 2"
    assert check.result(None) is None
    assert check.result(0)[0] == "check recovered after 3m"
    assert check.result(None)[0] == "check unknown: timed out after 30s"


def test_pushes_of_a_value_and_of_a_change():
    queue = Pushes("queue", check="value", when="> 90")
    queue.result(0, b"1")
    assert queue.result(0, b"95\n")[0] == "queue: 95 (> 90)"
    assert queue.result(0, b"7\n")[0] == "queue recovered after 1m: 7 (no longer > 90)"
    address = Pushes("address", check="changed")
    address.result(0, b"192.0.2.1\n")
    assert address.result(0, b"192.0.2.2\n") == ("address: changed", "192.0.2.1 → 192.0.2.2")
    assert address.result(0, b"192.0.2.2\n") is None


def test_how_long_a_failure_lasted_is_left_out_where_its_beginning_is_unknown():
    backup = Pushes("backup")  # it may have failed for days before this start
    backup.result(1)
    assert backup.result(0)[0] == "backup recovered"


def test_a_reminder_says_since_when():
    event = Event("t", 0.0, "no route", facts={"reason": "status 1"}, alert_state=AlertState.FIRING)
    trigger = Trigger("t", config(), ShapingConfig())
    summary = summarize_one(event)
    report = ConditionReport.STILL_FIRING
    reminder = replace(summary, count=0, reminder=2, condition_report=report)
    title, body = trigger.render(reminder, 1.0)
    assert title == "t still failing: status 1"
    assert body.splitlines()[0] == "no route"
    assert body.endswith("reminder 2.")


def test_a_failure_has_priority_high_and_a_warning_has_not():
    assert config().failure_priority == "high"
    assert config(priority="low").failure_priority == "low"


def test_the_pushes_in_the_documentation_are_what_is_sent():
    page = section((ROOT / "docs/probes.md").read_text(), "## Commands")
    shown = set(re.findall(r"`([^`\n]+)`", page))
    triggers = tomllib.loads(blocks(page, "toml")[0])["triggers"]

    def pushes(name):
        return Pushes(name, **triggers[name])

    def titles(name, *results):
        made = pushes(name)
        return [push[0] for result in results if (push := made.result(*result))]

    good, bad = (0, b""), (1, b"no backup today")
    backup = pushes("backup")
    backup.result(*good)
    assert backup.result(*bad) == ("backup failed: status 1", "no backup today")
    backup.wall += 2 * 3600 - 60
    assert backup.result(*good)[0] == "backup recovered after 2h"
    came_and_went = merge_summaries(*backup.summaries[1:])
    assert backup.trigger.render(came_and_went)[0] == "backup failed and recovered"
    output = b"DISK CRITICAL - free space: / 2 GiB (3%);| /=97%;80;95"
    made = [
        *titles("disk", (2, output)),
        *titles("disk", (None,)),
        *titles("queue", (0, b"107")),
        *titles("release", (0, b"a"), (0, b"b"))[1:],
    ]
    assert {"backup failed: status 1", "backup recovered after 2h"} <= shown
    assert {"backup failed and recovered", "no backup today", *made} <= shown
    assert len(made) == 4
