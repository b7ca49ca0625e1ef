"""Context lines, records, unfinished lines and staleness: real files, virtual time."""

import os
import random
from itertools import count

import pytest

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import AlertState
from notifyd.sources.logs.discovery.inotify import FsHints
from support.examples import THOROUGH
from support.logs import VirtualDaemon, append, running, trigger, until

TRACE = ["ERROR one", "  at a", "  at b"]


def records(path, **keys):
    return trigger(path, patterns="b$", multiline=r"^\S", **keys)


def pass_quiet_time(daemon):
    """Let the time pass after which pending records end."""
    daemon.pass_time(0.0)
    daemon.pass_time(2.0)


def test_a_stack_trace_is_one_record_that_ends_after_a_second_without_lines(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": records(log)})
    append(log, *TRACE)
    daemon.poll_all()
    assert daemon.lines() == []
    assert daemon.batch.wake_at == daemon.now + 1.0
    daemon.pass_time(0.9)
    assert daemon.lines() == []
    daemon.pass_time(0.2)
    assert daemon.lines() == ["ERROR one\n  at a\n  at b"]
    daemon.pass_time(10.0)
    assert len(daemon.lines()) == 1
    assert daemon.batch.wake_at is None


def test_a_record_ends_when_the_next_begins(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": records(log), "l": trigger(log, patterns="ERROR")})
    append(log, *TRACE, "INFO")
    daemon.poll_all()
    assert daemon.lines() == ["ERROR one\n  at a\n  at b"]
    assert daemon.lines("l") == ["ERROR one"]


def test_a_record_continues_in_the_file_that_replaces_its_own(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": records(log)})
    append(log, TRACE[0])
    daemon.poll_all()
    append(log, TRACE[1])
    log.rename(tmp_path / "app.log.1")
    append(log, TRACE[2], "INFO")
    daemon.poll_all()
    assert daemon.lines() == ["\n".join(TRACE)]


def test_a_record_continues_over_copytruncate(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": records(log, before=1)})
    append(log, "INFO " + "x" * 100, TRACE[0])
    daemon.poll_all()
    append(log, TRACE[1])
    (tmp_path / "app.log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    append(log, TRACE[2], "INFO")
    daemon.poll_all()
    assert daemon.lines() == ["\n".join(TRACE)]
    assert daemon.events[0].facts["before"].startswith("INFO xxx")


def test_a_record_whose_file_was_deleted_while_the_daemon_was_down_is_reported(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": records(log)})
    append(log, *TRACE)
    daemon.poll_all()
    daemon.pass_time(0.5)
    daemon.poll_all()
    daemon.now += 0.6
    daemon.kill()
    log.unlink()
    daemon.start()
    pass_quiet_time(daemon)
    assert daemon.lines() == ["\n".join(TRACE)]
    daemon.restart()
    pass_quiet_time(daemon)
    assert len(daemon.lines()) == 1


def test_a_match_has_its_context_lines_even_from_other_polls(tmp_path):
    log = tmp_path / "app.log"
    append(log, "zero")
    daemon = VirtualDaemon({"t": trigger(log, patterns="hit", before=2, after=2)})
    for line in ("one", "two", "hit", "three", "four", "five"):
        append(log, line)
        daemon.poll_all()
    (event,) = daemon.events
    assert (event.line, event.facts["before"], event.facts["after"]) == (
        "hit",
        "one\ntwo",
        "three\nfour",
    )


def test_a_match_waits_a_second_at_most_for_lines_after_it(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns="hit", after=2)})
    append(log, "hit", "last words")
    daemon.poll_all()
    assert daemon.events == []
    pass_quiet_time(daemon)
    assert [event.facts["after"] for event in daemon.events] == ["last words"]


def test_every_trigger_of_a_file_has_its_own_pending_record_over_kills(tmp_path):
    log = tmp_path / "app.log"
    triggers = {
        "plain": trigger(log),
        "around": trigger(log, patterns="7", before=1, after=1),
        "records": trigger(log, patterns="7", multiline="0$"),
    }
    daemon = VirtualDaemon(triggers)
    kills = count()
    for number in range(60):
        append(log, f"line {number}")
        if number % 7 == 3:
            daemon.poll_all(commit=False)
            daemon.restart()
            next(kills)
        if number % 11 == 5:
            daemon.pass_time(0.5)
            daemon.restart()
        if number in {17, 37}:
            log.rename(tmp_path / f"app.log.{number}")
    pass_quiet_time(daemon)
    assert daemon.lines("plain") == [f"line {number}" for number in range(60)]
    assert daemon.lines("around") == [f"line {number}" for number in range(7, 60, 10)]
    assert [event.facts for event in daemon.events if event.trigger == "around"] == [
        {"pattern": "0", "before": f"line {number - 1}", "after": f"line {number + 1}"}
        for number in range(7, 60, 10)
    ]
    assert daemon.lines("records") == [
        "\n".join(f"line {number}" for number in range(ten, ten + 10)) for ten in range(0, 60, 10)
    ]
    assert next(kills) > 5


def test_a_trigger_that_is_added_later_catches_up_on_records(tmp_path):
    log = tmp_path / "app.log"
    append(log, *TRACE, "INFO", *TRACE)
    daemon = VirtualDaemon({"l": trigger(log)})
    daemon.triggers = {"l": trigger(log), "t": records(log, read_from="beginning")}
    daemon.restart()
    assert daemon.lines() == ["\n".join(TRACE)] * 2
    assert [key for key in daemon.checkpoints if "carry" in key] == []


def test_pending_records_of_removed_triggers_and_deleted_files_are_forgotten(tmp_path):
    log = tmp_path / "app.log"
    triggers = {
        name: trigger(log, patterns="hit", before=2, read_from="beginning") for name in "ab"
    }
    append(log, "one")
    daemon = VirtualDaemon(triggers)
    daemon.pass_time(2.0)
    assert len([key for key in daemon.checkpoints if "carry" in key]) == 2
    del triggers["b"]
    daemon.restart()
    daemon.pass_time(2.0)
    assert len([key for key in daemon.checkpoints if "carry" in key]) == 1
    log.unlink()
    daemon.poll_all()
    daemon.pass_time(100.0)
    daemon.pass_time(2.0)
    daemon.pass_time(2.0)
    assert [key for key in daemon.checkpoints if "carry" in key] == []


def test_an_unfinished_line_is_matched_once_after_flush_partial(tmp_path):
    log = tmp_path / "app.log"
    triggers = {
        "t": trigger(log, flush_partial="5s", patterns="password"),
        "plain": trigger(log, patterns="password"),
    }
    daemon = VirtualDaemon(triggers)
    append(log, b"one\nThe password")
    daemon.poll_all()
    assert daemon.batch.wake_at <= daemon.now + 5.0
    daemon.pass_time(4.0)
    append(log, b": ")
    daemon.poll_all()
    daemon.pass_time(4.0)
    assert daemon.lines() == []
    daemon.pass_time(1.0)
    assert daemon.lines() == ["The password: "]
    daemon.pass_time(50.0)
    daemon.restart()
    daemon.pass_time(50.0)
    append(log, b"secret\npassword\n")
    daemon.poll_all()
    assert daemon.lines() == ["The password: ", "password"]
    assert daemon.lines("plain") == ["The password: secret", "password"]


def test_an_unfinished_line_that_does_not_match_yet_is_not_lost(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, flush_partial="1s", patterns="end", before=1)})
    append(log, b"one\nthe ")
    daemon.poll_all()
    daemon.pass_time(5.0)
    assert daemon.lines() == []
    assert daemon.batch.wake_at is None
    append(log, b"end")
    daemon.poll_all()
    daemon.pass_time(5.0)
    append(log, b" of it\ntwo end\n")
    pass_quiet_time(daemon)
    assert daemon.lines() == ["the end", "two end"]
    assert [event.facts["before"] for event in daemon.events] == ["one", "the end of it"]


def test_staleness_fires_once_and_restarts_with_the_next_line(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon(
        {
            "t": trigger(log, patterns="hit", stale="1m"),
            "m": trigger(log, patterns="hit", stale="1m", stale_match=True),
        }
    )
    for _ in range(5):
        daemon.pass_time(15.0)
        append(log, "a line")
        daemon.poll_all()
    assert daemon.lines() == [f"new lines in {log}"]  # it may have fired before the start
    assert daemon.lines("m") == [f"no matching line in {log} for 1m"]
    for _ in range(10):
        daemon.pass_time(15.0)
    assert daemon.lines() == [f"new lines in {log}", f"no line in {log} for 1m"]
    assert daemon.events[-1].facts == {"event": "stale"}
    assert daemon.lines("m") == [f"no matching line in {log} for 1m"]
    append(log, "hit")
    daemon.poll_all()
    assert daemon.batch.wake_at == daemon.now + 15.0
    assert f"new matching lines in {log}" in daemon.lines("m")
    for _ in range(4):
        daemon.pass_time(15.0)
    for name in "tm":
        events = [event for event in daemon.events if event.trigger == name]
        states = [event.alert_state for event in events if event.alert_state]
        assert states[-3:] == [AlertState.FIRING, AlertState.RESOLVED, AlertState.FIRING]


def test_staleness_needs_no_patterns(tmp_path):
    log = tmp_path / "app.log"
    config = {"type": "log", "paths": [str(log)], "stale": "20s", "multiline": "^x"}
    daemon = VirtualDaemon({"t": LogTriggerConfig.model_validate(config)})
    append(log, "x", "x")
    daemon.pass_time(15.0)
    daemon.pass_time(15.0)
    assert daemon.lines()[1:] == []
    daemon.pass_time(5.0)
    assert daemon.lines()[1:] == [f"no line in {log} for 20s"]


def test_staleness_restarts_after_a_gap_and_a_restart(tmp_path):
    daemon = VirtualDaemon({"t": trigger(tmp_path / "app.log", stale="1m")})
    daemon.pass_time(20.0)
    daemon.pass_time(600.0)
    daemon.pass_time(25.0)
    daemon.restart()
    daemon.pass_time(25.0)
    daemon.pass_time(25.0)
    assert daemon.lines() == []
    daemon.pass_time(10.0)
    assert len(daemon.lines()) == 1


def test_a_poll_that_is_not_committed_is_repeated_as_a_whole(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": records(log)})
    append(log, *TRACE)
    daemon.poll_all()
    daemon.pass_time(0.5)
    daemon.now += 0.6
    daemon.poll_all(FsHints(), commit=False)
    daemon.restart()
    pass_quiet_time(daemon)
    assert daemon.lines() == ["\n".join(TRACE)]


async def test_a_source_that_is_killed_within_a_record_reports_it_once(tmp_path):
    log = tmp_path / "app.log"
    triggers = {"t": records(log, before=1, after=1), "l": trigger(log)}
    async with running(triggers) as first:
        append(log, "INFO", *TRACE[:2])
        await first.until(lambda: len(first.events) == 3)
    append(log, TRACE[2])
    async with running(triggers, checkpoints=first.checkpoints) as second:
        await second.until(lambda: len(second.events) == 2)
        await until(lambda: not any('"open"' in text for text in second.checkpoints.values()))
    events = [event for event in first.events + second.events if event.trigger == "t"]
    assert [event.line for event in events] == ["\n".join(TRACE)]
    assert events[0].facts == {"pattern": "0", "before": "INFO"}


def test_a_pattern_that_backtracks_without_end_delays_a_poll_for_a_bounded_time(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log, patterns=r"(a|aa)+$", multiline="^#")})
    append(log, *(line for _ in range(3) for line in ("# " + "a" * 60, "!")))
    pass_quiet_time(daemon)
    (problem,) = daemon.problems
    assert problem.startswith("t: 3 lines could not be decided in time")


@pytest.mark.parametrize("seed", range(15 if THOROUGH else 6))
def test_every_record_is_reported_once_whatever_happens(tmp_path, seed):
    """Partial writes, rotations of both kinds within records, restarts and kills."""
    rng = random.Random(seed)
    log = tmp_path / "app.log"
    stream = [
        f"{'  at' if rng.random() < 0.6 else 'x'} {number}" + "." * rng.randrange(200)
        for number in range(100)
    ]
    stream[0] = "x first"
    daemon = VirtualDaemon({"t": trigger(log, multiline="^x", before=2), "l": trigger(log)})
    for number, line in enumerate(stream):
        cut = rng.randrange(len(line))
        append(log, line[:cut].encode())
        step(daemon, rng)
        append(log, f"{line[cut:]}\n".encode())
        if number == 0:
            daemon.poll_all()
        if rng.random() < 0.1:
            if rng.random() < 0.5:
                log.rename(tmp_path / f"app.log.{number}")
            else:
                daemon.poll_all()
                (tmp_path / f"app.log.{number}").write_bytes(log.read_bytes())
                os.truncate(log, 0)
        step(daemon, rng)
    daemon.poll_all()
    pass_quiet_time(daemon)
    assert daemon.lines("l") == stream
    starts = [at for at, line in enumerate(stream) if line.startswith("x")]
    ends = [*starts[1:], len(stream)]
    reported = [
        (event.facts.get("before", ""), event.line)
        for event in daemon.events
        if event.trigger == "t"
    ]
    assert reported == [
        ("\n".join(stream[max(0, start - 2) : start]), "\n".join(stream[start:end]))
        for start, end in zip(starts, ends, strict=True)
    ]


def step(daemon, rng):
    match rng.randrange(8):
        case 0:
            daemon.poll_all(commit=False)
            daemon.restart()
        case 1:
            daemon.restart()
        case 2:
            daemon.pass_time(0.2)
        case 3 | 4:
            daemon.poll_all()
