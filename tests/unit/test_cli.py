"""The command line: how arguments are parsed, and how output is formatted."""

import argparse
import re
from contextlib import redirect_stderr
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.cli import ping, send
from notifyd.cli.dispatch import innermost
from notifyd.cli.exit_status import UsageError, exit_status
from notifyd.cli.explain import format_trigger
from notifyd.cli.output import (
    display_width,
    format_elapsed,
    format_table,
    format_time,
    printable,
    quantity,
    truncate,
)
from notifyd.cli.status import format_status
from notifyd.model.errors import (
    ConfigError,
    DaemonAnswerError,
    DaemonUnreachableError,
    InUseError,
    NotifydError,
    StoreError,
    TokenError,
)
from notifyd.text.limits import RESERVED_KEYS

values = ["high", "huge", "5s", "body", "", "a b", "-", "--", "-5"]
flags = ["-t", "-tHi", "-t=x", "--title", "--title=a=b", "-p", "-d", "-da=b", "--data=c=d"]
flags += [
    "--rid",
    "--rid=a",
    "--json",
    "--json=x",
    "--delay",
    "--wait=5s",
    "--wait=",
    "--nope",
    "-x",
]
words = st.sampled_from(values + flags)


@pytest.mark.parametrize("command", [send, ping])
@given(line=st.lists(words, max_size=6))
def test_a_command_parses_a_line_as_argparse_does(command, line):
    args = command.read(line)
    parser = argparse.ArgumentParser(allow_abbrev=False)
    command.add_arguments(parser)
    try:
        with redirect_stderr(StringIO()):
            parsed = parser.parse_args(line)
    except SystemExit:
        return
    if args is not None:
        assert vars(args) == vars(parsed)


def test_a_bare_wait_does_not_take_the_body():
    assert send.read(["--wait", "hello"]).words == ["hello"]
    assert send.read(["--wait", "hello"]).wait == "30s"
    assert send.read(["hello", "--wait"]).wait == "30s"


@pytest.mark.parametrize(
    "line", [["--wait", "5s"], ["--wait", "1h30m", "-t", "w"], ["--wait", "5s", "to", "go"]]
)
def test_a_duration_after_a_bare_wait_is_refused(line):
    with pytest.raises(UsageError, match=f"--wait={line[1]}"):
        send.read(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["--wait", "--", "5s"], ["5s"]),
        (["--wait=9s", "5s"], ["5s"]),
        (["--wait", "5 s"], ["5 s"]),
        (["--wait", "--", "5s", "to", "go"], ["5s", "to", "go"]),
        (["5s", "--wait"], ["5s"]),
    ],
)
def test_a_duration_can_be_the_body_if_it_is_unambiguous(line, words):
    assert send.read(line).words == words


def test_send_knows_the_reserved_names():
    assert set(send._RESERVED_KEYS) == RESERVED_KEYS


@pytest.mark.parametrize("line", [["-t"], ["-t", "-x"], ["-h"], ["--nope"], ["-p", "huge", "x"]])
def test_an_invalid_line_is_left_to_argparse(line):
    assert send.read(line) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (59.9, "59s"), (60, "1m"), (93784, "1d 2h"), (86_401, "1d 1s")],
)
def test_elapsed_time_has_at_most_two_units(seconds, text):
    assert format_elapsed(seconds) == text


@given(st.text())
def test_no_control_character_reaches_the_terminal(text):
    assert all(c.isprintable() for c in printable(text))


def test_a_missing_value_is_a_question_mark():
    assert format_elapsed(None) == format_time(None) == "?"
    assert format_time("2026-01-01") == "2026-01-01"


def test_quantities_have_correct_plurals():
    assert [quantity(n, "match", "matches") for n in (0, 1, 2)] == [
        "0 matches",
        "1 match",
        "2 matches",
    ]
    assert quantity(2, "trigger") == "2 triggers"


def test_columns_are_aligned():
    assert format_table([["a", "bb", "c"], ["aaa", "b", ""]]) == "a    bb  c\naaa  b"


def test_columns_are_aligned_by_what_a_terminal_shows():
    combined = "e\u0301"
    table = format_table([["上海", "a"], [combined, "b"], ["abcd", "c"]])
    assert table == f"上海  a\n{combined}     b\nabcd  c"
    assert truncate("上海上海", 6) == "上海…"
    assert display_width(truncate("上海上海", 5)) == 5


