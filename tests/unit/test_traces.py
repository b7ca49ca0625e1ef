"""Records of traces, and the exceptions that a notification begins with."""

from pathlib import Path

import pytest
import regex

from notifyd.config.record_starts import RECORD_STARTS
from notifyd.config.triggers import LogTriggerConfig
from notifyd.text.traces import exceptions_of

CHAINED = (Path(__file__).parent.parent / "cases" / "chained.log").read_text()
JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: cannot start
\tat com.example.App.start(App.java:21)
\tat com.example.App.main(App.java:9)
Caused by: java.io.IOException: disk full
\tat com.example.Store.open(Store.java:77)
\t... 1 more
"""
GO = """\
panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.handle(0x1, {0xc000012, 0x3})
\t/app/main.go:12 +0x1d
created by main.main
\t/app/main.go:5 +0x20
exit status 2
"""
PYTHON_GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "t.py", line 1, in <module>
  | ExceptionGroup: two (2 sub-exceptions)
"""


@pytest.mark.parametrize(
    ("text", "exceptions"),
    [
        (CHAINED, ["RuntimeError: cannot load user-17", "KeyError: 'user-17'"]),
        (
            JAVA,
            [
                "java.lang.IllegalStateException: cannot start",
                "java.io.IOException: disk full",
            ],
        ),
        (GO, ["panic: runtime error: index out of range [3] with length 3"]),
        (
            (
                "ERROR:root:failed\nTraceback (most recent call last):\n"
                '  File "a.py", line 3, in f\n    g(\n    ^^\n  File "b.py", line 4, in g\n'
                "    raise torch.cuda.OutOfMemoryError\n"
                "torch.cuda.OutOfMemoryError: CUDA out of memory.\nINFO next"
            ),
            ["torch.cuda.OutOfMemoryError: CUDA out of memory."],
        ),
        ('Traceback (most recent call last):\n  File "a.py", line 3\nKeyboardInterrupt\n', None),
        ("ERROR one\n  at x\nValueError: no", []),
        ("Traceback (most recent call last):", []),
    ],
)
def test_the_exceptions_of_a_trace_come_newest_first(text, exceptions):
    assert exceptions_of(text) == (["KeyboardInterrupt"] if exceptions is None else exceptions)


@pytest.mark.parametrize(
    ("preset", "log"),
    [
        ("python", "2026-11-29 INFO starts\n" + CHAINED + "INFO next\n"),
        ("python", "ERROR:root:failed\n" + PYTHON_GROUP + "WARNING:root:next\n"),
        ("java", "10:00 ERROR failed\n" + JAVA.removeprefix('Exception in thread "main" ') + "x\n"),
        ("go", GO + "2026/11/29 10:00:00 next\n"),
        ("timestamp", "2026-11-29T10:00:00 ERROR\nany text\n 10:00 more\n[2026-11-29 10:00] x\n"),
        ("timestamp", "Nov  9 10:00:00 host app: x\nmore\n10:00:01 x\n"),
        ("timestamp", "29/Nov/2026:10:00:00 x\nmore\nE1129 10:00:00.1 x\n"),
    ],
)
def test_a_named_record_start_joins_all_lines_of_a_trace(preset, log):
    first = regex.compile(RECORD_STARTS[preset])
    lines = log.splitlines()
    starts = [number for number, line in enumerate(lines) if first.search(line)]
    assert starts == [0, len(lines) - 1]


def test_multiline_accepts_the_names_and_patterns():
    keys = {"paths": ["/x"], "patterns": ["x"]}
    for given, pattern in [("go", RECORD_STARTS["go"]), (r"^\S", r"^\S")]:
        config = LogTriggerConfig.model_validate({"multiline": given, **keys})
        assert config.multiline == pattern


NODE_TRACE = """/app/server.js:12
    throw new Error("cannot start", { cause });
    ^

Error: cannot start
    at main (/app/server.js:12:11)
    at async node:internal/main/run_main_module:36:49 {
  [cause]: TypeError [ERR_INVALID_ARG_TYPE]: The "port" must be a number
      at Object.<anonymous> (/app/config.js:3:9)
}

Node.js v22.1.0"""


def test_the_errors_of_a_javascript_trace():
    assert exceptions_of(NODE_TRACE) == [
        "Error: cannot start",
        'TypeError [ERR_INVALID_ARG_TYPE]: The "port" must be a number',
    ]
    assert exceptions_of("Error: x\n    at /app/a.js:1:2") == ["Error: x"]


def test_many_empty_lines_are_looked_at_once():
    assert exceptions_of("\n" * 1_000_000) == []
