"""How the command line reads its words, and how it writes what a person reads."""

import argparse
from contextlib import redirect_stderr
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.cli import exit_status, innermost, send
from notifyd.cli.status import described
from notifyd.cli.terminal import clock, lasting, shown, table
from notifyd.errors import (
    AnswerError,
    ConfigError,
    InUseError,
    NotifydError,
    StoreError,
    TokenError,
    UnreachableError,
)

values = ["high", "huge", "5s", "body", "", "a b", "-", "--", "-5"]
flags = ["-t", "-tHi", "-t=x", "--title", "--title=a=b", "-p", "-d", "-da=b", "--data=c=d"]
flags += ["--json", "--json=x", "--delay", "--wait=5s", "--wait=", "--nope", "-x"]
words = st.sampled_from(values + flags)


@given(st.lists(words, max_size=6))
def test_what_is_read_without_argparse_is_what_argparse_reads(line):
    plainly = send.read(line)
    parser = argparse.ArgumentParser(allow_abbrev=False)
    send.add_arguments(parser)
    try:
        with redirect_stderr(StringIO()):
            parsed = parser.parse_args(line)
    except SystemExit:
        return
    if plainly is not None:
        assert vars(plainly) == vars(parsed)


def test_a_bare_wait_leaves_the_body_alone():
    assert send.read(["--wait", "hello"]).words == ["hello"]
    assert send.read(["--wait", "hello"]).wait == "30s"
    assert send.read(["hello", "--wait"]).wait == "30s"


@pytest.mark.parametrize("line", [["-t"], ["-t", "-x"], ["-h"], ["--nope"], ["-p", "huge", "x"]])
def test_what_needs_a_word_of_explanation_is_left_to_argparse(line):
    assert send.read(line) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (59.9, "59s"), (60, "1m"), (93784, "1d 2h"), (86_401, "1d 1s")],
)
def test_durations_are_read_by_their_two_largest_units(seconds, text):
    assert lasting(seconds) == text


@given(st.text())
def test_what_is_shown_cannot_reach_the_terminal(text):
    assert all(c.isprintable() for c in shown(text))


def test_what_the_daemon_did_not_say_is_a_question_mark():
    assert lasting(None) == clock(None) == "?"
    assert clock("2026-01-01") == "2026-01-01"


def test_columns_line_up():
    assert table([["a", "bb", "c"], ["aaa", "b", ""]]) == "a    bb  c\naaa  b"


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


def test_a_status_says_what_is_wrong_and_how_to_mend_it():
    text = described(FULL)
    assert "1.2.3, running for 1d 2h" in text
    assert "refused, from /etc/notifyd/send-token" in text
    assert "3 waiting, 1 held back, the oldest for 1m 1s" in text
    assert "waiting for another 1m 1s" in text
    wrong = text.partition("What is wrong:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.strip(" -").partition(":")[0] for line in wrong] == [
        "the send token is refused",
        "delivery",
        "storing",
        "log",
        "file",
        "the last reload was refused, the old configuration goes on",
    ]
    row = text.splitlines()[-1].split()
    assert row == ["disk", "log", "7", "2", "0", "1", "paused"]


parts = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
states = st.dictionaries(st.sampled_from([*FULL]), parts | st.dictionaries(st.text(), parts))


@given(states)
def test_a_status_of_any_shape_is_shown(status):
    assert described(status).startswith("notifyd")


def test_a_status_without_a_fault_says_so():
    assert "All is well." in described({"token": {"state": "ok"}})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError(["a", "b"]), 78),
        (TokenError("no token"), 78),
        (StoreError("too new"), 78),
        (InUseError("process 5 listens"), 1),
        (UnreachableError("nobody"), 69),
        (NotifydError("else"), 1),
        *((AnswerError(code, {}), status) for code, status in ((401, 77), (409, 1), (422, 2))),
        *((AnswerError(code, {}), 75) for code in (408, 429, 503)),
    ],
)
def test_every_refusal_has_its_exit_status_also_out_of_a_task_group(error, status):
    grouped = ExceptionGroup("tasks", [ExceptionGroup("inner", [error])])
    assert innermost(grouped) is error
    assert exit_status(error) == status
