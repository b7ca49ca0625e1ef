"""Lines of JSON loggers: the message, the fields and the level."""

import json

import pytest

from notifyd.text.containers import MessageJoiner
from notifyd.text.json_lines import (
    errors_of,
    fields_of,
    frame_of,
    has_level,
    normalize_level,
    parse_object,
)

LOGGERS = {
    "pino": (
        {"level": 50, "time": 1, "pid": 7, "hostname": "h", "msg": "no route"},
        ("no route", "error"),
    ),
    "bunyan": (
        {"name": "api", "hostname": "h", "pid": 1, "level": 60, "msg": "no route", "v": 0},
        ("no route", "fatal"),
    ),
    "zap": (
        {"level": "error", "ts": 1.5, "caller": "a/b.go:3", "msg": "no route"},
        ("no route", "error"),
    ),
    "structlog": ({"event": "no route", "level": "error", "logger": "x"}, ("no route", "error")),
    "python-json-logger": (
        {"message": "no route", "levelname": "ERROR", "exc_info": None},
        ("no route", "ERROR"),
    ),
    "logrus": ({"level": "warning", "msg": "no route", "time": "t"}, ("no route", "warning")),
    "slog": ({"time": "t", "level": "ERROR", "msg": "no route"}, ("no route", "ERROR")),
    "winston": ({"level": "error", "message": "no route"}, ("no route", "error")),
    "ecs": (
        {"log.level": "error", "message": "no route", "event": {"dataset": "d"}},
        ("no route", "error"),
    ),
    "ecs-nested": ({"log": {"level": "error"}, "message": "no route"}, ("no route", "error")),
    "serilog": ({"@t": "t", "@m": "no route", "@l": "Error"}, ("no route", "Error")),
    "gelf": (
        {"version": "1.1", "host": "h", "short_message": "no route", "level": 3},
        ("no route", "error"),
    ),
    "stackdriver": ({"severity": "ERROR", "textPayload": "no route"}, ("no route", "ERROR")),
    "loguru": (
        {"text": "no route\n", "record": {"level": {"name": "ERROR", "no": 40}}},
        ("no route", "ERROR"),
    ),
    "docker": ({"log": "no route\n", "stream": "stderr"}, ("no route", None)),
}


def read(line):
    return MessageJoiner(("json",), {}, limit=100, raw=False).feed(line, 0)


@pytest.mark.parametrize("logger", LOGGERS)
def test_the_message_and_the_level_of_known_loggers(logger):
    entry, (message, level) = LOGGERS[logger]
    found = read(json.dumps(entry).encode())
    assert found.text.decode() == message
    assert fields_of(parse_object(found.entry)).get("level") == level


def test_keys_are_fields_and_nested_ones_are_joined_by_dots():
    line = b'{"a":{"b":{"c":1.50},"d":[1,"x"]},"t":true,"n":null,"e":{},"k.k":"v","u":"\\u00e9"}'
    assert fields_of(parse_object(line)) == {
        "a.b.c": "1.5",
        "a.d": '[1,"x"]',
        "t": "true",
        "n": "",
        "e": "{}",
        "k.k": "v",
        "u": "\u00e9",
    }


@pytest.mark.parametrize(
    "line",
    [
        b"plain ERROR",
        b"",
        b'{"msg": "cut',
        b'["msg"]',
        b'"msg"',
        b'web_1 | {"msg": "x"}',
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b'{"msg": "\xff"}',
    ],
)
def test_a_bad_line_is_plain_text(line):
    assert read(line)[1:] == (line, b"")


def test_a_line_without_a_known_message_is_seen_whole():
    line = b'{"status": 500, "msg": {"a": 1}}'
    assert read(line)[1:] == (line, line)


def test_messages_and_values_have_their_visible_text_on_one_line():
    line = rb'{"msg":"10%\r\u001b[31mERROR\u001b[0m\nnext\n","who":"\u001b[1mx\u001b[0m"}'
    found = read(line + b"\r")
    assert found.text == b"ERROR next"
    assert fields_of(parse_object(found.entry))["who"] == "x"


def test_fields_are_bounded():
    wide = {f"k{number}": "x" * 10_000 for number in range(1000)}
    fields = fields_of(wide)
    assert len(fields) == 100
    assert max(map(len, fields.values())) == 8_000
    deep = parse_object(b'{"a":' * 50 + b"1" + b"}" * 50)
    assert len(fields_of(deep)) == 1


@pytest.mark.parametrize(
    ("level", "wanted"),
    [("error", True), (50, True), ("ERR", True), ("info", False), (None, False)],
)
def test_levels_are_compared_by_their_meaning(level, wanted):
    levels = {normalize_level("ERROR")}
    assert has_level(json.dumps({"level": level, "msg": "x"}).encode(), levels) == wanted
    assert not has_level(b"", levels)


def test_the_exceptions_of_a_stack_trace_come_with_the_message():
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: bad'
    assert errors_of({"exc_info": trace}, "failed") == ["ValueError: bad"]
    assert frame_of({"exc_info": trace}) == "a.py:1 in f"
    assert errors_of(
        {"err.message": "bad", "err.stack": "Error: bad\n    at f (a.js:1:2)"}, ""
    ) == ["Error: bad"]
    assert errors_of({"error": "dial tcp: refused"}, "failed") == ["dial tcp: refused"]
    assert errors_of({"error": "refused"}, "failed: refused") == []
    assert errors_of({"error": ""}, "x") == []


def test_a_value_that_is_nested_too_deeply_is_empty():
    for depth in range(800, 1100):
        entry = parse_object(b'{"msg": "x", "a": ' + b"[" * depth + b"]" * depth + b"}")
        assert entry is None or fields_of(entry)["a"] in {"", "[" * depth + "]" * depth}


def test_fields_can_be_stored_and_their_names_are_bounded():
    entry = parse_object(b'{"\\ud800": "\\udfff", "' + b"k" * 10_000 + b'": 2}')
    assert entry is not None
    fields = fields_of(entry)
    assert fields.pop("\ufffd") == "\ufffd"
    assert list(map(len, fields)) == [500]
