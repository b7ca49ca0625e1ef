"""Unit patterns and cursors mean what they mean to journalctl."""

from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.journal.cursor import ParsedCursor
from notifyd.sources.journal.entry import EntryDecoder
from notifyd.sources.journal.identity import OwnIdentity
from notifyd.sources.journal.units import journalctl_matches, matches_any

UID = 1000
UNITS = st.sampled_from(["a.service", "b.service", "c.timer"])
NAMED = ("_SYSTEMD_UNIT", "UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT")
USERS = ("_SYSTEMD_USER_UNIT", "USER_UNIT")
FIELDS = st.fixed_dictionaries(
    {"_PID": st.sampled_from(["1", "77"]), "_UID": st.sampled_from(["0", str(UID), "5"])},
    optional=dict.fromkeys((*NAMED, *USERS), UNITS),
)


def answers(words, fields):
    """Return whether journalctl would show an entry: if all matches between two "+" apply."""
    terms = " ".join(words).split(" + ")
    return any(
        all(fields.get(name) == value for name, value in (part.split("=") for part in term.split()))
        for term in terms
    )


@given(FIELDS, st.lists(UNITS, min_size=1, unique=True))
def test_journalctl_and_the_router_agree(fields, units):
    entry = EntryDecoder(OwnIdentity(4242, UID)).decode(
        {b"__CURSOR": b"c"} | {name.encode(): value.encode() for name, value in fields.items()}
    )
    assert matches_any(units, entry.sender.units) == answers(journalctl_matches(units, UID), fields)


def test_a_glob_reads_all_entries():
    assert journalctl_matches(["a.service", "b*"], UID) == []


CURSOR = "s={s};i={i:x};b={b};m={m:x};t={t:x};x=9"


def cursor(**parts):
    given = {"s": "aa", "i": 10, "b": "bb", "m": 20, "t": 30} | parts
    return ParsedCursor.parse(CURSOR.format(**given))


def test_entries_are_ordered_by_number_then_within_a_boot_then_by_time():
    here = cursor()
    assert cursor(i=11, m=1, t=1).is_after(here)
    assert not cursor(i=9, m=99, t=99).is_after(here)
    assert cursor(s="ff", i=1, m=21, t=1).is_after(here)
    assert cursor(s="ff", i=1, b="ff", m=1, t=31).is_after(here)
    assert not cursor(s="ff", i=99, b="ff", m=99, t=30).is_after(here)


def test_an_entry_is_the_same_after_it_was_moved_to_disk():
    assert cursor(s="ff", i=1).is_same_entry(cursor())
    assert not cursor(m=21).is_same_entry(cursor())
