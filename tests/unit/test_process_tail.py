import os
import threading

import pytest

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.sources.processes import events
from notifyd.sources.processes.registry import ProcessRegistry
from notifyd.sources.processes.selector import ProcessSelector
from notifyd.sources.processes.tail import read_tail
from notifyd.sources.processes.watched import ExitInfo, WatchedProcess


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        (b"one\ntwo\nthree\n", 2, "two\nthree"),
        (b"one\ntwo", 5, "one\ntwo"),
        (b"one\n\n  \ntwo  \n\n", 2, "one\ntwo"),
        (
            b"epoch 1\n 1%\r 50%\r100% done\n\x1b[31mError: \x1b[0mno memory\r\n",
            2,
            "100% done\nError: no memory",
        ),
        (b"\xff\n", 1, "\N{REPLACEMENT CHARACTER}"),
        (b"x" * 1000, 1, "x" * 350 + "…"),
        (b"one\n", 0, ""),
        (b"", 5, ""),
    ],
)
def test_the_last_visible_lines_are_read(tmp_path, content, lines, expected):
    file = tmp_path / "log"
    file.write_bytes(content)
    assert read_tail(file, lines) == expected


def test_only_the_end_of_a_large_file_is_read(tmp_path):
    file = tmp_path / "log"
    with file.open("wb") as writer:
        writer.seek(1 << 40)  # sparse
        writer.write(b"cut " * 20_000 + b"\nlast\n")
    assert read_tail(file, 5) == "last"
    file.write_bytes(b"x" * 100_000 + b"\r" + b"60 %")
    assert read_tail(file, 5) == "60 %"


def test_what_is_no_readable_file_has_no_lines(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing"):
        assert read_tail(path, 5) == ""


async def test_a_file_that_hangs_holds_no_report_up(monkeypatch):
    released, reads = threading.Event(), []

    def hang(path, lines):
        reads.append(path)
        released.wait()
        return "last"

    monkeypatch.setattr(events, "read_tail", hang)  # no file hangs at will
    monkeypatch.setattr(events, "_TAIL_TIMEOUT", 0.05)
    trigger = ProcessTriggerConfig.model_validate({"name": "x", "tail": "/a/log"})
    selectors = {"t": ProcessSelector(trigger)}
    reporter = events.ProcessReporter(selectors, ProcessRegistry(selectors, {}), lambda: 5.0)
    watched = WatchedProcess(1, 1, "boot", "x", "x", "user", ("t",))
    try:
        for _ in range(2):
            [event] = await reporter.exit_events(["t"], watched, ExitInfo(0))
            assert "after" not in event.facts
        assert len(reads) == 1, "nor does it take a thread for each exit"
    finally:
        released.set()
