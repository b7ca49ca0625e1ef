"""`notifyd match` for a trigger with `journal`: over a file, what is piped in, or the journal."""

import json
import os

import pytest

from support import forked
from support.journal import Journal

CONFIG = r"""
[triggers.errors]
type = "log"
journal = "app"
patterns = '(?s)^(?P<level>ERROR) (?P<what>.*)'
title = "{{ count }} x {{ unit }}"
[triggers.records]
type = "log"
journal = "app"
patterns = 'at \w+$'
multiline = '^\S'
before = 1
"""


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "bin")


@pytest.fixture
def match(tmp_path, journal):
    (tmp_path / "config.toml").write_text(CONFIG)

    def run(*args, given=None):
        environ = {
            "PATH": f"{journal.command.parent}:{os.environ['PATH']}",
            "NOTIFYD_CONFIG": str(tmp_path / "config.toml"),
        }
        return forked.run(["match", *args], environ=environ, stdin=given, text=True)

    return run


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_without_a_file_the_journal_is_read_to_its_end(match, journal):
    journal.write("fine", "ERROR one\nmore", "ERROR two")
    journal.write("ERROR of another", unit="other.service")
    done = match("errors")
    first, second, last = objects(done)
    assert first.pop("time")[:4].isdigit()
    assert first == {
        "unit": "app.service",
        "line": "ERROR one\nmore",
        "pattern": r"(?s)^(?P<level>ERROR) (?P<what>.*)",
        "fields": {"level": "ERROR", "what": "one\nmore"},
    }
    assert second["line"] == "ERROR two"
    assert (last["notification"]["title"], done.returncode) == ("2 x app.service", 0)
    assert match("errors", "--count").stdout == "2\n"


def test_entries_that_journald_dropped_are_reported(match, journal):
    journal.write("ERROR one")
    journal.suppress(12)
    done = match("errors")
    assert len(objects(done)) == 2
    assert done.stderr.startswith("errors: journald's rate limit dropped 12 entries, the last ")


def test_pending_records_count_at_the_end(match, journal):
    journal.write("one", "two", " at x", "three", " at y")
    found = objects(match("records"))
    assert [entry.get("line") for entry in found] == ["two\n at x", "three\n at y", None]


def test_a_file_and_piped_input_are_read_line_by_line(match, journal, tmp_path):
    journal.write("ERROR in the journal")
    (tmp_path / "app.log").write_text("ERROR in a file\n")
    lines = [
        objects(match("errors", str(tmp_path / "app.log")))[0],
        objects(match("errors", given=b"x\nERROR piped in\n"))[0],
        objects(match("errors", "-", given=b"ERROR asked for\n"))[0],
    ]
    assert [(found["number"], found["line"]) for found in lines] == [
        (1, "ERROR in a file"),
        (2, "ERROR piped in"),
        (1, "ERROR asked for"),
    ]


def test_an_unreadable_journal_is_2_with_one_sentence(match, journal):
    journal.fault.write_text("something is wrong")
    done = match("errors")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
