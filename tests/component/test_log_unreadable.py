"""Unreadable directories and files are reported, each as long as it is unreadable."""

import os
from contextlib import contextmanager

import pytest

from notifyd.sources.logs.discovery.inotify import FsHints
from support.logs import VirtualDaemon, append, reading_from_start, running, trigger, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs to be another user for a while")
OTHER_UID = 12345


@contextmanager
def root():
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(OTHER_UID)


@pytest.fixture
def directory(tmp_path):
    """Run as another user than the owner of this directory, which is readable for all."""
    for each in [tmp_path, *tmp_path.parents][:-2]:
        each.chmod(each.stat().st_mode | 0o055)
    os.seteuid(OTHER_UID)
    yield tmp_path
    os.seteuid(0)


def make_log_dir(directory, name, mode):
    with root():
        log_dir = directory / name
        log_dir.mkdir(parents=True)
        append(log_dir / "app.log", "one")
        log_dir.chmod(mode)
        return log_dir


@pytest.mark.parametrize(
    ("mode", "problem"),
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
    directory, mode, problem, below
):
    closed = make_log_dir(directory, "closed", 0o755)
    if below:
        make_log_dir(closed, "sub", 0o755)
    with root():
        closed.chmod(mode)
    daemon = VirtualDaemon({"t": reading_from_start(f"{closed}/{below}*.log")})
    if not below or mode == 0o700:
        expected = problem if below or mode != 0o700 else "cannot be listed: permission denied"
        [message] = daemon.problems
        assert expected.format(closed=closed) in message
        assert str(closed) in message
    assert 0 < (daemon.batch.wake_at or 0) <= 10 or mode == 0o711
    with root():
        closed.chmod(0o755)
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert daemon.problems == []
    assert daemon.lines() == ["one"]
    assert daemon.batch.wake_at is None or daemon.batch.wake_at > daemon.now


def test_without_problems_nothing_is_rechecked(directory):
    daemon = VirtualDaemon({"t": reading_from_start(f"{directory}/*.log")})
    daemon.now += 2
    daemon.poll_all(FsHints())
    assert daemon.batch.wake_at is None


def test_a_scan_for_one_pattern_keeps_the_problems_of_another(directory):
    closed, other = (
        make_log_dir(directory, "closed", 0o700),
        make_log_dir(directory, "other", 0o755),
    )
    daemon = VirtualDaemon({"t": trigger(f"{closed}/*.log"), "u": trigger(f"{other}/*.log")})
    [message] = daemon.problems
    assert str(closed) in message
    daemon.poll_all(FsHints(directories={str(other)}))
    assert daemon.problems == [message]


def test_an_unreadable_directory_that_is_removed_is_no_problem_any_more(directory):
    closed = make_log_dir(directory, "closed", 0o700)
    daemon = VirtualDaemon({"t": trigger(f"{closed}/*.log")})
    assert len(daemon.problems) == 1
    with root():
        (closed / "app.log").unlink()
        closed.rmdir()
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert daemon.problems == []


def test_a_missing_directory_is_no_problem(directory):
    daemon = VirtualDaemon({"t": trigger(f"{directory}/later/*.log")})
    assert daemon.problems == []


def test_one_unreadable_directory_among_many_does_not_cause_a_scan_of_all(directory, monkeypatch):
    make_log_dir(directory, "closed", 0o700)
    for number in range(5):
        make_log_dir(directory, str(number), 0o755)
    daemon = VirtualDaemon({"t": trigger(f"{directory}/**/*.log")})
    scanned = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(str(path)) or scandir(path))
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert scanned == [f"{directory}/closed"]


def test_a_file_that_becomes_readable_without_a_hint_is_read_soon(directory):
    log = make_log_dir(directory, "logs", 0o755) / "app.log"
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


def test_a_closed_file_that_cannot_be_reopened_stays_a_problem(directory):
    logs = make_log_dir(directory, "logs", 0o755)
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
        assert [message for message in daemon.problems if str(log) in message]
    with root():
        log.chmod(0o644)
    daemon.now += 10
    daemon.poll_all(FsHints())
    assert "three" in daemon.lines()
    assert not [message for message in daemon.problems if str(log) in message]


async def test_a_problem_and_its_end_are_announced_by_a_batch(directory):
    logs = make_log_dir(directory, "logs", 0o755)
    async with running(trigger(f"{logs}/*.log")) as seen:
        before = len(seen.batches)
        with root():
            (logs / "app.log").unlink()
            os.mkfifo(logs / "app.log")
        await seen.until(lambda: len(seen.source.health().problems) == 1)
        assert len(seen.batches) > before
        with root():
            (logs / "app.log").unlink()
        await seen.until(lambda: not seen.source.health().problems)
        tasks = seen.executor.tasks
        await until(lambda: seen.executor.tasks >= tasks)
