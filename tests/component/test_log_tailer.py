"""From where files are read, and in which portions: real files, virtual time."""

import os

import pytest
from structlog.testing import capture_logs

from notifyd.sources.logs import new_paths
from notifyd.sources.logs.discovery.inotify import FsHints
from support.logs import VirtualDaemon, append, reading_from_start, running, tailer, trigger
from support.stored import changed


def test_files_that_exist_at_the_first_scan_begin_at_their_end_and_later_ones_at_their_start(
    tmp_path,
):
    old, new = tmp_path / "old.log", tmp_path / "new.log"
    append(old, "before")
    daemon = VirtualDaemon({"t": trigger(tmp_path / "*.log")})
    append(old, "after")
    append(new, "first")
    daemon.poll_all()
    assert sorted(daemon.lines()) == ["after", "first"]


def test_a_file_that_existed_at_the_first_scan_stays_known_over_a_restart(tmp_path):
    log = tmp_path / "app.log"
    append(log, "before")
    daemon = VirtualDaemon({"t": trigger(log)})
    daemon.kill()
    append(log, "while down")
    daemon.start()
    assert daemon.lines() == ["while down"]


def test_an_unfinished_line_is_matched_once_when_it_ends_even_after_a_restart(tmp_path):
    log = tmp_path / "app.log"
    append(log, b"half of ")
    daemon = VirtualDaemon({"t": trigger(log)})
    daemon.restart()
    append(log, b"caf\xc3")
    daemon.poll_all()
    assert daemon.lines() == []
    append(log, b"\xa9\nnext")
    daemon.poll_all()
    assert daemon.lines() == ["half of café"]


def test_a_new_trigger_catches_up_on_what_the_others_have_read(tmp_path):
    log = tmp_path / "app.log"
    append(log, "one", "two")
    daemon = VirtualDaemon({"a": reading_from_start(log)})
    daemon.triggers = {
        "a": reading_from_start(log),
        "b": reading_from_start(log),
        "c": trigger(log),
    }
    daemon.restart()
    append(log, "three")
    daemon.poll_all()
    assert daemon.lines("a") == daemon.lines("b") == ["one", "two", "three"]
    assert daemon.lines("c") == ["three"]
    assert not [key for key in daemon.checkpoints if key.endswith(":b") and "file" in key]


def test_a_catch_up_that_is_killed_continues(tmp_path):
    log = tmp_path / "app.log"
    append(log, *(f"line {n}" for n in range(2000)))
    daemon = VirtualDaemon({"a": reading_from_start(log)})
    daemon.triggers = {"a": reading_from_start(log), "b": reading_from_start(log)}
    daemon.kill()
    daemon.tailer = tailer(daemon.triggers, dict(daemon.checkpoints))
    first = daemon.tailer.poll(FsHints(all=True), 0.0)
    assert 0 < len(first.events) < 2000
    daemon.events += first.events
    daemon.checkpoints |= first.checkpoints
    daemon.restart()
    assert daemon.lines("b") == [f"line {n}" for n in range(2000)]


def test_checkpoints_of_removed_triggers_and_patterns_are_forgotten(tmp_path):
    log = tmp_path / "app.log"
    append(log, "one")
    daemon = VirtualDaemon({"a": trigger(log), "b": trigger(log)})
    daemon.triggers = {"a": trigger(tmp_path / "*.log")}
    daemon.restart()
    assert [key for key in daemon.checkpoints if "armed" in key] == [
        f"log:armed:a:{tmp_path}/*.log"
    ]
    daemon.triggers = {"a": trigger(tmp_path / "*.log"), "b": trigger(log)}
    daemon.restart()
    append(log, "two")
    daemon.poll_all()
    assert daemon.lines("a") == daemon.lines("b") == ["two"]


def test_catch_up_bounds_how_far_back_a_new_file_is_read(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, catch_up="100B"), "u": trigger(log)})
    append(log, *(f"line {n:04}" for n in range(100)))
    daemon.poll_all()
    assert daemon.lines("t") == [f"line {n:04}" for n in range(90, 100)]
    assert len(daemon.lines("u")) == 100


