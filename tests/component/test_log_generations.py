"""Rotations that lost or doubled lines, most of them found by `support/random_deeds.py`."""

import os
import shutil

import pytest

from notifyd.sources.logs.discovery.inotify import FsHints
from support.logs import VirtualDaemon, append, reading_from_start


@pytest.fixture
def log(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "app.log"


def stamped(path, second):
    """Set a distinct modification time: real rotations are further apart than clock ticks."""
    os.utime(path, ns=(0, (1_700_000_000 + second) * 10**9))


def named(log, pattern):
    return VirtualDaemon({"t": reading_from_start(log.with_name(pattern))})


def copied(log, place, second):
    """Copy and truncate a log, as logrotate does with copytruncate."""
    stamped(log, second)
    shutil.copyfile(log, place)
    stamped(place, second)
    os.truncate(log, 0)
    stamped(log, second)


def renamed_and_let_go(daemon, log):
    """Rename a log, and let time pass until its file has drained."""
    log.rename(log.with_name("app.log.1"))
    append(log, "two")
    daemon.poll_all()
    daemon.pass_time(70)
    daemon.pass_time(70)


patterns = pytest.mark.parametrize("pattern", ["app.log", "app*"])


@patterns
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("before", [[], ["known"]])
def test_rotations_into_a_new_olddir(log, pattern, times, before):
    append(log, *before)
    stamped(log, -1)
    daemon = named(log, pattern)
    daemon.kill()
    (log.parent / "old").mkdir()
    written = list(before)
    for number in range(times):
        written.append(f"line {number}")
        append(log, written[-1])
        stamped(log, number)
        log.rename(log.parent / "old" / f"app.log-2024010{number}")
    append(log, "new")
    daemon.start()
    daemon.restart()
    assert sorted(daemon.lines()) == sorted([*written, "new"])


@patterns
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("hole", [False, True])
def test_dated_copies_that_were_made_between_two_polls(log, pattern, times, hole):
    flags = os.O_WRONLY | os.O_CREAT | (0 if hole else os.O_APPEND)
    writer = os.open(log, flags, 0o644)
    os.write(writer, b"known for long\n")
    stamped(log, -1)
    daemon = named(log, pattern)
    daemon.kill()
    written = ["known for long"]
    for number in range(times):
        written.append(f"line {number}")
        os.write(writer, f"{written[-1]}\n".encode())
        copied(log, log.with_name(f"app.log-2024010{number}"), number)
    os.write(writer, b"new\n")
    os.close(writer)
    daemon.start()
    daemon.restart()
    assert sorted(daemon.lines()) == sorted([*written, "new"])


@patterns
def test_numbered_copies_that_were_made_between_two_polls(log, pattern):
    append(log, "known for long")
    stamped(log, -1)
    daemon = named(log, pattern)
    daemon.kill()
    for number in range(4):
        append(log, f"line {number}")
        for old in range(4, 0, -1):
            if (place := log.with_name(f"app.log.{old}")).exists():
                place.rename(log.with_name(f"app.log.{old + 1}"))
        copied(log, log.with_name("app.log.1"), number)
    append(log, "new")
    daemon.start()
    daemon.restart()
    assert sorted(daemon.lines()) == sorted(
        ["known for long", "line 0", "line 1", "line 2", "line 3", "new"]
    )


@pytest.mark.parametrize("down", [False, True])
def test_an_inode_that_is_reused_for_another_log_is_read_from_its_start(tmp_path, down):
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    append(one, *(f"one {number}" for number in range(20)))
    daemon = VirtualDaemon({"one": reading_from_start(one), "two": reading_from_start(two)})
    if down:
        daemon.kill()
    number = one.stat().st_ino
    one.unlink()
    if not down:
        daemon.poll_all()
        daemon.pass_time(70)
    append(two, *(f"two {number}" for number in range(30)))
    if two.stat().st_ino != number:
        pytest.skip("this file system gives an inode's number away later")
    if down:
        daemon.start()
    else:
        daemon.poll_all()
    daemon.restart()
    assert daemon.lines("one") == [f"one {number}" for number in range(20)]
    assert daemon.lines("two") == [f"two {number}" for number in range(30)]


@patterns
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("looks", [False, True])
def test_renamecopy_twice(log, pattern, down, looks):
    daemon = named(log, pattern)
    written = []
    for number in range(2):
        written.append(f"line {number} before")
        append(log, written[-1])
        daemon.poll_all()
        if down:
            daemon.kill()
        passing = log.with_name("app.log.tmp")
        log.rename(passing)
        append(log, "")
        if looks and not down:
            daemon.poll_all()
        for old in range(2, 0, -1):
            if (place := log.with_name(f"app.log.{old}")).exists():
                place.rename(log.with_name(f"app.log.{old + 1}"))
        shutil.copyfile(passing, log.with_name("app.log.1"))
        if looks and not down:
            daemon.poll_all()
        passing.unlink()
        written.append(f"line {number} after")
        append(log, written[-1])
        if down:
            daemon.start()
        daemon.poll_all()
    daemon.restart()
    assert sorted(line for line in daemon.lines() if line) == sorted(written)


@patterns
def test_a_renamed_file_that_has_drained_is_read_when_it_is_written_to(log, pattern):
    append(log, "one")
    daemon = named(log, pattern)
    with log.open("ab", buffering=0) as late:
        renamed_and_let_go(daemon, log)
        late.write(b"three\n")
        daemon.pass_time(300)
        late.write(b"four\n")
        daemon.restart()
    assert sorted(daemon.lines()) == ["four", "one", "three", "two"]


@patterns
@pytest.mark.parametrize("times", [1, 3])
def test_copies_that_reuse_the_inodes_of_known_files(log, pattern, times):
    gone = [log.with_name(f"gone{number}.log") for number in range(times)]
    append(log, "known for long")
    for other in gone:
        append(other, *(f"of another log {number}" for number in range(20)))
    stamped(log, -1)
    daemon = VirtualDaemon(
        {
            "t": reading_from_start(log.with_name(pattern)),
            "u": reading_from_start(log.with_name("gone*.log")),
        }
    )
    daemon.kill()
    written = ["known for long"]
    numbers = {other.stat().st_ino for other in gone}
    for number, other in enumerate(gone):
        other.unlink()
        written += [f"line {number} {more}" for more in range(30)]
        append(log, *written[-30:])
        place = log.with_name(f"app.log-2024010{number}")
        copied(log, place, number)
        if place.stat().st_ino not in numbers:
            pytest.skip("this file system gives an inode's number away later")
    append(log, "new")
    daemon.start()
    daemon.restart()
    assert sorted(daemon.lines()) == sorted([*written, "new"])
    assert len(daemon.lines("u")) == 20 * times


@patterns
def test_a_renamed_file_that_reuses_the_inode_of_a_known_file(log, pattern):
    gone = log.with_name("gone.log")
    append(gone, *(f"of another log {number}" for number in range(20)))
    stamped(gone, -2)
    daemon = VirtualDaemon(
        {
            "t": reading_from_start(log.with_name(pattern)),
            "u": reading_from_start(gone),
        }
    )
    daemon.kill()
    number = gone.stat().st_ino
    gone.unlink()
    append(log, *(f"line {number}" for number in range(30)))
    if log.stat().st_ino != number:
        pytest.skip("this file system gives an inode's number away later")
    daemon.start()
    daemon.kill()
    append(log, "late")
    log.rename(log.with_name("app.log.1"))
    append(log, "new")
    daemon.start()
    assert sorted(daemon.lines()) == sorted(
        [*(f"line {number}" for number in range(30)), "late", "new"]
    )
    assert len(daemon.lines("u")) == 20


@patterns
@pytest.mark.parametrize("count", [3, 60])
def test_copies_of_many_logs_that_were_made_between_two_polls(tmp_path, pattern, count):
    logs = [tmp_path / str(number) / "app.log" for number in range(count)]
    for log in logs:
        log.parent.mkdir()
        append(log, *(f"{log} {number}" for number in range(20)))
        stamped(log, -1)
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "*" / pattern)})
    daemon.kill()
    for log in logs:
        for number in range(3):
            append(log, f"{log} after {number}")
            copied(log, log.with_name(f"app.log-2024010{number}"), number)
        append(log, f"{log} new")
    daemon.start()
    for log in logs:
        append(log, f"{log} newer")
    daemon.poll_all()
    daemon.restart()
    wanted = ["after 0", "after 1", "after 2", "new", "newer"]
    for log in logs:
        delivered = [
            line.removeprefix(f"{log} ") for line in daemon.lines() if line.startswith(f"{log} ")
        ]
        assert sorted(delivered) == sorted([*map(str, range(20)), *wanted])


