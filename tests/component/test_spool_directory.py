"""Whatever lies in a spool has a defined result, and nothing in it is followed."""

import os
import socket
import stat
from collections import Counter

import pytest

from notifyd.api.spool_directory import MOST_OF_A_USER, TAKEN_OF_A_USER, SpoolDirectory
from notifyd.client.spool import SpoolError, new_id, spool_directory, spool_request
from notifyd.model.spool import LARGEST_FILE, temporary_name

ME = os.geteuid()
OTHER = 4711
needs_root = pytest.mark.skipif(ME != 0, reason="only root may create files of other users")


@pytest.fixture
def spool(tmp_path):
    directory = SpoolDirectory(tmp_path / "spool")
    directory.create()
    return directory


def name(number=0):
    return new_id(1_700_000_000.0 + number)


def put(spool, content=b"{}", number=0, owner=ME):
    path = spool.path / name(number)
    path.write_bytes(content)
    if owner != ME:
        os.chown(path, owner, owner)
    return path


def test_a_file_is_read_with_its_owner(spool):
    path = put(spool, b"content")
    (file,) = spool.scan().files
    assert (file.id, file.content, file.peer.uid, file.peer.pid) == (path.name, b"content", ME, -1)
    assert path.exists()


def test_removed_files_are_gone_and_so_are_missing_ones(spool):
    path = put(spool)
    missing = name(1)
    assert spool.remove([path.name, missing]) == [path.name, missing]
    assert list(spool.path.iterdir()) == []


def _link(path, tmp_path):
    target = tmp_path / "target"
    target.write_text("secret")
    path.symlink_to(target)


def _hard_link(path, tmp_path):
    target = tmp_path / "target"
    target.write_text("secret")
    path.hardlink_to(target)


def _fifo(path, tmp_path):
    os.mkfifo(path)


def _socket(path, tmp_path):
    here = os.getcwd()  # noqa: PTH109 - the path of a socket has to be short
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path.name)
    finally:
        os.chdir(here)


def _directory(path, tmp_path):
    path.mkdir()


def _huge(path, tmp_path):
    path.write_bytes(b"x" * (LARGEST_FILE + 1))


def _sparse(path, tmp_path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_link, "a symbolic link"),
        (_hard_link, "a file with several links"),
        (_fifo, "a FIFO"),
        (_socket, "a socket"),
        (_directory, "a directory"),
        (_huge, "larger than 64 KiB"),
        (_sparse, "larger than 64 KiB"),
    ],
)
def test_what_is_no_plain_small_file_is_removed_unread(spool, tmp_path, make, reason):
    make(spool.path / name(), tmp_path)
    put(spool, b"good", number=1)
    scan = spool.scan()
    assert [file.content for file in scan.files] == [b"good"]
    assert scan.refused == Counter({(ME, reason): 1})
    assert len(list(spool.path.iterdir())) == 1
    target = tmp_path / "target"
    assert not target.exists() or target.read_text() == "secret"


def test_a_directory_with_files_stays_and_is_no_hindrance(spool):
    (spool.path / name() / "below").mkdir(parents=True)
    put(spool, b"good", number=1)
    scan = spool.scan()
    assert [file.content for file in scan.files] == [b"good"]
    assert not scan.has_more


@pytest.mark.parametrize(
    "foreign",
    [
        "note.txt",
        ".hidden",
        "01a212e9-06bc-4be6-9cef-2df5a7e3ba45",
        "01a212e9-06bc-7be6-9cef-2df5a7e3ba45~",
    ],
)
def test_foreign_names_are_left_alone(spool, foreign):
    (spool.path / foreign).write_text("{}")
    scan = spool.scan()
    assert (scan.files, scan.refused, scan.foreign) == ([], Counter(), 1)
    assert (spool.path / foreign).exists()


def test_a_file_that_is_being_written_is_left_alone_and_an_abandoned_one_is_removed(spool):
    fresh, old = (spool.path / temporary_name(name(number)) for number in (1, 2))
    for path in (fresh, old):
        path.write_text("{")
    os.utime(old, (0, 0))
    scan = spool.scan()
    assert (scan.files, scan.foreign) == ([], 0)
    assert [each.name for each in spool.path.iterdir()] == [fresh.name]


@needs_root
def test_each_owner_has_a_turn_and_the_oldest_come_first(spool):
    for number in range(4):
        put(spool, b"mine %d" % number, number)
    put(spool, b"theirs", 9, owner=OTHER)
    files = spool.scan().files
    assert [file.content for file in files[:3]].count(b"theirs") == 1
    mine = [file.content for file in files if file.peer.uid == ME]
    assert mine == [b"mine 0", b"mine 1", b"mine 2", b"mine 3"]
    (theirs,) = [file for file in files if file.peer.uid != ME]
    assert (theirs.peer.uid, theirs.peer.gid) == (OTHER, OTHER)


