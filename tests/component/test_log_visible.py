"""Logs with colours and progress bars: triggers see the visible text of each line."""

import itertools
import json
import random
from pathlib import Path

import pytest

from notifyd.model.events import AlertState
from support.examples import THOROUGH
from support.logs import VirtualDaemon, append, reading_from_start, trigger

CASES = Path(__file__).parent.parent / "cases"
CUT = "… (cut)"


@pytest.mark.parametrize(
    ("case", "pattern", "lines"),
    [
        ("ansi-colours.log", "^ERROR", ["ERROR: Connection failed"]),
        ("ansi-colours.log", "(?P<level>ERROR|WARN): (?P<msg>.*)", ["ERROR: Connection failed"]),
        (
            "ansi-colours.log",
            "npm (ERR!|error) (?P<msg>.*)",
            ["npm error code E404", "npm error 404 Not Found"],
        ),
        ("progress-long.log", "Traceback", None),
        ("progress-short.log", "Traceback|Error:", None),
    ],
)
def test_the_cases_give_their_visible_lines(tmp_path, case, pattern, lines):
    daemon = VirtualDaemon({"t": reading_from_start(CASES / case, patterns=pattern)})
    found = daemon.lines()
    if lines is not None:
        assert found == lines
    else:
        assert len(found) == (1 if "long" in case else 2)
        assert all(line.isprintable() and len(line) < 200 for line in found)
    assert daemon.batch.cut_lines.get("t", 0) == 0


def test_fields_context_and_records_have_no_escape_sequences(tmp_path):
    log = tmp_path / "app.log"
    triggers = {
        "fields": trigger(log, patterns=r"^(?P<level>ERROR) (?P<msg>.*)$", before=1, after=1),
        "records": trigger(log, patterns="(?s)ERROR.*at x$", multiline="^[A-Z]"),
    }
    daemon = VirtualDaemon(triggers)
    append(log, "\x1b[2mINFO\x1b[0m before", "1%\r\x1b[31mERROR\x1b[0m one\r\r", "\x1b[31m at x")
    append(log, "\x1b[32mINFO\x1b[0m after")
    daemon.poll_all()
    daemon.pass_time(2.0)
    by_trigger = {event.trigger: event for event in daemon.events}
    event = by_trigger["fields"]
    assert (event.line, event.fields) == ("ERROR one", {"level": "ERROR", "msg": "one"})
    assert (event.facts["before"], event.facts["after"]) == ("INFO before", " at x")
    assert by_trigger["records"].line == "ERROR one\n at x"


def test_a_raw_trigger_sees_the_bytes_of_the_same_log(tmp_path):
    log = tmp_path / "app.log"
    triggers = {
        "raw": trigger(log, patterns=r"^\x1b\[31mERROR", raw=True),
        "visible": trigger(log, patterns="^ERROR"),
    }
    daemon = VirtualDaemon(triggers)
    append(log, "\x1b[31mERROR\x1b[0m", "ERROR", "x\r" * 700_000 + "ERROR end", "\x1b[31mERROR")
    daemon.poll_all()
    assert daemon.lines("raw") == ["\x1b[31mERROR\x1b[0m", "\x1b[31mERROR"]
    assert daemon.lines("visible") == ["ERROR", "ERROR", "ERROR end", "ERROR"]


def test_raw_and_visible_triggers_share_a_chunk_with_many_hits(tmp_path):
    log = tmp_path / "app.log"
    triggers = {
        "raw": trigger(log, patterns="x", raw=True),
        "visible": trigger(log, patterns="^x", before=1),
    }
    daemon = VirtualDaemon(triggers)
    append(log, *(f"\x1b[31mx\x1b[0m {number}" for number in range(2_000)))
    daemon.poll_all()
    assert daemon.lines("visible") == [f"x {number}" for number in range(2_000)]
    assert len(daemon.lines("raw")) == 2_000
    assert daemon.polls < 20


def test_lines_longer_than_max_line_are_counted_and_keep_their_beginning(tmp_path):
    log = tmp_path / "app.log"
    triggers = {
        "t": trigger(log, patterns="^x", max_line="100B"),
        "wide": trigger(log, patterns="^none"),
    }
    daemon = VirtualDaemon(triggers)
    append(log, "x" * 100, "\x1b[31m" * 50 + "x" * 100, "y" * 101 + "\r" + "x" * 100 + "\r")
    append(log, "x" * 101, "y" * 200)
    daemon.poll_all()
    assert daemon.lines() == ["x" * 100] * 3 + ["x" * 100 + CUT]
    assert daemon.batch.cut_lines == {"t": 2}


def test_a_bar_longer_than_a_block_shows_its_last_text_once_it_ends(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="(?P<step>[0-9]+) of 9|after")})
    bar = "".join(f"\x1b[32m{number} of 999999\x1b[0m\r" for number in range(150_000))
    append(log, bar.encode())
    daemon.poll_all()
    daemon.restart()
    assert daemon.lines() == []
    append(log, b"done: 7 of 9\r\r\nafter\n")
    daemon.poll_all()
    assert daemon.lines() == ["done: 7 of 9", "after"]
    assert len("".join(daemon.checkpoints.values())) < 2_000


