"""Numbered lines come exactly once, whatever is done to the file: real files, no waiting."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from notifyd.sources.log.siblings import originals
from notifyd.sources.log.watch import Hints
from support.logs import Daemon, append, reading_from_start, trigger


class Rotations(RuleBasedStateMachine):
    """A writer, a rotator, and a daemon that is killed now and then."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.log = self.folder / "app.log"
        self.daemon = Daemon({"t": reading_from_start(self.log, patterns=r"^line (?P<n>\d+)")})
        self.number = 0
        self.written = []
        self.partial = b""
        self.writer = self.log.open("ab", buffering=0)
        self.late = None
        self.daemon.turn()

    def teardown(self):
        if hasattr(self, "daemon"):
            self.finish_the_line()
            self.daemon.turn()
            self.daemon.kill()
            for file in (self.writer, self.late):
                if file is not None:
                    file.close()
            shutil.rmtree(self.folder)
            assert sorted(self.daemon.lines()) == sorted(self.written)

    def line(self, width):
        self.number += 1
        text = f"line {self.number} " + "é" * width
        self.written.append(text)
        return text.encode()

    @rule(count=st.integers(1, 5), width=st.integers(0, 40), end=st.sampled_from([b"\n", b"\r\n"]))
    def write(self, count, width, end):
        self.writer.write(self.partial + b"".join(self.line(width) + end for _ in range(count)))
        self.partial = b""

    @precondition(lambda self: not self.partial)
    @rule(width=st.integers(0, 40), cut=st.integers(1, 80))
    def write_a_part(self, width, cut):
        whole = self.line(width) + b"\n"
        cut = min(cut, len(whole) - 1)
        self.writer.write(whole[:cut])
        self.partial = whole[cut:]

    @rule()
    def finish_the_line(self):
        self.writer.write(self.partial)
        self.partial = b""

    @rule()
    def look(self):
        self.daemon.turn()

    @rule()
    def hear_of_writing(self):
        self.daemon.turn(Hints(written={str(self.log)}))

    @rule(seconds=st.sampled_from([0.5, 2.0, 70.0]))
    def wait(self, seconds):
        self.daemon.pass_time(seconds)

    @rule()
    def restart(self):
        self.daemon.restart()

    @rule()
    def lose_a_turn_and_restart(self):
        self.daemon.turn(commit=False)
        self.daemon.restart()

    @rule(down=st.booleans(), announced=st.booleans(), times=st.integers(1, 3))
    def rename(self, down, announced, times):
        if down:
            self.daemon.kill()
        for _ in range(times):
            for number in range(150, 0, -1):
                old = self.folder / f"app.log.{number}"
                if old.exists():
                    old.rename(self.folder / f"app.log.{number + 1}")
            self.log.rename(self.folder / "app.log.1")
            if self.late is not None:
                self.late.close()
            self.late, self.writer = self.writer, self.log.open("ab", buffering=0)
            if self.partial:
                self.late.write(self.partial)
                self.partial = b""
            self.writer.write(self.line(1) + b"\n")
        if down:
            self.daemon.start()
        elif announced:
            self.daemon.turn(Hints(changed={str(self.log), str(self.folder / "app.log.1")}))

    @precondition(lambda self: self.late is not None)
    @rule()
    def write_late(self):
        self.late.write(self.line(3) + b"\n")
        self.daemon.turn(Hints(written={str(self.folder / "app.log.1")}))

    @precondition(lambda self: not self.partial)
    @rule(again=st.integers(0, 30), before=st.booleans())
    def truncate(self, again, before):
        self.daemon.turn()
        os.truncate(self.log, 0)
        if before:
            self.daemon.turn()
        self.writer.write(b"".join(self.line(5) + b"\n" for _ in range(again)))

    @precondition(lambda self: not self.partial)
    @rule(down=st.booleans(), missed=st.integers(0, 3), more=st.integers(0, 3))
    def copy_and_truncate(self, down, missed, more):
        self.writer.write(self.line(20) + b"\n")
        self.daemon.turn()
        if down:
            self.daemon.kill()
        self.writer.write(b"".join(self.line(20) + b"\n" for _ in range(missed)))
        shutil.copyfile(self.log, self.folder / f"app.log-{self.number}")
        os.truncate(self.log, 0)
        self.writer.write(b"".join(self.line(20) + b"\n" for _ in range(more)))
        if down:
            self.daemon.start()

    @precondition(lambda self: not self.partial)
    @rule()
    def delete_and_create(self):
        self.daemon.turn()
        self.writer.write(self.line(1) + b"\n")
        self.log.unlink()
        self.writer.close()
        self.writer = self.log.open("ab", buffering=0)
        self.daemon.turn()

    @invariant()
    def nothing_comes_twice(self):
        if hasattr(self, "daemon"):
            lines = self.daemon.lines()
            assert len(lines) == len(set(lines))
            assert set(lines) <= set(self.written)