def test_a_table_is_cut_for_the_terminal_where_its_text_is():
    rows = [["id-1", "a long text that nobody can read", "why it happened, in many words"]]
    assert format_table(rows, width=60) == f"id-1  {rows[0][1]}  why it happened, in…"
    assert format_table(rows, width=60, text=1) == f"id-1  a long text that nobo…  {rows[0][2]}"
    assert format_table(rows, width=40, text=None) == "id-1  a long text tha…  why it happened…"
    assert format_table(rows, width=4000) == "  ".join(rows[0])
    assert format_table([["x" * 20, "y" * 20]], width=10) == f"{'x' * 20}  yyyyyyy…"


FULL = {
    "version": "1.2.3",
    "uptime": 93_784.0,
    "api": {"url": "https://api.oblien.com"},
    "token": {"state": "refused", "source": "/etc/notifyd/send-token"},
    "delivery": {"state": "waiting", "error": "the API answered 503", "paused_for": 61.2},
    "outbox": {"waiting": 3, "held": 1, "oldest_age": 61, "store": "the disk is full"},
    "triggers": {
        "disk": {
            "type": "log",
            "matches": 7,
            "notifications": 2,
            "pending": 1,
            "reason": "paused",
        }
    },
    "sources": [
        {
            "name": "log",
            "watching": 2,
            "problems": ["/var/log/x: no permission"],
            "dead": False,
        },
        {"name": "file", "watching": 0, "problems": [], "dead": True},
    ],
    "reload": {"error": "config.toml: triggers.a: unknown key"},
}


def test_a_status_shows_problems_with_their_fixes():
    text = format_status(FULL)
    assert "1.2.3, up 1d 2h" in text
    assert "refused, from /etc/notifyd/send-token" in text
    assert "3 queued, 1 delayed, oldest 1m 1s" in text
    assert "waiting, next attempt in 1m 1s" in text
    wrong = text.partition("problems:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.strip(" -").partition(":")[0] for line in wrong] == [
        "the send token is refused",
        "delivery",
        "database",
        "log",
        "file",
        "the last reload failed, the old configuration is in use",
    ]
    row = text.splitlines()[-1].split()
    assert row == ["disk", "log", "7", "2", "0", "1", "0", "paused"]


def test_a_status_shows_the_first_mistakes_of_a_failed_reload():
    mistakes = "\n".join(f"config.toml: triggers.t{number}: unknown key" for number in range(5))
    text = format_status({"reload": {"error": mistakes}})
    assert text.endswith("t2: unknown key; and 2 more, which `notifyd check` lists")


@pytest.mark.parametrize("state", ["ok", "refused"])
def test_nothing_is_delivered_while_there_is_no_token(state):
    delivery = {"state": state, "paused_for": 898.0}
    text = format_status({"token": {"state": "missing"}, "delivery": delivery})
    assert "delivery  waiting for the send token" in text


def test_a_trigger_muted_with_everything_is_not_listed_again():
    muted = {"alike": {"muted_until": 60.0}, "longer": {"muted_until": 90.0}, "not": {}}
    lines = format_status({"muted": {"": 60.0, "longer": 90.0}, "triggers": muted}).splitlines()
    names = [line.partition(", until")[0].split() for line in lines if line.startswith("muted ")]
    assert names == [["muted", "all", "but", "urgent"], ["muted", "longer"]]


REFUSAL = "the send token was refused (401: revoked): give a new one in /etc/token"


@pytest.mark.parametrize(
    ("token", "error", "lines"),
    [
        ({"state": "refused", "problem": REFUSAL}, REFUSAL, [REFUSAL]),
        (
            {"state": "unusable", "problem": "there is no send token: set it"},
            "the API answered 503",
            ["there is no send token: set it", "delivery: the API answered 503"],
        ),
        (
            {"state": "refused", "problem": "the API forbids it (403)"},
            "the API forbids it (403)",
            ["the send token is refused: the API forbids it (403); set a valid one"],
        ),
        ({"state": "ok", "problem": ""}, "no route", ["delivery: no route"]),
    ],
)
def test_a_problem_with_the_token_is_listed_once(token, error, lines):
    text = format_status({"token": token, "delivery": {"error": error}})
    wrong = text.partition("problems:\n")[2].splitlines()
    assert len(wrong) == len(lines)
    for shown, line in zip(wrong, lines, strict=True):
        assert shown.startswith(f"  - {line}")


