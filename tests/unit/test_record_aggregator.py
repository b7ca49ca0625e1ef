"""Aggregation is a fold: blocks and restarts change nothing, and its state is bounded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.logs.aggregators import to_event
from notifyd.sources.records.aggregator import RecordAggregator
from notifyd.sources.stored_values import CheckpointValueError
from support.logs import record_matcher_for, scanner_for, trigger
from support.stored import changed, golden

LINES = st.lists(st.sampled_from([b"# one", b"# x two", b"  at x", b"x", b"", b"y\r", b"\xff"]))
CONFIGS = st.builds(
    lambda patterns, before, after, multiline: trigger(
        "/app.log", patterns=patterns, before=before, after=after, multiline=multiline
    ),
    st.sampled_from(["x", "at x", "two"]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, "^#", "^(?=#)"]),
)


class Fold:
    """An aggregator with real matching."""

    def __init__(self, config):
        self.config = config
        triggers = {"t": config}
        self.scanner, self.match = (
            scanner_for(triggers)(("t",)),
            record_matcher_for(triggers)("t").match,
        )
        self.aggregator = RecordAggregator(config, "/app.log")
        self.events = []

    def feed(self, content):
        block = bytearray(content)
        hits = self.scanner.scan(block, 0, len(block), limit=10_000, room=1 << 30).hits
        self.events += self.aggregator.feed(
            block, 0, len(block), hits, match_record=self.match, make_event=self.made
        )

    def restart(self):
        self.aggregator = RecordAggregator.decode(self.config, "t", self.aggregator.encode())

    def flush(self):
        self.events += self.aggregator.flush(self.match, self.made)

    def made(self, hit):
        return to_event(hit, 1.0, "/app.log")

    @property
    def seen(self):
        return [
            (event.facts.get("before", ""), event.line, event.facts.get("after", ""))
            for event in self.events
        ]


def naive(config, lines):
    """Return the expected events from all lines at once."""
    lines = [line.removesuffix(b"\r").decode(errors="replace") for line in lines]
    starts = [
        at for at, line in enumerate(lines) if not (at and config.multiline) or line[:1] == "#"
    ]
    found = []
    for start, end in pairwise([*starts, len(lines)]):
        record = "\n".join(lines[start:end])
        if config.patterns[0] in record:
            before = lines[max(0, start - config.before) : start]
            found.append(("\n".join(before), record, "\n".join(lines[end : end + config.after])))
    return found


@given(CONFIGS, LINES, st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_any_blocks_and_restarts_give_the_same_events(config, lines, cuts, restarts):
    fold, block = Fold(config), b""
    for number, line in enumerate(lines):
        block += line + b"\n"
        if number in cuts:
            fold.feed(block)
            block = b""
        if number in restarts:
            fold.restart()
    fold.feed(block)
    fold.flush()
    assert fold.seen == naive(config, lines)


def test_an_endless_record_is_truncated_and_the_next_one_is_complete():
    fold = Fold(trigger("/app.log", patterns="#", multiline="^#", max_line="1KiB"))
    fold.feed(b"# long\n")
    for _ in range(1000):
        fold.feed(b"x" * 999 + b"\n")
    assert len(fold.aggregator.encode()) < 2000
    fold.feed(b"# next\n")
    fold.flush()
    assert len(fold.events[0].line) < 1100
    assert fold.events[0].line.endswith("x… (cut)")
    assert fold.events[1].line == "# next"


def test_pending_events_are_bounded_and_none_is_lost():
    fold = Fold(trigger("/app.log", patterns="x", before=50, after=50))
    for _ in range(40):
        fold.feed(b"x" * 60_000 + b"\n")
        assert len(fold.aggregator.encode()) < 1 << 19
    fold.flush()
    assert len(fold.events) == 40
    assert all(len(event.facts.get("before", "")) <= 2000 for event in fold.events)


def test_the_state_is_written_as_before():
    _, value = golden("record")
    config = trigger("/app.log", multiline="^x", before=2, after=2)
    assert RecordAggregator.decode(config, "t", value).encode() == value
    more = changed(value, added_later=[1])
    assert RecordAggregator.decode(config, "t", more).encode() == value


def test_the_state_of_a_file_whose_name_is_not_utf8_can_be_stored():
    config, path = trigger("/app.log", multiline="^x"), "/caf\udce9.log"
    text = RecordAggregator(config, path).encode()
    assert text.encode() == b'{"path":"/caf\\udce9.log","previous":[]}'
    assert RecordAggregator.decode(config, "t", text).path == path


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"path": 7}, '"path" must be a string, not 7'),
        ({"previous": "x"}, '"previous" must be an array of strings, not "x"'),
        ({"open": 1}, "it must be a JSON array of raw, before, not 1"),
        ({"open": ["raw"]}, '"before" is missing'),
        ({"open": ["\u20ac", []]}, '"raw" must be bytes, one per character'),
        ({"owed": [[1, "x", "", {}, {}]]}, '"after" is missing'),
        ({"owed": [["x", "x", "", {}, {}, []]]}, '"wall" must be a number of seconds'),
        ({"format": 2}, "a newer version of notifyd wrote it in format 2"),
    ],
)
def test_a_damaged_state_is_refused(damage, reason):
    _, value = golden("record")
    with pytest.raises(CheckpointValueError) as refusal:
        RecordAggregator.decode(trigger("/app.log"), "t", changed(value, **damage))
    assert str(refusal.value).startswith(reason)
