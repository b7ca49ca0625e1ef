"""The cursor of a reader without entries advances to the journal's end, and skips nothing."""

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
    """Return the number of the entry that the stored cursor is at."""
    cursor = Cursor.decode(checkpoints["journal:read"]).parsed
    return cursor.number if cursor else 0


async def test_a_unit_silent_for_longer_than_the_journal_is_kept_has_no_gap(journal):
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


async def test_a_rotation_of_the_journal_advances_the_cursor_at_once(journal):
    async with journal.running(trigger()) as seen:
        journal.write("one")
        await seen.until(lambda: seen.lines)
        journal.write("other", unit="other.service")
        await until(journal.followed)
        await asyncio.sleep(0.2)  # for a checkpoint, which must not come
        assert number(seen.checkpoints) == 1
        journal.rotate()
        await seen.until(lambda: number(seen.checkpoints) == 2)


async def test_a_start_advances_the_cursor_to_the_end_of_the_journal(journal):
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


async def test_an_entry_that_journalctl_has_not_shown_yet_is_not_skipped(journal):
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


def test_an_entry_written_while_the_tail_is_looked_up_is_not_skipped(journal):
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


async def test_own_entries_advance_the_cursor_now_and_then(journal):
    async with journal.running(trigger("*"), idle_advance=0.1) as seen:
        await until(journal.followed)
        journal.write(*"abc", unit="notifyd.service")
        await seen.until(lambda: number(seen.checkpoints) == 3)
    assert seen.lines == []


async def test_an_idle_journal_is_queried_now_and_then_without_a_commit(journal):
    async with journal.running(trigger(), idle_advance=0.1) as seen:
        journal.write("one")
        await seen.until(lambda: number(seen.checkpoints) == 1)
        await until(journal.followed)
        batches, asked = len(seen.batches), len(journal.asked(LAST))
        started = time.monotonic()
        await until(lambda: len(journal.asked(LAST)) >= asked + 4)
        assert time.monotonic() - started > 2 * 0.1
        assert len(seen.batches) == batches
