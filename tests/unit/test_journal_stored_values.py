"""Checkpoints of the journal source: released formats are read and written, others refused."""

import json

import pytest

from notifyd.sources.journal.aggregators import StreamAggregators
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.dropped_entries import DroppedCount
from notifyd.sources.journal.registry import CatchUp, JournalRegistry, UnitPattern
from notifyd.sources.records.scanning import LineSourceOptions
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues
from support.journal import trigger
from support.logs import record_matcher_for, scanner_for
from support.stored import changed, golden, without

TRIGGERS = {"web": trigger("app", "db*", multiline="^x", before=2, after=2)}
STORED = dict(
    map(
        golden,
        ("journal-cursor", "journal-start", "journal-catch-up", "journal-dropped"),
    )
)
READ, START, LANE, LOST = STORED
RECORD = golden("journal-record")[0]
END = Cursor(json.loads(STORED[READ])["cursor"], 7)


def aggregators(checkpoints, refused=None):
    options = LineSourceOptions(
        TRIGGERS, scanner_for(TRIGGERS), record_matcher_for(TRIGGERS), lambda: 0.0
    )
    return StreamAggregators(
        options, checkpoints, reader_id="0", refused=refused or RefusedValues("journal")
    )


def test_a_cursor_is_written_as_before():
    _, value = golden("journal-cursor")
    cursor = Cursor.decode(value)
    assert (cursor.realtime, cursor.parsed.number) == (1764496062000000, 7)
    assert cursor.gap_end.startswith("s=5555")
    assert cursor.encode() == value


@pytest.mark.parametrize("gone", [True, False])
def test_a_cursor_of_an_early_version_has_no_gone_or_a_boolean(gone):
    _, value = golden("journal-start")
    for text in (without(value, "gone"), changed(value, gone=gone)):
        assert Cursor.decode(text) == Cursor.decode(value)


def test_a_catch_up_is_written_as_before():
    _, value = golden("journal-catch-up")
    catch_up = CatchUp.decode("web", value)
    assert (catch_up.patterns, catch_up.served) == (("app.service", "db*"), ("cron.service",))
    assert (catch_up.cursor.gap_end[:4], catch_up.until.gap_end) == ("s=55", "")
    assert catch_up.encode() == value


def test_a_catch_up_of_an_early_version_has_no_gone():
    _, value = golden("journal-catch-up")
    place = json.loads(value)["place"][:2]
    for row in (place, [*place, False], [*place, "", "additional"]):
        assert CatchUp.decode("web", changed(value, place=row)).cursor == Cursor(*place)


def test_a_count_of_dropped_entries_is_written_as_before():
    _, value = golden("journal-dropped")
    dropped = DroppedCount.decode(value)
    assert (dropped.count, dropped.unit, dropped.read_at) == (12, "app.service", 1764496062.25)
    assert dropped.encode() == value


def test_a_pending_record_is_written_as_before():
    key, value = golden("journal-record")
    restored = aggregators({key: value})
    restored._changed.update(restored._streams)
    assert restored.take_changes() == {key: value}


def test_unknown_keys_are_ignored():
    for name, read in {
        "journal-cursor": Cursor.decode,
        "journal-catch-up": lambda value: CatchUp.decode("web", value),
        "journal-dropped": DroppedCount.decode,
    }.items():
        _, value = golden(name)
        assert read(changed(value, added_later=[1])) == read(value)


def test_the_stored_values_of_a_registry_are_all_restored():
    registry = JournalRegistry(TRIGGERS, STORED)
    assert registry.cursor.encode() == STORED[READ]
    assert registry.inactive == {UnitPattern("web", "app.service"): Cursor.decode(STORED[START])}
    assert registry.catch_ups[LANE].encode() == STORED[LANE]
    assert registry.dropped.counts() == {"web": 12}
    assert registry.refused.problems == []
    assert registry.take_changes() == {}


@pytest.mark.parametrize(
    ("key", "damage", "reason", "stored"),
    [
        (READ, {"stamp": "now"}, 'cursor: "stamp" must be an integer', END.encode()),
        (READ, {"cursor": "s=1"}, 'cursor: "cursor" is not a cursor of the journal', END.encode()),
        (READ, {"format": 2}, "cursor: a newer version of notifyd wrote it", END.encode()),
        (START, {"cursor": 7}, 'start of app.service for trigger web: "cursor" must be', ""),
        (START, {"format": 2}, "start of app.service for trigger web: a newer version", ""),
        (LANE, {"place": 7}, "catch-up position of trigger web: it must be a JSON array", None),
        (LANE, {"until": ["", -1]}, 'catch-up position of trigger web: "stamp" must be', None),
        (LANE, {"units": [7]}, 'catch-up position of trigger web: "units" must be', None),
        (LANE, {"format": 2}, "catch-up position of trigger web: a newer version", None),
        (LOST, {"count": 1.5}, 'count of dropped entries of trigger web: "count" must', None),
        (LOST, {"stamp": 1 << 62}, 'count of dropped entries of trigger web: "stamp"', None),
        (LOST, {"noted": "x"}, 'count of dropped entries of trigger web: "noted"', None),
        (LOST, {"format": 2}, "count of dropped entries of trigger web: a newer version", None),
    ],
)
def test_one_refused_value_leaves_the_others_as_they_are(key, damage, reason, stored):
    registry = JournalRegistry(TRIGGERS, STORED | {key: changed(STORED[key], **damage)})
    (problem,) = registry.refused.problems
    assert problem.message.startswith(f"discarded the stored journal {reason}")
    registry.arm(END, lambda *_: Cursor())
    written = registry.take_changes()
    assert written.pop(key) == stored
    # `db*` is armed at this start.
    assert set(written) == {"journal:armed:web:db*"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"carry": 7}, '"carry" must be a string'),
        ({"carry": "nonsense"}, '"nonsense" is not JSON'),
        ({"facts": {"pid": 7}}, '"facts" must be an object of strings'),
        ({"wall": -1}, '"wall" must be a number of seconds'),
        ({"format": 2}, "a newer version of notifyd wrote it"),
    ],
)
def test_a_refused_pending_record_is_forgotten_and_another_is_not(damage, reason):
    _, value = golden("journal-record")
    other = "journal:carry:0:web:8:app.service"
    refused = RefusedValues("journal")
    restored = aggregators({RECORD: changed(value, **damage), other: value}, refused)
    assert restored.take_changes() == {RECORD: None}
    (problem,) = refused.problems
    assert problem.message.startswith(
        f"discarded the stored journal record of trigger web and app.service: {reason}"
    )
    assert [event.line[:2] for event in restored.flush_and_clear()] == ["x ", "x "]


@pytest.mark.parametrize("value", ["", "{}", "[]", '{"cursor": 1}', "nonsense"])
def test_what_is_not_a_cursor_is_refused(value):
    with pytest.raises(CheckpointValueError):
        Cursor.decode(value)


def test_a_cursor_that_journalctl_would_refuse_is_refused():
    _, value = golden("journal-cursor")
    good = json.loads(value)["cursor"]
    for bad in (good.replace("5", "g"), good + "\0", good[2:], good + ";x"):
        with pytest.raises(CheckpointValueError, match="not a cursor of the journal"):
            Cursor.decode(changed(value, cursor=bad))