@pytest.mark.parametrize(
    ("state", "row"),
    [
        ("ok", "ok, from the file /t"),
        ("missing", "missing, expected in the file /t"),
        ("unusable", "unusable, expected in the file /t"),
    ],
)
def test_a_missing_token_comes_from_nowhere(state, row):
    text = format_status({"token": {"state": state, "source": "the file /t"}})
    assert row in text


def test_a_token_that_everybody_can_read_is_a_problem_and_usable():
    warning = "every user can read the send token in /t: chmod 600 /t"
    text = format_status({"token": {"state": "ok", "source": "the file /t", "problem": warning}})
    assert f"problems:\n  - {warning}" in text
    assert "ok, from the file /t" in text


def test_a_missing_device_is_a_problem_with_its_fix():
    text = format_status({"delivery": {"state": "ok", "warning": "no device is registered"}})
    assert "  - the last notification reached no device: no device is registered; install" in text
    assert "open the inbox page" in text


def test_what_a_relay_keeps_is_no_problem():
    text = format_status({"delivery": {"state": "ok", "note": "kept in the inbox; open it"}})
    assert "ok; the last notification was kept in the inbox; open it" in text
    assert "no problems" in text


def test_held_back_notifications_are_shown_with_the_time_of_their_digest():
    text = format_status(
        {
            "held_back": {"budget": 133, "storm": 2, "new": 1},
            "held_until": {"budget": 2460.0, "storm": 0.2},
        }
    )
    assert "133 held back by the budget; reported in one digest in 41m" in text
    assert "2 merged because too many were queued at once; reported in one digest soon" in text
    assert "1 held back (new); reported in one digest soon" in text
    assert "held back" not in format_status({"held_back": {}, "held_until": {}})


parts = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
names = [*FULL, "held_back", "held_until"]
states = st.dictionaries(st.sampled_from(names), parts | st.dictionaries(st.text(), parts))


@given(states)
def test_a_status_of_any_shape_is_formatted(status):
    assert format_status(status).startswith("notifyd")


def test_a_status_without_problems_says_so():
    assert "no problems" in format_status({"token": {"state": "ok"}})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError(["a", "b"]), 78),
        (TokenError("no token"), 78),
        (StoreError("too new"), 78),
        (InUseError("process 5 listens"), 1),
        (DaemonUnreachableError("nobody"), 69),
        (NotifydError("else"), 1),
        *(
            (DaemonAnswerError(code, {}), status)
            for code, status in ((401, 77), (409, 1), (422, 2))
        ),
        *((DaemonAnswerError(code, {}), 75) for code in (408, 429, 503)),
    ],
)
def test_every_error_has_its_exit_status_even_inside_a_task_group(error, status):
    grouped = ExceptionGroup("tasks", [ExceptionGroup("inner", [error])])
    assert innermost(grouped) is error
    assert exit_status(error) == status


HEARTBEATS = {
    "sync": {
        "heartbeat": {
            "state": "waiting",
            "last_ping": 1_700_000_000.0,
            "last_signal": "success",
            "last_runtime": 180.0,
            "deadline": 1_700_090_000.0,
        }
    },
    "new": {"heartbeat": {"state": "new", "last_ping": 0.0, "deadline": 1_700_090_000.0}},
    "backup": {
        "heartbeat": {
            "state": "down",
            "last_ping": 1_700_000_000.0,
            "last_signal": "fail",
            "last_runtime": None,
            "deadline": 0.0,
        }
    },
    "app": {},
}


def test_status_lists_heartbeats_those_that_are_down_first():
    lines = format_status({"triggers": HEARTBEATS}).split("\n\n")[2].splitlines()
    pinged, deadline = format_time(1_700_000_000.0), format_time(1_700_090_000.0)
    assert [" | ".join(re.split("  +", line)) for line in lines] == [
        "HEARTBEAT | STATE | LAST PING | DEADLINE",
        f"backup | down | {pinged} (fail) | -",
        f"new | new | - | {deadline}",
        f"sync | waiting | {pinged} (success, ran 3m) | {deadline}",
    ]


def test_explain_shows_the_last_ping_and_the_next_deadline():
    trigger = {"trigger": "sync", "type": "heartbeat", **HEARTBEATS["sync"]}
    pinged, deadline = format_time(1_700_000_000.0), format_time(1_700_090_000.0)
    assert format_trigger(trigger).splitlines()[-2:] == [
        f"  now: last ping at {pinged} (success)",
        f"  now: reported at {deadline} unless a ping comes before",
    ]
    assert "now: no ping yet" in format_trigger({"heartbeat": HEARTBEATS["new"]["heartbeat"]})
