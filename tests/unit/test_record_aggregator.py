"""Context and records are a fold: cuts and restarts change nothing, and what is held is bounded."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.logs.aggregators import event
from notifyd.sources.records.aggregator import RecordAggregator
from support.logs import judge_for, scanner_for, trigger

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
    """A carry with real matching behind it."""

    def __init__(self, config):
        self.config = config
        triggers = {"t": config}
        self.scanner, self.judge = scanner_for(triggers)(("t",)), judge_for(triggers)("t").judge
        self.carry = RecordAggregator(config, "/app.log")
        self.events = []

    def feed(self, content):
        block = bytearray(content)
        hits = self.scanner.scan(block, 0, len(block), limit=10_000, room=1 << 30).hits
        self.events += self.carry.feed(block, 0, len(block), hits, judge=self.judge, make=self.made)

    def restart(self):
        self.carry = RecordAggregator.resume(self.config, "t", self.carry.text())

    def flush(self):
        self.events += self.carry.flush(self.judge, self.made)

    def made(self, hit):
        return event(hit, 1.0, "/app.log")

    @property
    def seen(self):
        return [
            (event.facts.get("before", ""), event.line, event.facts.get("after", ""))
            for event in self.events
        ]


def naive(config, lines):
    """The same from all lines at once, without any carry."""
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
def test_any_cuts_and_restarts_give_the_events_of_the_whole(config, lines, cuts, restarts):
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


def test_a_record_without_end_is_cut_and_says_so_and_the_next_is_whole():
    fold = Fold(trigger("/app.log", patterns="#", multiline="^#", max_line="1KiB"))
    fold.feed(b"# long\n")
    for _ in range(1000):
        fold.feed(b"x" * 999 + b"\n")
    assert len(fold.carry.text()) < 2000
    fold.feed(b"# next\n")
    fold.flush()
    assert len(fold.events[0].line) < 1100
    assert fold.events[0].line.endswith("x… (cut)")
    assert fold.events[1].line == "# next"


def test_what_is_owed_is_bounded_and_nothing_of_it_lost():
    fold = Fold(trigger("/app.log", patterns="x", before=50, after=50))
    for _ in range(40):
        fold.feed(b"x" * 60_000 + b"\n")
        assert len(fold.carry.text()) < 1 << 19
    fold.flush()
    assert len(fold.events) == 40
    assert all(len(event.facts.get("before", "")) <= 2000 for event in fold.events)


def test_a_carry_that_nobody_wrote_is_none():
    config = trigger("/app.log")
    for text in ("", "7", "{}", '{"path": 7}', '{"path": "/x", "previous": [], "open": 1}'):
        assert RecordAggregator.resume(config, "t", text) is None
