"""Silence is no gap: a place goes on though nothing that is wanted comes, and never too far."""

import asyncio
import time

import pytest

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.query import JournalQuery
from support.journal import Journal, trigger
from support.logs import until

LAST = "--lines=1"


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "bin")


def number(checkpoints):
    """Tell behind which entry of the journal a place is."""
    cursor = Cursor.decode(checkpoints["journal:read"]).parsed
    return cursor.number if cursor else 0


async def test_a_unit_that_was_silent_for_longer_than_the_journal_is_kept_makes_no_gap(journal):
    async with journal.running(trigger(), idle_advance=0.1) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
        journal.write(*"abc", unit="other.service")
        await seen.until(lambda: number(seen.checkpoints) == 4)
    journal.vacuum(3)
    journal.write("two")
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as later:
        await later.until(lambda: later.lines)
        assert later.source.health().messages == []
    assert later.lines == ["two"]


async def test_when_the_journal_is_rotated_the_place_goes_on_at_once(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
        journal.write("other", unit="other.service")
        await until(journal.followed)
        await asyncio.sleep(0.2)
        assert number(seen.checkpoints) == 1
        journal.rotate()
        await seen.until(lambda: number(seen.checkpoints) == 2)


async def test_a_start_takes_the_place_to_where_the_journal_ended(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
    journal.write("two")
    journal.write(*"abc", unit="other.service")
    asked = len(journal.asked(LAST))
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as later:
        await later.until(lambda: number(later.checkpoints) == 5)
    assert later.lines == ["two"]
    assert len(journal.asked(LAST)) == asked + 1


async def test_what_journalctl_has_not_given_yet_is_not_passed_over(journal):
    async with journal.running(trigger(), idle_advance=0.1) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
        await until(journal.followed)
        journal.lag.touch()
        journal.write("two")
        journal.write("other", unit="other.service")
        asked = len(journal.asked(LAST))
        await until(lambda: len(journal.asked(LAST)) >= asked + 3)
        assert number(seen.checkpoints) == 1
    journal.lag.unlink()
    async with journal.running(trigger(), checkpoints=seen.checkpoints) as later:
        await later.until(lambda: later.lines == ["two"])


def test_what_is_written_while_the_end_is_looked_up_is_not_passed_over(journal):
    journal.write("one")
    journal.write("other", unit="other.service")
    query = JournalQuery((str(journal.command),))
    wanted = ["_SYSTEMD_UNIT=app.service"]
    first = Cursor.of_entry(next(query.read_forward(Cursor(), [])))
    assert query.find_tail(first, wanted) == Cursor.of_entry(query.last_entry())
    journal.write_next("two")
    assert query.find_tail(first, wanted) is None
    last = Cursor.of_entry(query.last_entry())
    assert query.find_tail(last, wanted) == last


async def test_what_the_daemon_itself_writes_takes_the_place_along_now_and_then(journal):
    async with journal.running(trigger("*"), idle_advance=0.1) as seen:
        await until(journal.followed)
        journal.write(*"abc", unit="notifyd.service")
        await seen.until(lambda: number(seen.checkpoints) == 3)
    assert seen.lines == []


async def test_an_idle_journal_is_asked_now_and_then_and_nothing_is_committed(journal):
    async with journal.running(trigger(), idle_advance=0.3) as seen:
        journal.write("one")
        await seen.until(lambda: number(seen.checkpoints) == 1)
        await until(journal.followed)
        batches, asked = len(seen.batches), len(journal.asked(LAST))
        started = time.monotonic()
        await until(lambda: len(journal.asked(LAST)) >= asked + 4)
        assert time.monotonic() - started > 2 * 0.3
        assert len(seen.batches) == batches
