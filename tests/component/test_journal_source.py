"""The journal source with a fake journalctl: what arrives, and what goes wrong."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from notifyd.model.errors import SourceError
from notifyd.telemetry.problem_log import ProblemReporter
from support.journal import Journal, trigger
from support.logs import until
from support.recorder import Recorder


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "bin")


def numbers(start, end):
    return [str(number) for number in range(start, end)]


async def test_an_entry_is_an_event_with_its_unit_sender_fields_and_pattern(journal):
    journal.write("ERROR before")
    errors = trigger("app", patterns=["WARN", "(?P<level>ERROR) (?P<what>.*)"], exclude=["healthz"])
    async with journal.running({"errors": errors}) as seen:
        journal.write("nothing", "ERROR healthz", "ERROR of another", unit="other.service")
        journal.write("ERROR disk full", SYSLOG_IDENTIFIER="app")
        await seen.until(lambda: seen.events)
    (event,) = seen.events
    assert (event.trigger, event.line, event.path) == ("errors", "ERROR disk full", "")
    assert event.fields == {"level": "ERROR", "what": "disk full"}
    assert event.facts == {"pattern": "1", "unit": "app.service", "pid": "7", "name": "app"}
    assert event.wall == pytest.approx(journal.start + journal.number, abs=0.001)
    assert all(batch.rereadable for batch in seen.batches)


async def test_an_entry_is_one_record_however_many_lines_it_has(journal):
    both = {
        "whole": trigger(patterns=r"(?ms)^Traceback.*^(?P<error>\w+Error)$"),
        "line": trigger(patterns="^  File"),
    }
    async with journal.running(both) as seen:
        journal.write("Traceback:\n  File x\nValueError\n", b"a\x00b\xff  File", "  File y")
        await seen.until(lambda: len(seen.events) == 2)
    assert [(event.trigger, event.line) for event in seen.events] == [
        ("whole", "Traceback:\n  File x\nValueError"),
        ("line", "  File y"),
    ]
    assert seen.events[0].fields == {"error": "ValueError"}


async def test_invalid_bytes_and_entries_without_a_message_are_accepted(journal):
    async with journal.running(trigger()) as seen:
        journal.write(b"a\xffb\x1b[0m", None, "", "end")
        await seen.until(lambda: "end" in seen.lines)
    assert seen.lines == ["a\ufffdb", "end"]


async def test_a_long_message_is_truncated_and_marked(journal):
    async with journal.running(trigger(patterns="^(xx|end)", max_line="1KiB")) as seen:
        journal.write("x" * 5_000_000, "end")
        await seen.until(lambda: "end" in seen.lines)
    assert seen.lines == ["x" * 1024 + "… (cut)", "end"]


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        (("app",), ["app", "of it"]),
        (("a*", "sshd.service"), ["app", "of it", "ssh"]),
        (("worker@?.service",), ["two"]),
        (("*",), ["app", "kernel", "two", "of it", "ssh", "liar", "core"]),
        (("other.service",), ["core"]),
    ],
)
async def test_unit_patterns_select_the_same_entries_as_journalctl(journal, units, expected):
    async with journal.running({"t": trigger(*units), "end": trigger("end.service")}) as seen:
        journal.write("app")
        journal.write("kernel", unit="", pid="")
        journal.write("two", unit="worker@2.service")
        journal.write("of it", unit="init.scope", pid="1", uid="0", UNIT="app.service")
        journal.write("ssh", unit="sshd.service")
        journal.write("liar", unit="evil.service", UNIT="app.service", COREDUMP_UNIT="app.service")
        journal.write("core", unit="dump.service", uid="0", COREDUMP_UNIT="other.service")
        journal.write("end", unit="end.service")
        await seen.until(lambda: any(event.trigger == "end" for event in seen.events))
    assert [line for line in seen.lines if line != "end"] == expected


async def test_own_entries_are_never_matched(journal):
    async with journal.running(trigger("*")) as seen:
        journal.write("ours", unit="notifyd.service")
        journal.write("ours", pid="4242")
        journal.write("theirs")
        await seen.until(lambda: seen.lines)
    assert seen.lines == ["theirs"]


async def test_all_triggers_share_the_main_reader(journal):
    three = {"a": trigger(patterns="x"), "b": trigger("*", patterns="y"), "c": trigger("o*")}
    async with journal.running(three) as seen:
        journal.write("x y")
        await seen.until(lambda: len(seen.events) == 2)
        assert seen.source.health().watching == 3
        await until(journal.followed)
    assert len(journal.followed()) == 1


async def test_a_restart_at_any_commit_neither_loses_nor_repeats_an_entry(journal):
    checkpoints: dict[str, str] = {}
    lines, written = [], 0
    for stop in range(1, 9):
        async with journal.running(trigger(), checkpoints=checkpoints) as seen:
            journal.write(*numbers(written, written + 300))
            written += 300
            left = written - len(lines)
            await seen.until(
                lambda n=stop, left=left, seen=seen: (
                    len(seen.batches) > n or len(seen.lines) == left
                )
            )
            # killed: the batches after this one were never committed
            kept = seen.batches[: stop + 1]
        for batch in kept:
            lines += [event.line for event in batch.events]
            checkpoints |= {
                key: value for key, value in batch.checkpoints.items() if value is not None
            }
    async with journal.running(trigger(), checkpoints=checkpoints) as seen:
        journal.write("end")
        await seen.until(lambda: "end" in seen.lines)
    assert lines + seen.lines == [*numbers(0, written), "end"]


async def test_own_entries_cause_no_commit(journal):
    async with journal.running(trigger("*")) as seen:
        journal.write("x")
        await seen.until(lambda: seen.lines)
        before = len(seen.batches)
        for _ in range(20):
            journal.write("own", unit="notifyd.service")
            await asyncio.sleep(0.01)  # each is read by itself
        await asyncio.sleep(1.2)  # for commits, which must not come
        assert len(seen.batches) <= before + 1


async def test_entries_deleted_before_they_were_read_are_counted_and_reported_once(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    journal.write(*numbers(0, 9))
    journal.vacuum(6)
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as later:
        await later.until(lambda: len(later.lines) == 4)
        (problem,) = later.source.health().messages
        assert "5 later entries were deleted, of any unit, before notifyd could read" in problem
    assert later.lines == numbers(5, 9)


async def test_a_gap_is_not_reported_again_after_the_next_start(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    journal.write("two", "three", unit="other.service")
    journal.vacuum(2)
    for problems in (1, 0):
        async with journal.running(trigger(), checkpoints=seen.checkpoints) as seen:
            await seen.until(lambda seen=seen: seen.batches)
            assert len(seen.source.health().messages) == problems


async def test_a_gap_is_logged_once_and_never_resolved(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    journal.write("two", "three")
    journal.vacuum(2)
    reporter = ProblemReporter()
    with capture_logs() as logs:
        for _ in range(2):
            async with journal.running(trigger(), checkpoints=seen.checkpoints) as seen:
                await seen.until(lambda seen=seen: seen.batches)
                reporter.update([seen.source.health()], 0)
    assert [line["event"][:35] for line in logs if line["log_level"] != "debug"] == [
        "the journal no longer contains the "
    ]


async def test_a_second_gap_is_reported_though_nothing_was_read_since_the_first(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    checkpoints = dict(seen.checkpoints)
    for count in (3, 4):
        journal.write(*"abcd")
        journal.vacuum(count + (count == 3))  # the entry that was read, and then this many more
        async with journal.running(trigger(), checkpoints=checkpoints) as killed:
            (problem,) = killed.source.health().messages
            assert f": {count} later entries were deleted, of any unit," in problem
            checkpoints |= {key: str(value) for key, value in killed.batches[0].checkpoints.items()}


async def test_a_gap_of_a_catch_up_reader_is_reported(journal):
    journal.write(*numbers(0, 2000))
    begun = trigger(read_from="beginning")
    async with journal.running(begun) as seen:
        await seen.until(lambda: seen.lines)
        checkpoints = dict(seen.checkpoints)
    journal.vacuum(1900)
    async with journal.running(begun, checkpoints=checkpoints) as later:
        await later.until(lambda: "1999" in later.lines)
        (problem,) = later.source.health().messages
    assert "later entries were deleted, of any unit, before notifyd could read" in problem


@pytest.mark.parametrize("years", [0, 9], ids=["", "the clock was ahead"])
async def test_a_journal_that_is_new_since_this_boot_is_read_from_its_start(journal, years):
    journal.start += years * 365 * 86400
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    journal.vacuum(1)
    journal.sequence, journal.boot = "6" * 32, "c" * 32
    journal.start -= years * 365 * 86400
    journal.write("new")
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as later:
        (problem,) = later.source.health().messages
        assert "the journal does not contain the last entry that was read" in problem
        journal.write("end")
        await later.until(lambda: "end" in later.lines)
    assert later.lines == ["new", "end"]


async def test_a_damaged_cursor_is_reported_once_and_reading_starts_at_the_end(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    journal.write("two")
    checkpoints = seen.checkpoints | {"journal:read": '{"cursor": "s=1", "stamp": 1}'}
    for problems in (1, 0):
        with capture_logs() as logs:
            async with journal.running(trigger(), checkpoints=checkpoints) as later:
                journal.write("three")
                await later.until(lambda later=later: later.lines)
                messages = later.source.health().messages
        assert len(messages) == problems
        assert [line["event"] for line in logs if line["log_level"] != "debug"] == messages
        assert later.lines == ["three"]
        checkpoints = later.checkpoints


async def test_a_damaged_record_is_reported_once_and_reading_goes_on(journal):
    records = trigger(multiline="^x", patterns=".")
    async with journal.running(records) as seen:
        journal.write("x one")
        await seen.until(lambda: seen.lines)
    checkpoints = seen.checkpoints | {"journal:carry::t:7:app.service": "{}"}
    with capture_logs() as logs:
        async with journal.running(records, checkpoints=checkpoints) as later:
            journal.write("x two", "x three")
            await later.until(lambda: later.lines)
            (sentence,) = later.source.health().messages
    assert sentence == (
        "discarded the stored journal record of trigger t and app.service: "
        '"carry" is missing; its first lines are missing'
    )
    assert [line["event"] for line in logs if line["log_level"] != "debug"] == [sentence]
    assert later.lines == ["x two"]


async def test_entries_written_before_a_reboot_are_read_after_it(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    journal.write("two", "of the end")
    journal.boot = "c" * 32
    journal.write("three")
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as later:
        await later.until(lambda: len(later.lines) == 3)
        journal.write("four")
        await later.until(lambda: "four" in later.lines)
        assert later.source.health().messages == []
    assert later.lines == ["two", "of the end", "three", "four"]
    journal.boot = "d" * 32
    journal.write("five")
    fresh = {"fresh": trigger(read_from="beginning"), "t": trigger()}
    async with journal.running(fresh, checkpoints=later.checkpoints) as seen:
        await seen.until(lambda: len(seen.lines) == 7)
    found = {name: [e.line for e in seen.events if e.trigger == name] for name in fresh}
    assert found == {"t": ["five"], "fresh": ["one", *later.lines, "five"]}


async def test_an_older_state_of_the_journal_is_not_read_again(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one", "two", "three")
        await seen.until(lambda: len(seen.lines) == 3)
    journal.entries.write_text(journal.entries.read_text().splitlines(keepends=True)[0])
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as later:
        assert "does not contain the last entry" in later.source.health().messages[0]
        journal.write("end")
        await later.until(lambda: later.lines == ["end"])


async def test_a_missing_journalctl_is_a_problem_until_it_is_installed(journal):
    journal.write("before")
    away = journal.command.rename(journal.command.with_name("away"))
    async with journal.running(trigger()) as seen:
        health = seen.source.health()
        assert (health.dead, health.watching) == (True, 0)
        assert health.messages[0].startswith("journalctl is not installed")
        away.rename(journal.command)
        await seen.until(lambda: len(seen.batches) > 1)
        assert seen.source.health().messages == []
        journal.write("after")
        await seen.until(lambda: seen.lines == ["after"])


async def test_the_error_output_of_journalctl_is_reported(journal):
    journal.fault.write_text("Failed to open files: Too many open files")
    async with journal.running(trigger()) as seen:
        (problem,) = seen.source.health().messages
    assert problem == "journalctl exited with status 1: Failed to open files: Too many open files"


async def test_a_missing_journal_is_a_problem(journal):
    journal.roots = (journal.roots[0] / "none",)
    async with journal.running(trigger()) as seen:
        (problem,) = seen.source.health().messages
    assert problem.startswith("no journal exists on this machine")


async def test_when_journalctl_dies_the_source_ends_and_the_next_one_continues(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
        await until(journal.followed)
        os.kill(journal.followed()[0], signal.SIGKILL)
        await asyncio.wait([seen.task])
    assert isinstance(seen.ended, SourceError)
    assert str(seen.ended) == "journalctl was killed by signal 9"
    journal.write("two")
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as again:
        await again.until(lambda: again.lines == ["two"])


async def test_while_nothing_can_be_committed_journalctl_waits(journal):
    goes_on = asyncio.Event()
    total, size = 400, 50_000
    seen = Recorder()

    async def held(batch):
        if batch.events:
            await goes_on.wait()
        await seen.emit(batch)

    ends = trigger(patterns="^(0|399) ", max_line="1KiB")
    async with journal.running(ends, emit=held):
        await until(journal.followed)
        journal.write(*(f"{number} " + "x" * size for number in range(total)))
        (pid,) = journal.followed()
        await until(lambda: written(pid) > size)
        await asyncio.sleep(0.3)  # for more output, which must not come
        assert written(pid) < total * size / 2
        goes_on.set()
        await seen.until(lambda: len(seen.lines) == 2)


def written(pid):
    """Return how many bytes a process has written."""
    return int(Path(f"/proc/{pid}/io").read_text().split()[3])


async def test_a_commit_that_takes_too_long_ends_journalctl(journal):
    goes_on = asyncio.Event()

    async def held(batch):
        if batch.events:
            await goes_on.wait()

    async with journal.running(trigger(), emit=held, commit_timeout=0.05) as seen:
        await until(journal.followed)
        journal.write("x")
        await until(lambda: not alive(journal.followed()[0]))
        goes_on.set()
        await asyncio.wait([seen.task])
    assert "nothing could be stored" in str(seen.ended)


def alive(pid):
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_an_idle_source_never_polls(journal):
    async with journal.running(trigger(), check_interval=60.0) as seen:
        journal.write("x")
        await seen.until(lambda: seen.lines)
        await seen.executor.until_idle(1.2)


async def test_a_check_of_the_directories_is_no_poll(journal):
    async with journal.running(trigger(), check_interval=0.02) as seen:
        journal.write("x")
        await seen.until(lambda: seen.lines)
        await until(journal.followed)
        await seen.executor.until_idle(1.2)
        journal.roots[0].rename(journal.roots[0].with_name("away"))
        await asyncio.wait([seen.task])
    assert "directories have changed" in str(seen.ended)


async def test_no_journalctl_outlives_the_source(journal):
    journal.write(*numbers(0, 50))
    async with journal.running(trigger(read_from="beginning")) as seen:
        await seen.until(lambda: seen.lines)
        await until(journal.followed)
    assert not any(map(alive, journal.followed()))