def test_an_unfinished_bar_counts_once_whether_it_is_flushed_or_ends(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="50%", flush_partial="1s", before=1)})
    append(log, b"first\n" + b"10%\r" * 300_000 + b"\x1b[32m50%\x1b[0m")
    daemon.poll_all()
    daemon.pass_time(2.0)
    assert daemon.lines() == ["50%"]
    assert daemon.events[0].facts["before"] == "first"
    append(log, b"\r51%" * 300_000 + b"\r50%\nnext\n")
    daemon.poll_all()
    daemon.pass_time(2.0)
    assert daemon.lines() == ["50%"]


def test_the_growth_of_an_unfinished_bar_ends_silence(tmp_path):
    log = tmp_path / "app.log"
    append(log, b"start\n")
    daemon = VirtualDaemon({"t": trigger(log, patterns="none", stale="10s")})
    for number in range(20):
        append(log, f"\r{number}%".encode())
        daemon.pass_time(5.0)
    daemon.pass_time(11.0)
    append(log, b"\r99%")
    daemon.pass_time(1.0)
    # The first is for a silence that an earlier run may have reported.
    resolved, firing = AlertState.RESOLVED, AlertState.FIRING
    assert [event.alert_state for event in daemon.events] == [resolved, firing, resolved]


def test_the_bytes_of_an_unfinished_line_are_known_until_it_ends(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log)})
    append(log, b"first\n" + b"x" * (2 << 20))
    daemon.poll_all()
    assert daemon.batch.unfinished_bytes == {"t": 2 << 20}
    append(log, b"\n123")
    daemon.poll_all()
    assert daemon.batch.unfinished_bytes == {"t": 3}
    append(log, b"\n")
    daemon.poll_all()
    assert daemon.batch.unfinished_bytes == {}


WORDS = [
    *(b"\r", b"\n", b"\n", b"\r\n", b"\x1b[31m", b"\x1b[0m", b"\x1b[", b"\x1b]0;t\x07", b"\x1b]"),
    *(b"\x1b", b"ERROR ", b"at x", b"ok", b"1%", b"50%\r", b" ", b"z" * 90),
    *(b"\x1b[1G", b"1G"),
]


@pytest.mark.parametrize("seed", range(12 if THOROUGH else 6))
def test_any_division_into_writes_and_any_restart_gives_the_same_events(tmp_path, seed):
    rng = random.Random(seed)
    pieces = rng.choices(WORDS, k=rng.randrange(20, 120))
    triggers = {
        "line": {"patterns": "ERROR|50%", "before": 1, "after": 1, "max_line": "80B"},
        "record": {"patterns": "(?s)ERROR.*at", "multiline": "^ERROR"},
        "plain": {"patterns": "^ERROR|x$"},
        "raw": {"patterns": r"\x1b|\r.", "raw": True},
    }

    def run(name, division):
        log = tmp_path / name
        log.touch()
        daemon = VirtualDaemon({each: trigger(log, **keys) for each, keys in triggers.items()})
        for written in division:
            append(log, written)
            is_killed = rng.random() < 0.3
            daemon.poll_all(commit=not is_killed)
            if is_killed:
                daemon.restart()
        daemon.restart()
        append(log, b"\n")
        daemon.poll_all()
        daemon.pass_time(3.0)
        return [
            [
                (event.line, event.fields, event.facts)
                for event in daemon.events
                if event.trigger == each
            ]
            for each in triggers
        ]

    whole = run("whole.log", [b"".join(pieces)])
    assert run("pieces.log", pieces) == whole


def test_a_trace_is_one_event_with_its_exceptions_however_long_it_is(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="Traceback", multiline="python")})
    frames = ['  File "a.py", line 1, in f'] * 200
    append(log, "INFO step 1", "Traceback (most recent call last):", *frames, "KeyError: 'a'")
    append(log, "", "During handling of the above exception, another exception occurred:", "")
    append(log, "Traceback (most recent call last):", *frames, "RuntimeError: b", "INFO next")
    daemon.poll_all()
    assert [event.facts["trace"] for event in daemon.events] == ["RuntimeError: b\nKeyError: 'a'"]


def cri(text, tag="F", stream="stdout"):
    return f"2026-11-29T18:00:00.1Z {stream} {tag} {text}".encode()


def docker(text, stream="stdout"):
    return json.dumps({"log": text, "stream": stream, "time": "2026-11-29T18:00:00Z"}).encode()


def test_a_message_that_the_runtime_split_is_matched_whole():
    triggers = {
        "cri": reading_from_start(
            CASES / "cri-partial.log", patterns="^ERROR part one x+end-of-message$", format="cri"
        ),
        "text": reading_from_start(CASES / "cri-partial.log", patterns="^2026.*end-of-message$"),
    }
    daemon = VirtualDaemon(triggers)
    assert len(daemon.lines("cri")) == len(daemon.lines("text")) == 1