@pytest.mark.parametrize(
    ("lines", "first"), [(["line 10"], b"line 1"), (["banner", "line 10"], b"banner\n")]
)
def test_a_file_that_only_begins_like_another_is_not_a_copy(log, lines, first):
    daemon = named(log, "app*")
    append(log, *lines)
    daemon.poll_all()
    log.rename(f"{log}.1")
    log.with_name("app.log.2").write_bytes(first)  # it is met when it has its rotated name
    log.touch()
    daemon.poll_all()
    append(log.with_name("app.log.2"), b"2 second\n")
    daemon.poll_all()
    daemon.restart()
    second = (first + b"2 second").decode().splitlines()
    assert daemon.lines() == [*lines, *second]


def test_a_new_generation_that_contains_only_a_part_of_a_line_is_not_a_copy(log):
    daemon = named(log, "app.log")
    append(log, "line 10")
    daemon.poll_all()
    log.rename(f"{log}.1")
    log.with_name("app.log.2").write_bytes(b"line 1")
    log.touch()
    daemon.poll_all()
    append(log.with_name("app.log.2"), b"2 second\n")
    daemon.poll_all()
    assert daemon.lines() == ["line 10", "line 12 second"]


@patterns
def test_copies_of_a_file_that_is_deleted_are_not_read(log, pattern):
    append(log, "one")
    daemon = named(log, pattern)
    shutil.copyfile(log, log.with_name("app.log.2"))
    daemon.poll_all()
    append(log, "two")
    daemon.poll_all()
    passing = log.with_name("app.log.tmp")
    log.rename(passing)
    log.touch()
    daemon.poll_all()
    shutil.copyfile(passing, log.with_name("app.log.1"))
    passing.unlink()
    daemon.poll_all()
    for copy in ("app.log.1", "app.log.2"):
        log.with_name(copy).unlink()
    daemon.poll_all()
    daemon.restart()
    assert daemon.lines() == ["one", "two"]


