"""Entries that journald's rate limit dropped: counted once, for the right triggers."""

import time

import pytest
from structlog.testing import capture_logs

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.dropped_entries import DroppedCount, DroppedEntries
from notifyd.sources.journal.entry import JournalEntry, SuppressedMessages
from support.journal import Journal, trigger

DAY = 86_400.0


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "bin")


async def test_dropped_entries_are_counted_for_the_triggers_of_their_unit(journal):
    triggers = {
        "app": trigger(patterns="^x"),
        "all": trigger("*", patterns="^x"),
        "records": trigger("a*", patterns="^x", multiline="^x"),
        "other": trigger("other", patterns="^x"),
        "journald": trigger("systemd-journald", patterns="Suppressed"),
    }
    async with journal.running(triggers) as seen:
        journal.suppress(3)
        journal.suppress(4)
        journal.suppress(50, unit="other.service")
        await seen.until(lambda: len(seen.lines) == 3)
        health = seen.source.health()
    assert health.dropped == {"app": 7, "records": 7, "other": 50, "all": 57}
    assert len(health.messages) == 4
    message = next(problem for problem in health.messages if problem.startswith("app: "))
    assert message.startswith(
        "app: journald's rate limit dropped 7 entries, the last of app.service "
    )
    assert "LogRateLimitBurst= in the unit, or RateLimitBurst= in journald.conf" in message


async def test_dropped_entries_are_counted_once_across_restarts_and_kills(journal):
    async with journal.running(trigger("*")) as seen:
        journal.write("x")
        await seen.until(lambda: seen.lines)
    before = dict(seen.checkpoints)
    journal.suppress(3)
    for _ in range(2):  # the first one was killed before anything was committed
        async with journal.running(trigger("*"), checkpoints=before) as seen:
            await seen.until(lambda seen=seen: seen.lines)
            assert seen.source.health().dropped == {"t": 3}
    async with journal.running(trigger("*"), checkpoints=seen.checkpoints) as later:
        assert later.source.health().dropped == {"t": 3}
        assert "rate limit dropped 3 entries" in later.source.health().messages[0]
        journal.suppress(2)
        await later.until(lambda: later.lines)
        assert later.source.health().dropped == {"t": 5}
    async with journal.running({"new": trigger("*")}, checkpoints=later.checkpoints) as seen:
        assert "journal:lost:t" not in seen.checkpoints
        assert seen.source.health().messages == []


async def test_a_catch_up_reader_counts_dropped_entries_as_well(journal):
    journal.write("one")
    journal.suppress(3)
    async with journal.running(trigger(read_from="beginning")) as seen:
        await seen.until(lambda: seen.source.health().dropped == {"t": 3})


async def test_only_reports_of_journald_count_and_own_entries_do_not(journal):
    async with journal.running(trigger("*", patterns="^end")) as seen:
        journal.suppress(3, uid="1000")
        journal.suppress(4, unit="notifyd.service")
        journal.write("", uid="0", N_DROPPED="5")
        journal.write("end")
        await seen.until(lambda: seen.lines)
        assert seen.source.health().dropped == {}


async def test_a_count_is_logged_once_and_not_each_time_that_it_grows(journal):
    with capture_logs() as logs:
        async with journal.running(trigger("*")) as seen:
            for number in range(1, 4):
                journal.suppress(number)
                await seen.until(lambda number=number: len(seen.lines) == number)
    assert len([entry for entry in logs if "rate limit dropped" in entry["event"]]) == 1


def report(number):
    return JournalEntry(Cursor(), None, b"", SuppressedMessages("app.service", number))


def test_a_count_is_shown_for_a_day():
    dropped, now = DroppedEntries("lost:"), time.time()
    dropped.add("", ["t"], report(3), now)
    checkpoints = dropped.take_changes("")
    later = DroppedEntries("lost:")
    later.restore("t", DroppedCount.decode(checkpoints["lost:t"]))
    assert later.problems(now + DAY - 1) == dropped.problems(now) != []
    assert later.problems(now + DAY + 1) == []
    later.add("", ["t"], report(2), now + 2 * DAY)
    later.take_changes("")
    assert later.counts() == {"t": 2}