def test_a_line_longer_than_a_block_is_reported_once_and_cut_and_the_next_is_read(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="^x")})
    append(log, b"x" * (3 << 20))
    daemon.poll_all()
    daemon.restart()
    assert daemon.lines() == []
    append(log, b"x" * 1000 + b"\nx next\n")
    daemon.poll_all()
    assert [len(line) for line in daemon.lines()] == [(64 << 10) + len("… (cut)"), len("x next")]
    assert daemon.lines()[0].endswith("x… (cut)")
    assert daemon.batch.cut_lines == {"t": 1}


def test_a_raw_line_longer_than_a_block_is_reported_before_it_ends(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="^x", raw=True)})
    append(log, b"x" * (3 << 20))
    daemon.poll_all()
    daemon.restart()
    append(log, b"x" * 1000 + b"\nx next\n")
    daemon.poll_all()
    assert [len(line) for line in daemon.lines()] == [(64 << 10) + len("… (cut)"), len("x next")]


def test_a_long_line_written_in_many_parts_is_not_lost(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="end", max_line="256KiB")})
    for _ in range(20):
        append(log, b"x" * 10_000)
        daemon.poll_all()
    append(log, b"end\nthe end\n")
    daemon.poll_all()
    assert [line[-7:] for line in daemon.lines()] == ["xxxxend", "the end"]


def test_the_hole_that_a_writer_without_o_append_leaves_after_a_truncation_is_skipped(tmp_path):
    log = tmp_path / "app.log"
    with log.open("wb", buffering=0) as writer:
        daemon = VirtualDaemon({"t": trigger(log)})
        writer.write(b"one\n" * 1_000)
        daemon.poll_all()
        os.truncate(log, 0)
        writer.write(b"two\n")
        daemon.poll_all()
    assert daemon.lines()[1_000:] == ["two"]


@pytest.mark.parametrize("first", [b"", b"one\n", b"one\nunfinished", b"x" * (3 << 20)])
@pytest.mark.parametrize("multiline", [None, "^[a-z]"])
def test_a_hole_of_a_terabyte_is_skipped(tmp_path, first, multiline):
    log, keys = tmp_path / "app.log", {"multiline": multiline} if multiline else {}
    daemon = VirtualDaemon({"t": trigger(log, patterns="one|two|three", **keys)})
    append(log, first)
    os.truncate(log, len(first) + (1 << 40))
    daemon.poll()
    daemon.restart()
    append(log, b"two\nthree\nfour")
    polls = 0
    while not daemon.batch or daemon.batch.more or not polls:
        daemon.poll()
        polls += 1
    daemon.pass_time(60)
    assert polls < 5
    assert daemon.lines()[-1].strip("\0") == "three"


def test_a_line_without_an_end_does_not_hold_up_other_logs(tmp_path):
    endless, log = tmp_path / "endless.log", tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(endless, log, patterns="one|end")})
    daemon.poll_all()
    with endless.open("wb") as file:
        for _ in range(80):
            file.write(b"x" * (1 << 20))
    append(log, "one")
    daemon.poll()
    daemon.poll(FsHints())
    assert daemon.lines() == ["one"]
    assert daemon.batch.more
    append(endless, b" end\nend")
    append(endless, "ed")
    daemon.poll_all()
    assert daemon.lines()[1:] == ["ended"]


def test_nul_bytes_at_the_start_of_a_file_are_skipped(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log)})
    append(log, bytes(3 << 20))
    daemon.poll_all()
    daemon.restart()
    append(log, bytes(10) + b"one\n\0two\n")
    daemon.poll_all()
    assert daemon.lines() == ["one", "\0two"]


def test_line_ends_and_undecodable_bytes_are_handled_as_documented(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log), "l": trigger(log, encoding="latin-1")})
    append(log, b"\xef\xbb\xbfone\r\n", b"two\r\r\n", b"a\rb\n", b"c\xe2\x80\xa8d\n", b"\xff\xc3\n")
    daemon.poll_all()
    assert daemon.lines() == ["one", "two", "b", "c\u2028d", "\ufffd\ufffd"]
    assert daemon.lines("l")[0] == "one"
    assert daemon.lines("l")[4] == "ÿÃ"


def test_compressed_rotations_are_never_read(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(tmp_path / "*")})
    append(tmp_path / "app.log.1.gz", "by name")
    append(tmp_path / "magic", b"\x1f\x8b\x08 by content\n")
    append(log, "text")
    daemon.poll_all()
    assert daemon.lines() == ["text"]