@patterns
def test_a_late_line_is_found_without_a_hint(log, pattern):
    append(log, "one")
    daemon = named(log, pattern)
    with log.open("ab", buffering=0) as late:
        renamed_and_let_go(daemon, log)
        late.write(b"three\n")
        daemon.poll_all()
    assert sorted(daemon.lines()) == ["one", "three", "two"]


@patterns
def test_generations_are_found_after_one_that_is_known_only_by_its_rotated_path(log, pattern):
    append(log, "one")
    stamped(log, 0)
    daemon = named(log, pattern)
    os.link(log, log.with_name("app.log-20240101"))
    daemon.poll_all()
    log.unlink()
    daemon.poll_all()
    (log.parent / "old").mkdir()
    for number in range(2):
        append(log, f"unseen {number}")
        stamped(log, 1 + number)
        log.rename(log.parent / "old" / f"app.log-2024010{2 + number}")
    append(log, "two")
    daemon.poll_all()
    daemon.restart()
    assert sorted(daemon.lines()) == ["one", "two", "unseen 0", "unseen 1"]


@pytest.mark.parametrize("down", [False, True])
def test_a_known_copy_does_not_return_to_the_beginning_of_another_file(log, down):
    banner = "#" * 600
    append(log, banner)
    stamped(log, 0)
    daemon = named(log, "app*")
    log.unlink()
    append(log, banner, "one")
    stamped(log, 1)
    daemon.poll_all()
    shutil.copyfile(log, log.with_name("app.log.1"))
    stamped(log.with_name("app.log.1"), 2)
    daemon.poll_all()
    if down:
        daemon.kill()
    os.truncate(log, 0)
    append(log, "two")
    stamped(log, 3)
    if down:
        daemon.start()
    daemon.poll_all()
    assert daemon.lines() == [banner, banner, "one", "two"]


