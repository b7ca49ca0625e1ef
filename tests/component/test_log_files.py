"""Which files may be read, where links lead, which mounts are shared, and what inotify reports."""

import asyncio
import errno
import grp
import os
import pwd
import subprocess
from pathlib import Path

import pytest
from asyncinotify import Inotify

from notifyd.sources.logs.discovery.access import (
    UnreadableFileError,
    explain_error,
    open_log,
    stat_log,
)
from notifyd.sources.logs.discovery.inotify import InotifyWatcher, WatchRequest
from notifyd.sources.mounts import MountTable, MountWatcher
from notifyd.sources.path_chains import PathChains
from support.logs import append

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to make other users' files")


@as_root
def test_an_unreadable_file_is_reported_with_the_fix(tmp_path):
    log = tmp_path / "app.log"
    append(log, "line")
    log.chmod(0o600)
    for directory in [tmp_path, *tmp_path.parents][:-2]:
        directory.chmod(directory.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        with pytest.raises(UnreadableFileError) as error:
            open_log(str(log), stat_log(str(log)))
    finally:
        os.seteuid(0)
    assert "permission denied" in str(error.value)
    fix = f"run setfacl -m u:{pwd.getpwuid(65534).pw_name}:r {log} as root"
    assert str(error.value).endswith(f"permission denied; {fix}")


@as_root
def test_the_fix_names_the_group_that_may_read_a_file_unless_it_is_root(tmp_path):
    log = tmp_path / "app.log"
    append(log, "line")
    log.chmod(0o640)
    for directory in [tmp_path, *tmp_path.parents][:-2]:
        directory.chmod(directory.stat().st_mode | 0o011)
    for group, named in ((grp.getgrnam("adm").gr_gid, True), (0, False)):
        os.chown(log, 0, group)
        os.seteuid(65534)
        try:
            message = explain_error(str(log), PermissionError(errno.EACCES, "no"))
        finally:
            os.seteuid(0)
        assert ("usermod -aG adm" in message) == named


@as_root
def test_a_link_of_another_user_to_a_file_of_a_third_is_not_followed(tmp_path):
    secret, own = tmp_path / "secret", tmp_path / "own"
    append(secret, "root's")
    append(own, "theirs")
    os.chown(own, 12345, 12345)
    for target in (secret, own):
        link = tmp_path / f"{target.name}.log"
        link.symlink_to(target)
        os.lchown(link, 12345, 12345)
    with pytest.raises(UnreadableFileError, match="a link that another user made"):
        stat_log(str(tmp_path / "secret.log"))
    assert stat_log(str(tmp_path / "own.log")) is not None
    os.lchown(tmp_path / "secret.log", 0, 0)
    assert stat_log(str(tmp_path / "secret.log")) is not None


@as_root
def test_a_hard_link_in_a_directory_of_another_user_is_not_read(tmp_path):
    append(tmp_path / "secret", "root's")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    (theirs / "app.log").hardlink_to(tmp_path / "secret")
    with pytest.raises(UnreadableFileError, match="a link that another user made"):
        stat_log(str(theirs / "app.log"))


def test_a_file_that_is_replaced_while_it_is_opened_is_not_read(tmp_path):
    log = tmp_path / "app.log"
    append(log, "one")
    status = stat_log(str(log))
    (tmp_path / "other").touch()
    (tmp_path / "other").rename(log)
    with pytest.raises(UnreadableFileError, match="was replaced"):
        open_log(str(log), status)


def test_a_missing_file_is_no_error_and_a_link_loop_is(tmp_path):
    assert stat_log(str(tmp_path / "nothing" / "here")) is None
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        stat_log(str(tmp_path / "circle"))


def test_links_know_the_paths_on_which_a_path_depends(tmp_path):
    (tmp_path / "v1" / "log").mkdir(parents=True)
    (tmp_path / "v1" / "log" / "app.log").symlink_to("../../data/real.log")
    (tmp_path / "now").symlink_to("v1")
    (tmp_path / "data").mkdir()
    name = str(tmp_path / "now" / "log" / "app.log")
    links = PathChains()
    links.track_if_linked(name)
    for dependency in ("now", "v1/log/app.log", "data/real.log"):
        assert name in links.paths_through(str(tmp_path / dependency))
    assert set(links.end_dirs) == {str(tmp_path / "data")}
    links.forget(name)
    assert not set(links.entries)
    assert not links.paths_through(str(tmp_path / "now"))


def test_mounts_that_other_machines_write_to_are_known(tmp_path):
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:40 / /srv/with\\040space rw shared:2 master:1 - nfs4 host:/x rw\n"
        "31 22 0:41 / /host rw - fuse.sshfs host:/ rw\n"
    )
    mounts = MountTable(table)
    assert mounts.remote_type("/srv/with space/logs") == "nfs4"
    assert mounts.remote_type("/host") == "fuse.sshfs"
    assert mounts.remote_type("/srv") == ""
    assert MountTable(tmp_path / "missing").remote_type("/") == ""


