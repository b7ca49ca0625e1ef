"""The export format: any fields, in any chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.journal.export import ExportParser

MOST = 64
NAMES = st.text("ABCDEFGH_", min_size=1, max_size=20).map(str.encode)
VALUES = st.one_of(
    st.binary(max_size=40),
    st.text("a=\n\t ", max_size=40).map(str.encode),
    st.binary(min_size=MOST, max_size=900),
)
ENTRIES = st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5), max_size=6)


def written(entries):
    """Encode entries as journalctl does."""
    out = b""
    for entry in entries:
        for name, value in entry.items():
            if b"\n" in value or any(byte < 32 and byte != 9 for byte in value):
                out += name + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
            else:
                out += name + b"=" + value + b"\n"
        out += b"\n"
    return out


@given(ENTRIES, st.lists(st.integers(1, 700)))
def test_any_chunks_give_the_same_entries(entries, sizes):
    parser, rest, found = ExportParser(MOST), written(entries), []
    for size in [*sizes, 1 << 20]:
        found += parser.feed(rest[:size])
        rest = rest[size:]
        assert len(parser._rest) < 2 * MOST + 300, "what is held is bounded"
    assert found == [{name: value[:MOST] for name, value in entry.items()} for entry in entries]


@pytest.mark.parametrize("form", [b"MESSAGE=", b"MESSAGE\n" + (50_000_000).to_bytes(8, "little")])
def test_a_huge_value_is_skipped_in_bounded_memory(form):
    parser = ExportParser(MOST)
    assert parser.feed(b"__CURSOR=c\n" + form) == []
    for _ in range(50):
        assert parser.feed(b"x" * 1_000_000) == []
        assert len(parser._rest) < 2 * MOST + 300
    (entry,) = parser.feed(b"\nAFTER=1\n\n")
    assert entry == {b"__CURSOR": b"c", b"MESSAGE": b"x" * MOST, b"AFTER": b"1"}
