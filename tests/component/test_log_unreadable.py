"""Unreadable directories and files are reported, each as long as it is unreadable."""

import os
from contextlib import contextmanager

import pytest

from notifyd.sources.logs.discovery.inotify import FsHints
from support.logs import VirtualDaemon, append, reading_from_start, running, trigger, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs to be another user for a while")
SOMEBODY = 12345


@contextmanager
def root():
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(SOMEBODY)


@pytest.fixture
def folder(tmp_path):
    """Run as another user than the owner of this directory, which is readable for all."""
    for each in [tmp_path, *tmp_path.parents][:-2]:
        each.chmod(each.stat().st_mode | 0o055)
    os.seteuid(SOMEBODY)
    yield tmp_path
    os.seteuid(0)


def made(folder, name, mode):
    with root():
        made = folder / name
        made.mkdir(parents=True)
        append(made / "app.log", "one")
        made.chmod(mode)
        return made


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (
            0o700,
            "sub cannot be listed: permission denied; run setfacl -m u:12345:x {closed} as root",
        ),
        (0o711, "cannot be listed: permission denied; run setfacl -m u:12345:rx {closed} as root"),
        (0o744, "app.log cannot be read: permission denied; run setfacl -m u:12345:x {closed}"),
    ],
)
@pytest.mark.parametrize("below", ["", "sub/"])
def test_an_unreadable_directory_is_reported_until_it_is_readable_and_then_read(
    folder, mode, said, below
):
    closed = made(folder, "closed", 0o755)
    if below:
        made(closed, "sub", 0o755)
    with root():
        closed.chmod(mode)
    daemon = VirtualDaemon({"t": reading_from_start(f"{closed}/{below}*.log")})
    if not below or mode == 0o700:
        expected = said if below or mode != 0o700 else "cannot be listed: permission denied"
        [sentence] = daemon.problems
        assert expected.format(closed=closed) in sentence
        assert str(closed) in sentence
    assert 0 < (daemon.batch.wake_at or 0) <= 10 or mode == 0o711
    with root():
        closed.chmod(0o755)
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert daemon.problems == []
    assert daemon.lines() == ["one"]
    assert daemon.batch.wake_at is None or daemon.batch.wake_at > daemon.now


def test_without_problems_nothing_is_rechecked(folder):
    daemon = VirtualDaemon({"t": reading_from_start(f"{folder}/*.log")})
    daemon.now += 2
    daemon.poll_all(FsHints())
    assert daemon.batch.wake_at is None


def test_a_scan_for_one_pattern_keeps_the_problems_of_another(folder):
    closed, other = made(folder, "closed", 0o700), made(folder, "other", 0o755)
    daemon = VirtualDaemon({"t": trigger(f"{closed}/*.log"), "u": trigger(f"{other}/*.log")})
    [said] = daemon.problems
    assert str(closed) in said
    daemon.poll_all(FsHints(directories={str(other)}))
    assert daemon.problems == [said]


def test_an_unreadable_directory_that_is_removed_is_no_problem_any_more(folder):
    closed = made(folder, "closed", 0o700)
    daemon = VirtualDaemon({"t": trigger(f"{closed}/*.log")})
    assert len(daemon.problems) == 1
    with root():
        (closed / "app.log").unlink()
        closed.rmdir()
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert daemon.problems == []


def test_a_missing_directory_is_no_problem(folder):
    daemon = VirtualDaemon({"t": trigger(f"{folder}/later/*.log")})
    assert daemon.problems == []


def test_one_unreadable_directory_among_many_does_not_cause_a_scan_of_all(folder, monkeypatch):
    made(folder, "closed", 0o700)
    for number in range(5):
        made(folder, str(number), 0o755)
    daemon = VirtualDaemon({"t": trigger(f"{folder}/**/*.log")})
    scanned = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(str(path)) or scandir(path))
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert scanned == [f"{folder}/closed"]


def test_a_file_that_becomes_readable_without_a_hint_is_read_soon(folder):
    log = made(folder, "logs", 0o755) / "app.log"
    with root():
        log.chmod(0o600)
    daemon = VirtualDaemon({"t": reading_from_start(log), "new": trigger(log)})
    assert "cannot be read: permission denied" in daemon.problems[0]
    with root():
        log.chmod(0o644)
        append(log, "two")
    daemon.now += 9
    daemon.poll_all(FsHints())
    assert daemon.lines() == []
    daemon.now += 1
    daemon.poll_all(FsHints())
    assert sorted(daemon.lines()) == ["one", "two"]  # the earlier line is read by a catch-up
    assert daemon.lines("new") == ["two"]
    assert daemon.problems == []


def test_a_closed_file_that_cannot_be_reopened_stays_a_problem(folder):
    logs = made(folder, "logs", 0o755)
    with root():
        append(logs / "b.log", "two")
    log = logs / "app.log"
    daemon = VirtualDaemon({"t": reading_from_start(f"{logs}/*.log")}, max_descriptors=1)
    assert sorted(daemon.lines()) == ["one", "two"]
    with root():
        log.chmod(0o600)
        append(log, "three")
    daemon.poll_all(FsHints(written={str(log), str(logs / "b.log")}))
    for _ in range(5):
        daemon.now += 10
        daemon.poll_all(FsHints())
        assert [said for said in daemon.problems if str(log) in said]
    with root():
        log.chmod(0o644)
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert "three" in daemon.lines()
    assert not [said for said in daemon.problems if str(log) in said]


async def test_a_problem_and_its_end_are_announced_by_a_batch(folder):
    logs = made(folder, "logs", 0o755)
    async with running(trigger(f"{logs}/*.log")) as seen:
        before = len(seen.readings)
        with root():
            (logs / "app.log").unlink()
            os.mkfifo(logs / "app.log")
        await seen.until(lambda: len(seen.source.health().problems) == 1)
        assert len(seen.readings) > before
        with root():
            (logs / "app.log").unlink()
        await seen.until(lambda: not seen.source.health().problems)
        tasks = seen.executor.tasks
        await until(lambda: seen.executor.tasks >= tasks)