def test_excluded_directories_are_not_read(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (tmp_path / "alias").symlink_to(state)
    found = tailer({"t": trigger(tmp_path / "**")}, {}, excluded_dirs=[tmp_path / "alias"])
    append(state / "notifyd.log", "line")
    append(tmp_path / "app.log", "line")
    found.poll(FsHints(all=True), 0.0)
    batch = found.poll(FsHints(changed={str(state / "notifyd.log")}), 0.0)
    assert batch.watched_files == 1
    found.close()


def test_many_files_take_turns(tmp_path):
    busy, calm = tmp_path / "a.log", tmp_path / "b.log"
    daemon = VirtualDaemon({"t": trigger(tmp_path / "*.log", patterns="^x")})
    append(busy, *[(b"y" * 1023 + b"\n") * 1024] * 40)
    append(calm, "x calm")
    batch = daemon.tailer.poll(FsHints(all=True), 0.0)
    assert batch.more
    assert [event.line for event in batch.events] == ["x calm"]
    daemon.kill()


@pytest.mark.parametrize("is_scan", [True, False], ids=["scan", "hints"])
def test_a_thousand_new_logs_do_not_hold_up_another(tmp_path, is_scan):
    calm, new = tmp_path / "calm.log", [tmp_path / f"{n}-new.log" for n in range(1000)]
    append(calm, "before")
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "*.log", patterns="new|calm")})
    for path in new:
        append(path, f"new {path.name}")
    append(calm, "calm")
    created = {str(path) for path in new}
    daemon.poll(FsHints(all=True) if is_scan else FsHints(written={str(calm)}, changed=created))
    while "calm" not in daemon.lines():
        assert daemon.batch.more
        daemon.poll(FsHints())
    assert len(daemon.lines()) < 500
    daemon.poll_all(FsHints())
    assert sorted(daemon.lines()) == sorted(["calm", *(f"new {path.name}" for path in new)])


def test_more_hints_of_new_logs_than_are_kept_end_in_a_scan(tmp_path, monkeypatch):
    monkeypatch.setattr(new_paths, "_MOST_PATHS", 100)
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "*.log")})
    new = [tmp_path / f"{n}-new.log" for n in range(250)]
    for path in new:
        append(path, path.name)
    daemon.poll_all(FsHints(changed={str(path) for path in new}))
    assert sorted(daemon.lines()) == sorted(path.name for path in new)


def test_a_new_log_is_read_while_many_others_have_much_to_read(tmp_path):
    busy, new = [tmp_path / f"{n}-busy.log" for n in range(66)], tmp_path / "new.log"
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "*.log", patterns="^x")})
    for path in busy:
        append(path, (b"y" * 1023 + b"\n") * 1200)
    daemon.poll(FsHints(changed={str(path) for path in busy}))
    append(new, "x new")
    daemon.poll(FsHints(changed={str(new)}))
    while daemon.batch.more and not daemon.lines():
        daemon.poll(FsHints())
    assert daemon.lines() == ["x new"]
    assert daemon.batch.more


@pytest.mark.parametrize("most", [500, 1000])
def test_a_poll_is_bounded_and_the_rest_follows(tmp_path, most):
    log = tmp_path / "app.log"
    lines = [str(n) for n in range(1200)]
    append(log, *lines)
    reader = tailer({"t": reading_from_start(log)}, {}, most_events=most)
    sizes, events, hints = [], [], FsHints(all=True)
    while True:
        batch = reader.poll(hints, 0.0)
        sizes.append(len(batch.events))
        events += batch.events
        hints = FsHints()
        if not batch.more:
            break
    reader.close()
    assert max(sizes) == most
    assert [event.line for event in events] == lines


def test_checkpoints_without_events_wait_a_second(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="never")})
    append(log, "one")
    daemon.poll_all()
    before = dict(daemon.checkpoints)
    append(log, "two")
    daemon.poll_all()
    assert daemon.checkpoints == before
    assert daemon.batch.wake_at == 1.0
    daemon.now += 1.0
    daemon.poll_all(FsHints(written={str(log)}))
    assert daemon.checkpoints != before