def test_a_copy_of_a_copy_is_withheld(log):
    append(log, "one")
    daemon = named(log, "app*")
    append(log, "two")
    daemon.poll_all()
    copies = [log.with_name(f"app.log-2024010{number}") for number in range(2)]
    copies[0].write_bytes(b"one\n")
    copies[1].write_bytes(b"one\ntwo\n")
    daemon.poll_all()
    daemon.kill()
    os.truncate(log, 0)
    append(log, "three")
    daemon.start()
    daemon.poll_all()
    daemon.restart()
    assert daemon.lines() == ["one", "two", "three"]


def test_a_file_that_is_older_than_everything_read_is_never_read(log):
    """It may have been a copy, which cannot be verified after its original has changed."""
    banner = "#" * 600
    append(log, banner, "one")
    stamped(log, 0)
    daemon = named(log, "app.log")
    shutil.copyfile(log, log.with_name("app.log-20240101"))
    stamped(log.with_name("app.log-20240101"), 1)
    os.truncate(log, 0)
    append(log, banner, "two, and more")
    stamped(log, 2)
    daemon.poll_all()
    for number in range(2, 5):
        log.unlink()
        append(log, banner)
        stamped(log, number)
        daemon.restart()
    assert [line for line in daemon.lines() if line != banner] == ["one", "two, and more"]


def test_a_file_that_begins_like_another_is_read_once_it_differs(log):
    banner = "#" * 600
    append(log, banner, "one")
    stamped(log, 0)
    daemon = named(log, "app.log")
    log.rename(log.with_name("app.log.2"))
    append(log, banner)
    stamped(log, 1)
    log.rename(log.with_name("app.log.1"))
    append(log, banner, "two")
    stamped(log, 2)
    daemon.poll_all()
    append(log.with_name("app.log.1"), "late")
    daemon.poll_all()
    daemon.restart()
    delivered = [line for line in daemon.lines() if line != banner]
    assert sorted(delivered) == ["late", "one", "two"]


@pytest.mark.parametrize("names", [["app.log.1", "app.log.2"], ["app.log.2", "app.log.1"]])
def test_of_several_copies_of_a_lost_file_the_longest_is_read(log, names):
    append(log, "one")
    stamped(log, 0)
    daemon = named(log, "app.log")
    daemon.kill()
    append(log, "two")
    shutil.copyfile(log, log.with_name(names[0]))
    stamped(log.with_name(names[0]), 2)
    append(log, "three")
    shutil.copyfile(log, log.with_name(names[1]))
    stamped(log.with_name(names[1]), 2)
    os.truncate(log, 0)
    append(log, "four")
    stamped(log, 3)
    daemon.start()
    daemon.restart()
    assert daemon.lines() == ["one", "two", "three", "four"]


def test_a_copy_that_is_older_than_what_was_read_is_not_read(log):
    append(log, "one")
    stamped(log, 0)
    daemon = named(log, "app.log")
    append(log, "two")
    shutil.copyfile(log, log.with_name("app.log.1"))
    stamped(log.with_name("app.log.1"), 1)
    append(log, "three")
    stamped(log, 2)
    daemon.poll_all()
    daemon.kill()
    log.unlink()
    append(log, "four")
    stamped(log, 3)
    daemon.start()
    daemon.restart()
    assert daemon.lines() == ["one", "two", "three", "four"]


@patterns
def test_a_copy_is_not_read_because_lines_were_written_while_it_was_made(log, pattern):
    append(log, "one")
    stamped(log, 0)
    daemon = named(log, pattern)
    append(log, "two")
    part = log.read_bytes()
    append(log, "three, which the copy lacks")
    stamped(log, 1)
    daemon.poll_all()
    log.with_name("app.log.1").write_bytes(part)
    stamped(log.with_name("app.log.1"), 2)
    os.truncate(log, 0)
    append(log, "four")
    stamped(log, 3)
    daemon.poll_all()
    daemon.restart()
    assert daemon.lines() == ["one", "two", "three, which the copy lacks", "four"]