def test_a_queue_overflow_asks_for_a_scan_of_everything(tmp_path):
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 20_000:
        pytest.skip("the kernel's queue is too long to fill here")
    with InotifyWatcher() as watch:
        assert watch.set_watched(WatchRequest([str(tmp_path)])) == {str(tmp_path)}
        first, second = tmp_path / "a", tmp_path / "b"
        with first.open("wb", buffering=0) as one, second.open("wb", buffering=0) as two:
            for _ in range(limit // 2 + 10):
                one.write(b"x")
                two.write(b"x")
        hints = watch.read_hints()
        while more := watch.read_hints():
            hints |= more
    assert hints.all
    assert hints.written == {str(first), str(second)}


async def test_the_rest_of_a_burst_is_taken_without_waiting(tmp_path):
    with InotifyWatcher() as watch:
        watch.set_watched(WatchRequest([str(tmp_path)]))
        for number in range(1100):
            append(tmp_path / str(number % 2), "line")
        append(tmp_path / "last", "line")
        hints = watch.read_hints()
        async with asyncio.timeout(45):
            while str(tmp_path / "last") not in hints.written:
                await watch.wait(3600)
                hints |= watch.read_hints()


def test_a_directory_with_two_paths_reports_changes_under_both(tmp_path):
    real, alias = tmp_path / "real", tmp_path / "alias"
    real.mkdir()
    alias.symlink_to(real)
    with InotifyWatcher() as watch:
        assert watch.set_watched(WatchRequest([str(real), str(alias)])) == {str(real), str(alias)}
        append(real / "x", "line")
        assert watch.read_hints().written == {str(real / "x"), str(alias / "x")}
        assert watch.set_watched(WatchRequest([str(alias)])) == set()
        append(real / "x", "line")
        assert watch.read_hints().written == {str(alias / "x")}


def test_a_replaced_directory_is_noticed_when_it_is_watched_again(tmp_path):
    directory = tmp_path / "a" / "logs"
    directory.mkdir(parents=True)
    with InotifyWatcher(Inotify) as watch:
        watch.set_watched(WatchRequest([str(directory)]))
        (tmp_path / "a").rename(tmp_path / "b")
        directory.mkdir(parents=True)
        assert watch.set_watched(WatchRequest([str(directory)])) == set()
        assert watch.set_watched(WatchRequest([str(directory)], recheck=True)) == {str(directory)}
        append(directory / "x", "line")
        assert watch.read_hints().written == {str(directory / "x")}


def test_awaited_directories_report_names_only(tmp_path):
    with InotifyWatcher() as watch:
        watch.set_watched(WatchRequest([], [str(tmp_path / "directory")]))
        append(tmp_path / "x", "line")
        (tmp_path / "directory").mkdir()
        hints = watch.read_hints()
        assert (hints.written, hints.directories) == (set(), {str(tmp_path / "directory")})
        assert watch.set_watched(WatchRequest([str(tmp_path)])) == {str(tmp_path)}
        append(tmp_path / "x", "line")
        assert watch.read_hints().written == {str(tmp_path / "x")}


@as_root
def test_a_mount_is_reported_once_with_its_path(tmp_path):
    with MountWatcher() as mounts:
        assert mounts.take_changed_points() == set()
        subprocess.run(["mount", "-t", "tmpfs", "none", tmp_path], check=True)
        try:
            assert mounts.take_changed_points() == {str(tmp_path)}
            assert mounts.take_changed_points() == set()
        finally:
            subprocess.run(["umount", tmp_path], check=True)
        assert mounts.take_changed_points() == {str(tmp_path)}