def test_many_files_of_a_user_are_taken_in_several_scans(spool):
    for number in range(TAKEN_OF_A_USER + 1):
        put(spool, b"", number)
    scan = spool.scan()
    assert (len(scan.files), scan.has_more) == (TAKEN_OF_A_USER, True)
    spool.remove([file.id for file in scan.files])
    scan = spool.scan()
    assert (len(scan.files), scan.has_more) == (1, False)


def test_a_scan_returns_a_bounded_number_of_bytes(spool):
    for number in range(150):
        put(spool, b"x" * LARGEST_FILE, number)
    scan = spool.scan()
    assert len(scan.files) < 150
    assert scan.has_more


def test_a_user_has_a_bounded_number_of_files(spool, monkeypatch):
    monkeypatch.setattr("notifyd.api.spool_directory.MOST_OF_A_USER", 3)
    for number in range(5):
        put(spool, b"", number)
    scan = spool.scan()
    assert len(scan.files) == 3
    assert scan.refused == Counter({(ME, "one of more than 3 of that user"): 2})
    assert MOST_OF_A_USER > TAKEN_OF_A_USER


# --- the directories


def test_the_spool_of_a_user_is_created_for_that_user_alone(spool):
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700
    assert (spool.is_usable, spool.problem) == (True, "")


def test_a_spool_that_others_may_write_to_is_not_used(spool):
    spool.path.chmod(0o777)
    assert not spool.is_usable
    assert f"chmod o-w {spool.path}" in spool.problem


@needs_root
def test_a_spool_of_another_user_is_not_used(spool):
    os.chown(spool.path, OTHER, OTHER)
    assert not spool.is_usable
    assert f"chown -R {ME} {spool.path}" in spool.problem


def test_a_link_in_place_of_the_spool_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    spool = SpoolDirectory(tmp_path / "spool")
    spool.path.symlink_to(tmp_path / "elsewhere")
    spool.create()
    assert not spool.is_usable
    assert "is no directory" in spool.problem


def test_the_shared_spool_may_be_missing_and_needs_the_sticky_bit(tmp_path):
    spool = SpoolDirectory(tmp_path / "shared", is_shared=True)
    spool.create()
    assert (spool.is_usable, spool.problem) == (False, "")
    spool.path.mkdir()
    spool.path.chmod(0o733)
    assert f"chmod 1733 {spool.path}" in spool.problem
    spool.path.chmod(0o1733)
    assert (spool.is_usable, spool.problem) == (True, "")


@needs_root
def test_the_shared_spool_of_another_daemon_is_left_to_it(tmp_path):
    spool = SpoolDirectory(tmp_path, is_shared=True)
    os.chown(tmp_path, OTHER, OTHER)
    assert (spool.is_usable, spool.problem) == (False, "")


# --- the writer


def test_the_writer_and_the_reader_agree(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("NOTIFYD_SOCK", raising=False)
    (tmp_path / "notifyd").mkdir()
    (tmp_path / "notifyd/notifyd.db").touch()
    spooled_id = spool_request("send", {"body": "ünï \ud800"})
    spool = SpoolDirectory(tmp_path / "notifyd/spool")
    (file,) = spool.scan().files
    assert file.id == spooled_id
    assert stat.S_IMODE((spool.path / spooled_id).stat().st_mode) == 0o600


def test_in_a_shared_spool_the_daemon_can_read_the_file_whatever_the_umask(tmp_path):
    shared = tmp_path / "spool"
    shared.mkdir()
    shared.chmod(0o1733)
    before = os.umask(0o077)
    try:
        spooled_id = spool_request("send", {}, socket_path=str(tmp_path / "notifyd.sock"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((shared / spooled_id).stat().st_mode) == 0o644


def test_a_request_that_is_too_large_is_not_written(tmp_path):
    (tmp_path / "spool").mkdir()
    with pytest.raises(SpoolError, match="more than 64 KiB"):
        spool_request("send", {"body": "x" * 70_000}, socket_path=str(tmp_path / "s"))
    assert list((tmp_path / "spool").iterdir()) == []


def test_the_user_s_own_daemon_comes_before_the_system_s(tmp_path, monkeypatch):
    system = tmp_path / "system"
    monkeypatch.setattr("notifyd.client.spool.SYSTEM_SPOOL", str(system))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("NOTIFYD_SOCK", raising=False)
    own = str(tmp_path / "notifyd/spool")
    assert spool_directory() == own
    system.mkdir()
    assert spool_directory() == str(system)
    (tmp_path / "notifyd").mkdir()
    (tmp_path / "notifyd/notifyd.db").touch()
    assert spool_directory() == own
    assert spool_directory(str(tmp_path / "none/notifyd.sock")) == own


@needs_root
def test_a_spool_of_another_user_beside_the_named_socket_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "spool").mkdir()
    os.chown(tmp_path / "spool", OTHER, OTHER)
    assert spool_directory(str(tmp_path / "notifyd.sock")) != str(tmp_path / "spool")


def test_ids_are_uuids_of_version_7_in_the_order_of_their_time():
    ids = [new_id(1_700_000_000 + number) for number in range(100)]
    assert ids == sorted(ids)
    assert all(each[14] == "7" and each[19] in "89ab" for each in ids)