Rotations.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_numbered_lines_come_exactly_once = Rotations.TestCase


def test_generations_that_came_and_went_while_down_are_read_in_order(tmp_path):
    log = tmp_path / "app.log"
    daemon = Daemon({"t": reading_from_start(log)})
    append(log, "one")
    daemon.turn()
    daemon.kill()
    append(log, "two")
    for number, line in enumerate(["three", "four", "five"]):
        log.rename(tmp_path / f"app-2024010{number}.log")
        append(log, line)
        os.utime(log, ns=(0, log.stat().st_mtime_ns + (number + 1) * 10**9))
    daemon.start()
    assert daemon.lines() == ["one", "two", "three", "four", "five"]
    assert {event.path for event in daemon.events} == {str(log)}


def test_what_was_not_read_before_a_copy_and_truncate_is_read_from_the_copy(tmp_path):
    log = tmp_path / "app.log"
    daemon = Daemon({"t": reading_from_start(log)})
    append(log, "one")
    daemon.turn()
    daemon.kill()
    append(log, "two")
    shutil.copyfile(log, tmp_path / "app.log.1")
    os.truncate(log, 0)
    append(log, "three, which is longer than all before")
    daemon.start()
    daemon.restart()
    assert daemon.lines() == ["one", "two", "three, which is longer than all before"]


def test_rotated_files_from_before_the_first_look_are_not_read(tmp_path):
    log, old = tmp_path / "app.log", tmp_path / "app.log.1"
    append(old, "long ago")
    append(log, "before")
    daemon = Daemon({"t": trigger(log)})
    append(old, "written late")
    old.rename(tmp_path / "app.log.2")
    log.rename(old)
    append(log, "new")
    daemon.turn()
    daemon.restart()
    assert sorted(daemon.lines()) == ["new", "written late"]


def test_a_copy_that_somebody_makes_is_not_read(tmp_path):
    log = tmp_path / "app.log"
    daemon = Daemon({"t": trigger(log)})
    append(log, *(f"line {number}" for number in range(100)))
    daemon.turn()
    shutil.copyfile(log, tmp_path / "app.log.20240101")
    append(log, "more")
    daemon.turn()
    log.rename(tmp_path / "app.log.1")
    append(log, "new")
    daemon.turn()
    assert daemon.lines()[100:] == ["more", "new"]


@pytest.mark.parametrize(
    ("name", "rotated"),
    [
        ("app.log.1", True),
        ("app.log-20240131", True),
        ("app.log.2024-01-31T10:00:00", True),
        ("app-20240131.log", True),
        ("app.1.log", True),
        ("app.log.old", True),
        ("app.log.1.gz", False),
        ("app.log.err", False),
        ("app2.log", False),
        ("app-debug.log", False),
        ("app.log", False),
    ],
)
def test_rotated_names_are_told_from_others(name, rotated):
    assert ("app.log" in originals(name)) is rotated
