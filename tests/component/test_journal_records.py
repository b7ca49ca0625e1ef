"""Records, context lines, stale units and catch-up readers of a journal, in virtual time."""

import select
import time

import pytest

from notifyd.model.events import AlertState
from notifyd.sources.journal.identity import OwnIdentity
from notifyd.sources.journal.options import JournalSourceOptions
from notifyd.sources.journal.query import JournalQuery
from notifyd.sources.journal.registry import MAIN_READER, JournalRegistry
from notifyd.sources.journal.start_position import StartPosition
from notifyd.sources.journal.tailer import JournalTailer
from support.journal import Journal, trigger
from support.logs import record_matcher_for, scanner_for

IDENTITY = OwnIdentity(4242, 0)


class Daemon:
    """All readers of a journal. Checkpoints are committed with their events."""

    def __init__(self, journal, triggers):
        self.journal = journal
        self.triggers = triggers if isinstance(triggers, dict) else {"t": triggers}
        self.checkpoints, self.events, self.now = {}, [], 0.0
        self.tailers = []
        self.start()

    def start(self, triggers=None):
        self.triggers = triggers or self.triggers
        options = JournalSourceOptions(
            self.triggers,
            scanner_for(self.triggers),
            record_matcher_for(self.triggers),
            time.time,
            command=(str(self.journal.command),),
            roots=self.journal.roots,
            identity=IDENTITY,
        )
        registry = JournalRegistry(self.triggers, self.checkpoints)
        assert StartPosition(options, registry, JournalQuery(options.command)).find()
        self.commit(registry.take_changes())
        self.tailers = [
            JournalTailer(options, self.checkpoints, registry, key)
            for key in (MAIN_READER, *registry.catch_ups)
        ]
        self.until(lambda: self.tailers[0].is_following)

    def commit(self, checkpoints):
        for key, value in checkpoints.items():
            if value is None:
                self.checkpoints.pop(key, None)
            else:
                self.checkpoints[key] = value

    def poll(self):
        for tailer in list(self.tailers):
            batch = tailer.poll(self.now)
            self.events += batch.events
            self.commit(batch.checkpoints)
            if batch.end_reason is not None:
                tailer.close()
                self.tailers.remove(tailer)

    def until(self, condition, within=45.0):
        """Poll until the condition holds, without letting virtual time pass."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, self.lines()
            self.poll()
            select.select([tailer.descriptor for tailer in self.tailers], [], [], 0.002)

    def write(self, *messages, **fields):
        """Write entries, and poll until they are read."""
        self.journal.write(*messages, **fields)
        last = self.journal.entries.read_text().splitlines()[-1].partition('"__CURSOR": "')[2]
        cursor = last.partition('"')[0]
        self.until(lambda: self.tailers[0]._cursor.text == cursor)

    def pass_time(self, seconds):
        self.now += seconds
        self.poll()

    def restart(self, triggers=None):
        self.kill()
        self.start(triggers)

    def kill(self):
        for tailer in self.tailers:
            tailer.close()

    def lines(self, name="t"):
        return [event.line for event in self.events if event.trigger == name]


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "bin")


@pytest.fixture
def run(journal):
    made = []

    def make(triggers):
        made.append(Daemon(journal, triggers))
        return made[-1]

    yield make
    for daemon in made:
        daemon.kill()


RECORDS = {"patterns": "at b$", "multiline": r"^\S"}


def test_a_record_of_several_entries_ends_after_a_second_without_one(run):
    daemon = run(trigger(**RECORDS))
    daemon.write("ERROR one", "  at a", "  at b")
    daemon.pass_time(0.9)
    assert daemon.lines() == []
    daemon.pass_time(0.2)
    assert daemon.lines() == ["ERROR one\n  at a\n  at b"]
    assert daemon.events[0].facts["unit"] == "app.service"
    daemon.pass_time(9.0)
    assert len(daemon.lines()) == 1


def test_records_of_concurrent_processes_are_kept_apart(run):
    daemon = run(trigger(**RECORDS))
    for pid in ("1", "2"):
        daemon.write(f"ERROR {pid}", pid=pid)
    for pid in ("1", "2"):
        daemon.write(f"  of {pid}", "  at b", pid=pid)
    daemon.write("INFO", pid="2")
    assert daemon.lines() == ["ERROR 2\n  of 2\n  at b"]
    daemon.pass_time(1.1)
    assert daemon.lines()[1:] == ["ERROR 1\n  of 1\n  at b"]


def test_an_open_record_is_continued_after_a_kill(run):
    daemon = run(trigger(**RECORDS))
    daemon.write("ERROR one")
    daemon.pass_time(0.6)
    daemon.write("  at a")
    daemon.pass_time(0.5)
    assert [key for key in daemon.checkpoints if "carry" in key]
    daemon.restart()
    daemon.write("  at b", "INFO")
    assert daemon.lines() == ["ERROR one\n  at a\n  at b"]


def test_context_lines_are_entries_of_the_same_unit(run):
    daemon = run(trigger("*", patterns="ERROR", before=2, after=1))
    daemon.write("one", "two\nlines", unit="a.service")
    daemon.write("noise", unit="b.service")
    daemon.write("ERROR", unit="a.service", pid="9")
    daemon.pass_time(0.6)
    daemon.write("more noise", unit="b.service")
    daemon.pass_time(0.3)
    daemon.restart()
    daemon.write("three", unit="a.service")
    (event,) = daemon.events
    assert (event.facts["before"], event.facts["after"]) == ("one\ntwo lines", "three")
    assert (event.facts["unit"], event.facts["pid"]) == ("a.service", "9")


def test_a_stale_unit_is_reported_once_and_so_is_its_end(run):
    daemon = run({"t": trigger(stale="10s"), "all": trigger("*")})
    daemon.poll()
    for _ in range(3):
        daemon.write("of another", unit="other.service")
        daemon.pass_time(4.0)
    assert daemon.lines() == ["no line in app.service for 10s"]
    daemon.write("anything")
    daemon.poll()
    assert [event.alert_state for event in daemon.events if event.alert_state] == [
        AlertState.FIRING,
        AlertState.RESOLVED,
    ]


def test_a_number_of_a_unit_that_stands_still_is_reported_over_a_restart(run):
    daemon = run({"t": trigger(patterns=r"step (?P<progress>\d+)|ERROR", stalled="10s")})
    daemon.poll()
    daemon.write("step 7", "ERROR")
    daemon.until(lambda: "ERROR" in daemon.lines(), 45.0)
    daemon.restart()
    for _ in range(5):
        daemon.pass_time(4.0)
    assert daemon.lines()[-1] == "stalled at 7 for 10s in app.service"
    daemon.write("step 8")
    daemon.until(lambda: daemon.lines()[-1] == "moving again at 8 in app.service", 45.0)
    assert not any("step" in line for line in daemon.lines())


def test_a_catch_up_and_the_main_reader_give_each_entry_once(run, journal):
    journal.write(*map(str, range(2000)))
    daemon = run({"t": trigger(read_from="beginning"), "end": trigger()})
    daemon.write(*map(str, range(2000, 2100)))
    daemon.until(lambda: len(daemon.tailers) == 1)
    assert sorted(map(int, daemon.lines())) == list(range(2100))
    assert daemon.lines("end") == [str(number) for number in range(2000, 2100)]
    assert not [key for key in daemon.checkpoints if "lane" in key]


def test_a_catch_up_continues_after_a_kill(run, journal):
    journal.write(*map(str, range(1200)))
    daemon = run(trigger(read_from="beginning"))
    for number in range(10, 800, 200):
        daemon.until(lambda number=number: len(daemon.events) > number)
        daemon.restart()
    daemon.until(lambda: len(daemon.tailers) == 1)
    assert daemon.lines() == [str(number) for number in range(1200)]


def test_catch_up_limits_how_far_back_reading_starts(run, journal):
    journal.write(*(f"{number:09}" for number in range(100)))
    journal.write("x" * 5000, unit="other.service")
    daemon = run(trigger(read_from="beginning", catch_up="100B"))
    daemon.until(lambda: len(daemon.tailers) == 1)
    assert daemon.lines() == [f"{number:09}" for number in range(90, 100)]


def test_a_trigger_or_unit_added_later_starts_then(run, journal):
    daemon = run({"t": trigger("app")})
    daemon.write("one", "two")
    daemon.kill()
    journal.write("other one", unit="other.service")
    journal.write("three")
    journal.write("other two", unit="other.service")
    daemon.start({"t": trigger("app", "other"), "new": trigger("app")})
    daemon.write("four")
    daemon.write("other three", unit="other.service")
    assert daemon.lines() == ["one", "two", "three", "four", "other three"]
    assert daemon.lines("new") == ["four"]


def test_a_catch_up_of_an_added_unit_repeats_no_entry_of_the_others(run, journal):
    journal.write("before")
    journal.write("other one", unit="other.service")
    daemon = run({"t": trigger("app")})
    daemon.write("one")
    daemon.pass_time(1.0)
    daemon.restart({"t": trigger("app", "*", read_from="beginning")})
    daemon.write("two")
    daemon.until(lambda: len(daemon.tailers) == 1)
    assert sorted(daemon.lines()) == ["one", "other one", "two"]


def test_checkpoints_that_no_trigger_needs_are_deleted(run):
    daemon = run({"t": trigger(**RECORDS), "gone": trigger(**RECORDS)})
    daemon.write("ERROR open")
    daemon.restart({"t": trigger()})
    daemon.pass_time(2.0)
    daemon.pass_time(2.0)
    assert set(daemon.checkpoints) == {"journal:read", "journal:armed:t:app.service"}


def test_messages_are_matched_by_their_visible_text_unless_raw(journal):
    daemon = Daemon(
        journal,
        {
            "visible": trigger(patterns="^ERROR"),
            "records": trigger(patterns="(?s)^ERROR.*at x$", multiline=r"^\S"),
            "raw": trigger(patterns=r"^\x1b", raw=True),
        },
    )
    daemon.write("\x1b[31mERROR\x1b[0m one", "1%\rERROR two\r", "ERROR three\n\x1b[2m at x\x1b[0m")
    daemon.pass_time(2.0)
    assert daemon.lines("visible") == ["ERROR one", "ERROR two", "ERROR three\n at x"]
    assert daemon.lines("records") == ["ERROR three\n at x"]
    assert daemon.lines("raw") == ["\x1b[31mERROR\x1b[0m one"]
    daemon.kill()