@patterns
@pytest.mark.parametrize("down", [False, True])
def test_a_log_that_was_empty_at_each_poll_is_read_from_its_copies(log, pattern, down):
    log.touch()
    stamped(log, 0)
    daemon = named(log, pattern)
    if down:
        daemon.kill()
    for number in range(3):
        append(log, f"line {number}")
        copied(log, log.with_name(f"app.log-2024010{number}"), 1 + number)
    append(log, "new")
    if down:
        daemon.start()
    daemon.poll_all()
    daemon.restart()
    assert sorted(daemon.lines()) == ["line 0", "line 1", "line 2", "new"]


@patterns
@pytest.mark.parametrize("down", [False, True])
def test_a_log_of_which_only_a_hole_was_read_is_read_from_its_copies(log, pattern, down):
    """Its writer keeps its offset, without O_APPEND."""
    writer = os.open(log, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(writer, b"known for long\n")
    stamped(log, 0)
    daemon = named(log, pattern)
    copied(log, log.with_name("app.log-20240100"), 1)
    os.write(writer, b"half")
    stamped(log, 1)
    daemon.poll_all()
    if down:
        daemon.kill()
    os.write(writer, b" a line\n")
    for number in range(3):
        os.write(writer, f"line {number}\n".encode())
        copied(log, log.with_name(f"app.log-2024010{1 + number}"), 2 + number)
    os.write(writer, b"new\n")
    os.close(writer)
    if down:
        daemon.start()
    daemon.poll_all()
    daemon.restart()
    wanted = ["known for long", "half a line", "line 0", "line 1", "line 2", "new"]
    assert sorted(daemon.lines()) == sorted(wanted)


@patterns
@pytest.mark.parametrize("down", [False, True])
def test_a_log_that_appeared_and_was_rotated_between_two_polls(log, pattern, down):
    old = log.with_name("app.log.2")
    append(old, "of before the first start")
    os.utime(old, (0, 0))
    daemon = named(log, "app.log" if pattern == "app.log" else "app.log*")
    before = daemon.lines()
    if down:
        daemon.kill()
    append(log, "one")
    log.rename(log.with_name("app.log.1"))
    append(log, "two")
    if down:
        daemon.start()
    daemon.poll_all()
    daemon.restart()
    assert sorted(daemon.lines()) == sorted([*before, "one", "two"])


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("restarted", [False, True])
def test_generations_in_a_directory_where_one_was_found_before_are_found(
    tmp_path, log, down, restarted
):
    archive = tmp_path / "far" / "away"
    archive.mkdir(parents=True)
    append(log, "one")
    stamped(log, 0)
    daemon = named(log, "app.log")
    log.rename(archive / "app.log-20240101")
    append(log, "two")
    stamped(log, 1)
    daemon.poll_all()
    if restarted:
        daemon.pass_time(70)
        daemon.pass_time(70)
        daemon.restart()
    if down:
        daemon.kill()
    for number in range(2, 5):
        log.rename(archive / f"app.log-2024010{number}")
        append(log, f"line {number}")
        stamped(log, number)
    if down:
        daemon.start()
    daemon.poll_all()
    daemon.restart()
    assert daemon.lines() == ["one", "two", "line 2", "line 3", "line 4"]


@pytest.mark.parametrize("age", [0, 1_700_000_000])
def test_generations_beside_one_that_was_renamed_while_down_are_found(tmp_path, log, age):
    (tmp_path / "archive").mkdir()
    append(log, "one")
    stamped(log, -age)
    daemon = named(log, "app.log")
    daemon.kill()
    for number in range(1, 4):
        log.rename(tmp_path / "archive" / f"app.log-2024010{number}")
        append(log, f"line {number}")
        stamped(log, number - age)
    daemon.start()
    daemon.restart()
    assert daemon.lines() == ["one", "line 1", "line 2", "line 3"]


def test_copies_beside_one_that_was_found_are_found(tmp_path, log):
    (tmp_path / "archive").mkdir()
    append(log, "one, which is long enough to be recognized in any directory around the log")
    stamped(log, 0)
    daemon = named(log, "app.log")
    append(log, "two")
    copied(log, tmp_path / "archive" / "app.log-20240101", 1)
    append(log, "three")
    stamped(log, 1)
    daemon.poll_all()
    for number in range(2, 5):
        append(log, f"line {number}")
        copied(log, tmp_path / "archive" / f"app.log-2024010{number}", number)
    append(log, "new")
    daemon.poll_all()
    daemon.restart()
    assert [line[:6] for line in sorted(daemon.lines())] == sorted(
        ["line 2", "line 3", "line 4", "new", "one, w", "three", "two"]
    )


@pytest.mark.parametrize("hinted", [False, True])
def test_a_log_that_is_copied_and_truncated_before_its_turn_is_read_from_its_copy(log, hinted):
    (log.parent / "old").mkdir()
    busy = log.with_name("aaa.log")
    daemon = VirtualDaemon({"t": reading_from_start(log), "u": reading_from_start(busy)})
    append(busy, *map(str, range(1000)))
    append(log, "one")
    stamped(log, 0)
    daemon.poll()
    assert daemon.lines() == []
    copied(log, log.parent / "old" / "app.log.1", 1)
    append(log, "two")
    daemon.poll_all(FsHints(written={str(log)}) if hinted else None)
    daemon.restart()
    assert daemon.lines() == ["one", "two"]


@pytest.mark.parametrize("how", ["deleted", "truncated"])
@pytest.mark.parametrize("place", ["app.log.1", "old/app.log.1"])
def test_a_copy_that_was_met_before_its_original_was_read_is_not_read_again(log, how, place):
    copy = log.parent / place
    copy.parent.mkdir(parents=True, exist_ok=True)
    append(log, "one")
    stamped(log, 0)
    daemon = VirtualDaemon({"t": reading_from_start(log.parent / "**" / "app.log*")})
    append(log, "two")
    stamped(log, 1)
    shutil.copyfile(log, copy)
    stamped(copy, 2)
    daemon.poll_all(FsHints(changed={str(copy)}, written={str(log)}))
    if how == "deleted":
        log.unlink()
        append(log, "three")
    else:
        os.truncate(log, 0)
        append(log, "three, which is longer than all that was there before")
    daemon.poll_all()
    for _ in range(3):
        daemon.pass_time(70)
    daemon.restart()
    assert [line[:5] for line in daemon.lines()] == ["one", "two", "three"]


@pytest.mark.parametrize("width", [10, 1000])
def test_a_copy_that_lacks_the_last_lines_of_its_original_is_not_read_again(log, width):
    lines = [word + "." * width for word in ("one", "two", "three", "four")]
    append(log, lines[0])
    stamped(log, 0)
    daemon = named(log, "app.log*")
    copy = log.with_name("app.log.1")
    append(log, lines[1])
    shutil.copyfile(log, copy)
    append(log, lines[2])
    stamped(log, 1)
    stamped(copy, 2)
    daemon.poll_all(FsHints(changed={str(copy)}, written={str(log)}))
    os.truncate(log, 0)
    append(log, lines[3])
    stamped(log, 3)
    daemon.poll_all()
    daemon.restart()
    assert daemon.lines() == lines


def test_lines_that_a_deleted_file_held_too_are_read_from_later_generations(log):
    banner = "#" * 600
    append(log, banner)
    stamped(log, 0)
    daemon = named(log, "app.log")
    with log.open():  # so that no later file gets its inode
        daemon.kill()
        log.unlink()
        append(log, banner, "one")
        stamped(log, 1)
        daemon.start()
        daemon.kill()
        for number, line in enumerate(["two", "three"], 2):
            log.rename(log.with_name(f"app.log-2024010{number}"))
            append(log, banner, line)
            stamped(log, number)
        daemon.start()
        daemon.restart()
    assert daemon.lines() == [banner, banner, "one", banner, "two", banner, "three"]


def test_more_numbered_logs_than_a_log_has_generations_are_logs_of_their_own(log):
    daemon = named(log, "worker-*.log")
    workers = [log.with_name(f"worker-{number}.log") for number in range(1100)]
    for worker in workers:
        append(worker, "one")
    daemon.poll_all()
    assert len(daemon.lines()) == len(workers)