def test_what_is_not_a_log_is_reported_in_one_sentence_and_still_watched(tmp_path):
    log = tmp_path / "app.log"
    os.mkfifo(log)
    daemon = VirtualDaemon({"t": trigger(log), "u": trigger(tmp_path)})
    problems = daemon.problems
    assert len(problems) == 2
    assert any("app.log is a FIFO" in message for message in problems)
    assert any("is a directory" in message for message in problems)
    log.unlink()
    append(log, "now it is")
    daemon.poll_all(FsHints(changed={str(log)}))
    assert daemon.lines() == ["now it is"]
    assert len(daemon.problems) == 1


def test_checkpoints_of_deleted_files_are_kept_for_thirty_days(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    append(log, "one")
    daemon.poll_all()
    away = tmp_path.parent / f"{tmp_path.name}-away"
    log.rename(away)
    daemon.poll_all()
    daemon.pass_time(70)
    away.rename(log)
    append(log, "two")
    daemon.poll_all()
    assert daemon.lines() == ["one", "two"]
    log.rename(away)
    daemon.poll_all()
    daemon.pass_time(70)
    daemon.pass_time(31 * 86400)
    daemon.pass_time(1)
    assert not [key for key in daemon.checkpoints if key.startswith("log:file:")]
    away.unlink()


def test_a_line_that_times_out_names_its_trigger(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"slow": trigger(log, patterns="(a|a)+$"), "t": trigger(log)})
    append(log, "a" * 40 + "b")
    daemon.poll_all()
    assert len(daemon.lines("t")) == 1
    assert "slow: 1 line could not be decided in time" in daemon.problems[0]


def test_of_two_logs_only_the_one_with_a_damaged_checkpoint_counts_as_new(tmp_path):
    damaged, other = tmp_path / "damaged.log", tmp_path / "other.log"
    append(damaged, "one")
    append(other, "one")
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "*.log")})
    daemon.kill()
    append(damaged, "two")
    append(other, "two")
    [key] = [key for key, value in daemon.checkpoints.items() if str(damaged) in value]
    daemon.checkpoints[key] = changed(daemon.checkpoints[key], offset="4")
    daemon.events.clear()
    daemon.start()
    assert sorted(daemon.lines()) == ["one", "two", "two"]
    [problem] = daemon.problems
    assert problem == (
        f"discarded the stored log checkpoint of {damaged}: "
        '"offset" must be an integer from 0 to 4611686018427387903, not "4"; the file counts as new'
    )
    daemon.restart()
    assert daemon.problems == []
    assert len(daemon.lines()) == 3


def test_a_damaged_pending_record_is_reported_and_the_other_trigger_keeps_its_own(tmp_path):
    log = tmp_path / "app.log"
    append(log, "x one")
    keys = {"multiline": "^x", "read_from": "beginning"}
    daemon = VirtualDaemon({name: trigger(log, **keys) for name in "ab"})
    assert daemon.lines("a") == daemon.lines("b") == []
    daemon.kill()
    [key] = [key for key in daemon.checkpoints if "carry" in key and key.endswith(":a")]
    daemon.checkpoints[key] = changed(daemon.checkpoints[key], open=7)
    daemon.start()
    [problem] = daemon.problems
    assert problem.startswith(f"discarded the stored log record of trigger a and {log}: ")
    assert problem.endswith("; its first lines are missing")
    daemon.pass_time(2.0)
    daemon.pass_time(2.0)
    assert (daemon.lines("a"), daemon.lines("b")) == ([], ["x one"])


async def test_a_refused_value_is_logged_once_it_is_committed_and_stays_in_status(tmp_path):
    log = tmp_path / "app.log"
    append(log, "one")
    async with running(reading_from_start(log)) as seen:
        await seen.until(lambda: seen.lines == ["one"])
    [key] = [key for key, value in seen.checkpoints.items() if "log:file" in key]
    with capture_logs() as logs:
        async with running(
            reading_from_start(log), checkpoints=seen.checkpoints | {key: "x"}
        ) as seen:
            await seen.until(lambda: seen.lines == ["one"])
            [message] = seen.source.health().messages
            append(log, "two")
            await seen.until(lambda: seen.lines == ["one", "two"])
    assert message.startswith("discarded the stored log checkpoint of inode ")
    assert [entry["event"] for entry in logs] == [message]