def test_records_and_context_are_those_of_the_unwrapped_messages(tmp_path):
    log = tmp_path / "app.log"
    keys = {"patterns": "(?s)ERROR.*at x$", "format": "docker"}
    daemon = VirtualDaemon(
        {
            "record": trigger(log, multiline=r"^\S", **keys),
            "context": trigger(log, **keys | {"patterns": "ERROR"}, before=1, after=1),
        }
    )
    append(log, *(docker(text) + b"\n" for text in ("INFO\n", "ERR", "OR\n", " at x\n", "INFO\n")))
    daemon.poll_all()
    daemon.pass_time(2.0)
    assert daemon.lines("record") == ["ERROR\n at x"]
    (event,) = [event for event in daemon.events if event.trigger == "context"]
    assert (event.facts["before"], event.facts["after"]) == ("INFO", " at x")


def test_messages_with_many_hits_are_scanned_in_parts(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="x", format="cri")})
    lines = (cri(f"x {n}", "P") + b"\n" + cri("!") + b"\n" for n in range(2_000))
    append(log, *lines)
    daemon.poll_all()
    assert daemon.lines() == [f"x {number}!" for number in range(2_000)]


@pytest.mark.parametrize("name", ["cri", "docker", "json"])
@pytest.mark.parametrize("seed", range(4))
def test_any_division_of_a_containers_log_gives_the_same_events(tmp_path, name, seed):
    rng = random.Random(seed)
    streams = ("stdout", "stderr")
    lines = [b"ERROR plain"]
    for _ in range(60):
        text, stream = rng.choice(("ERROR ", "at x", "1%\r", "\x1b[31m", "")), rng.choice(streams)
        is_partial = rng.random() < 0.5
        if name == "json":
            lines.append(json.dumps({"msg": f"{text}\n", "n": {"s": stream}}).encode())
        elif name == "cri":
            lines.append(cri(text, "P" if is_partial else "F", stream))
        else:
            lines.append(docker(text + "\n" * (not is_partial), stream))
    lines += [cri("", "F", each) if name == "cri" else docker("\n", each) for each in streams]
    data = b"\n".join(lines) + b"\nERROR end\n"

    def run(file_name, division):
        log = tmp_path / file_name
        log.touch()
        triggers = {
            "line": trigger(log, patterns="ERROR|^$", before=1, format=name),
            "record": trigger(log, patterns="at", multiline="^ERROR", format=name),
            "raw": trigger(log, patterns="\\r|\x1b", format=name, raw=True),
            "text": trigger(log, patterns="ERROR"),
        }
        daemon = VirtualDaemon(triggers)
        for written in division:
            append(log, written)
            is_killed = rng.random() < 0.3
            daemon.poll_all(commit=not is_killed)
            if is_killed:
                daemon.restart()
        daemon.pass_time(3.0)
        return [
            [
                (event.line, event.fields, event.facts)
                for event in daemon.events
                if event.trigger == each
            ]
            for each in triggers
        ]

    whole = run("whole.log", [data])
    cuts = [0, *sorted(rng.sample(range(1, len(data)), 30)), len(data)]
    division = [data[start:end] for start, end in itertools.pairwise(cuts)]
    assert all(whole)
    assert run("pieces.log", division) == whole


def test_the_keys_of_json_lines_are_fields_and_patterns_see_the_message(tmp_path):
    log = tmp_path / "app.log"
    keys = {"format": "json"}
    daemon = VirtualDaemon(
        {
            "fields": trigger(log, patterns=r"^(?P<what>\w+) failed(?P<level>!)?$", **keys),
            "context": trigger(log, patterns="failed", before=1, after=1, **keys),
            "levels": trigger(log, patterns=".", levels=["error"], **keys),
            "text": trigger(log, patterns='^{"level"'),
        }
    )
    lines = (
        '{"level":30,"msg":"started"}',
        '{"level":50,"msg":"upload failed","http":{"status":500},"err":{"message":"timeout"}}',
        "plain failed",
        '{"level":50,"msg":"cut',
    )
    append(log, *lines)
    daemon.poll_all()
    daemon.pass_time(2.0)
    by_trigger = {
        name: [event for event in daemon.events if event.trigger == name]
        for name in daemon.triggers
    }
    first, second = by_trigger["fields"]
    keys = {"level": "error", "msg": "upload failed", "http.status": "500"}
    assert first.fields == keys | {"err.message": "timeout", "what": "upload"}
    assert first.facts["trace"] == "upload failed\ntimeout"
    assert (second.line, second.fields) == ("plain failed", {"what": "plain", "level": ""})
    assert by_trigger["levels"][0].line == "upload failed"
    assert len(by_trigger["levels"]) == 1
    context = by_trigger["context"][0]
    assert context.fields["http.status"] == "500"
    assert (context.facts["before"], context.facts["after"]) == ("started", "plain failed")
    assert len(by_trigger["text"]) == 3


def test_json_lines_with_many_hits_are_scanned_in_parts(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="x", format="json")})
    append(log, *(f'{{"msg":"x {number}","n":{number}}}' for number in range(2_000)))
    daemon.poll_all()
    found = [(event.line, event.fields["n"]) for event in daemon.events]
    assert found == [(f"x {number}", str(number)) for number in range(2_000)]
