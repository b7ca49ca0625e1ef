"""Directories, devices and links at the path of a log, and unusual bytes in one."""

import os
import resource
import socket
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from notifyd.sources.logs.discovery.inotify import FsHints
from support.logs import VirtualDaemon, append, reading_from_start, running, trigger

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to make other users' files")
OTHER_UID = 12345


def fifo(path):
    os.mkfifo(path)


def directory(path):
    path.mkdir()


def device(path):
    path.symlink_to("/dev/zero")


def listener(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize(
    ("make", "kind"),
    [(fifo, "FIFO"), (directory, "directory"), (device, "device"), (listener, "socket")],
)
def test_what_is_not_a_log_at_its_path_is_reported_until_a_log_is_there(tmp_path, make, kind):
    log = tmp_path / "app.log"
    append(log, "one")
    daemon = VirtualDaemon({"t": reading_from_start(log), "u": reading_from_start(log)})
    log.rename(tmp_path / "app.log.1")
    make(log)
    append(tmp_path / "app.log.1", "late")
    daemon.poll_all(FsHints(changed={str(log), str(tmp_path / "app.log.1")}))
    daemon.poll_all()
    [message] = daemon.problems
    assert str(log) in message
    assert f"is a {kind}" in message
    assert "\n" not in message
    log.rename(tmp_path / "strange")
    append(log, "two")
    daemon.poll_all(FsHints(changed={str(log)}))
    assert daemon.lines() == daemon.lines("u") == ["one", "late", "two"]
    assert daemon.problems == []


def test_a_directory_that_only_a_glob_matches_is_not_reported(tmp_path):
    """`/var/log/*` matches many, at the start and later."""
    (tmp_path / "early").mkdir()
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "*")})
    append(tmp_path / "app.log", "one")
    (tmp_path / "late").mkdir()
    daemon.poll_all(
        FsHints(changed={str(tmp_path / "app.log")}, directories={str(tmp_path / "late")})
    )
    assert (daemon.lines(), daemon.problems) == (["one"], [])
    (tmp_path / "app.log").rename(tmp_path / "away.log")
    (tmp_path / "app.log").mkdir()
    daemon.poll_all(FsHints(directories={str(tmp_path / "app.log")}))
    [message] = daemon.problems
    assert "app.log is a directory" in message
    daemon.poll_all(FsHints(directories={str(tmp_path / "app.log")}))
    assert daemon.problems == [message]
    (tmp_path / "app.log").rmdir()
    daemon.poll_all(FsHints(directories={str(tmp_path / "app.log")}))
    assert daemon.problems == []


def run_as_root(script, *paths):
    """Run a shell script in a process of its own: no thread of this one becomes root meanwhile."""
    subprocess.run(["sh", "-c", script, "sh", *paths], user=0, check=True)


@as_root
async def test_an_unreadable_file_is_reported_and_read_once_it_is_readable(tmp_path):
    directory = tmp_path / "logs"
    directory.mkdir()
    log, other = directory / "app.log", directory / "other.log"
    append(log, "of old")
    append(other, "of old")
    log.chmod(0o600)
    for above in [directory, *directory.parents][:-2]:
        above.chmod(above.stat().st_mode | 0o055)
    os.seteuid(OTHER_UID)
    try:
        async with running(trigger(directory / "*.log")) as seen:
            run_as_root('echo one >> "$1"; echo two >> "$2"', log, other)
            await seen.until(lambda: seen.lines == ["two"])
            [message] = seen.source.health().messages
            assert f"{log} cannot be read: permission denied" in message
            run_as_root('chmod 644 "$1"', log)
            await seen.until(lambda: seen.lines == ["two", "one"])
    finally:
        os.seteuid(0)


@as_root
@pytest.mark.parametrize("linked", ["file", "directory", "directory above"])
def test_no_user_can_have_a_secret_read_through_a_link_in_a_watched_directory(tmp_path, linked):
    secrets, theirs = tmp_path / "secrets", tmp_path / "theirs"
    (secrets / "logs").mkdir(parents=True)
    append(secrets / "logs" / "app.log", "a secret")
    theirs.mkdir()
    os.chown(theirs, OTHER_UID, OTHER_UID)
    log = theirs / "a" / "logs" / "app.log"
    link, target = {
        "file": (log, secrets / "logs" / "app.log"),
        "directory": (log.parent, secrets / "logs"),
        "directory above": (log.parent.parent, secrets),
    }[linked]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    for path in theirs.rglob("*"):
        if path.is_relative_to(link) and path != link:
            continue
        os.lchown(path, OTHER_UID, OTHER_UID)
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    append(secrets / "logs" / "app.log", "another secret")
    daemon.poll_all()
    assert daemon.lines() == []
    [message] = daemon.problems
    assert "is not read as root" in message
    daemon.kill()


@as_root
def test_links_to_directories_of_root_or_of_the_same_user_are_followed(tmp_path):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for directory, owner in ((theirs, OTHER_UID), (ours, 0)):
        (directory / "v1").mkdir(parents=True)
        append(directory / "v1" / "app.log", f"of {owner}")
        (directory / "now").symlink_to("v1")
        for path in (directory, directory / "v1", directory / "v1" / "app.log", directory / "now"):
            os.lchown(path, owner, owner)
    daemon = VirtualDaemon({"t": reading_from_start(theirs / "now/app.log", ours / "now/app.log")})
    assert sorted(daemon.lines()) == ["of 0", f"of {OTHER_UID}"]
    daemon.kill()


def test_a_line_of_ten_mebibytes_is_cut_and_does_not_fill_the_memory(tmp_path):
    log = tmp_path / "app.log"
    append(log, "first")
    daemon = VirtualDaemon({"t": reading_from_start(log, patterns="^(first|long|next)")})
    tracemalloc.start()
    append(log, b"long ")
    for piece in range(40):
        append(log, b"x" * (256 << 10))
        daemon.poll_all(FsHints(written={str(log)}))
        if piece == 20:
            daemon.restart()
    append(log, b"\nnext\n")
    daemon.poll_all()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [line[:5] for line in daemon.lines()] == ["first", "long ", "next"]
    assert daemon.lines()[1].endswith("… (cut)")
    assert most < 6 << 20


def test_a_hundred_thousand_empty_lines_do_not_match_and_do_not_fill_the_memory(tmp_path):
    log = tmp_path / "app.log"
    append(log, "first")
    daemon = VirtualDaemon({"t": reading_from_start(log), "empty": trigger(log, patterns="^$")})
    before = resident()
    append(log, b"\n" * 100_000 + b"next\n")
    daemon.poll_all()
    assert daemon.lines() == ["first", "next"]
    assert daemon.lines("empty") == [""] * 100_000
    assert resident() - before < 60 << 20  # what the test itself keeps


def test_a_file_that_grew_beyond_its_old_size_after_a_truncation_is_read_from_its_start(tmp_path):
    log = tmp_path / "app.log"
    append(log, *(f"old {number}" for number in range(100)))
    for down in (False, True):
        daemon = VirtualDaemon({"t": reading_from_start(log)})
        if down:
            daemon.kill()
        os.truncate(log, 0)
        append(log, *(f"new {down} {number}" for number in range(500)))
        if down:
            daemon.start()
        daemon.poll_all()
        daemon.restart()
        assert daemon.lines()[-500:] == [f"new {down} {number}" for number in range(500)]
        assert len(daemon.lines()) == (600 if not down else 1000)
        daemon.kill()


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
