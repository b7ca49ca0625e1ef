"""Candidates, verification within a time limit, bounds, and the cache of databases."""

import os
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.matching import PatternSet, Scanner
from notifyd.matching.verifier import decode_line


def hits(pattern_sets, block, **keys):
    return Scanner(pattern_sets, cache=None, **keys).scan(bytearray(block), 0, len(block)).hits


def test_a_hit_has_trigger_offset_line_pattern_and_fields():
    pattern_set = PatternSet("t", ("nothing", r"(?P<a>\d+)(?P<b>x)?"))
    (hit,) = hits([pattern_set], b"one\n22\r\n")
    assert hit == ("t", 4, "22", 1, {"a": "22", "b": ""})


def test_the_first_pattern_in_the_list_wins_and_a_line_counts_once():
    found = hits([PatternSet("t", ("b", "a")), PatternSet("u", ("a", "b", r"\p{L}"))], b"ab\n")
    assert [(hit.trigger, hit.pattern) for hit in found] == [("t", 0), ("u", 0)]


def test_a_pattern_tried_on_every_line_keeps_its_position():
    found = hits([PatternSet("t", (r"\p{Lu}", "a")), PatternSet("u", ("a", ""))], b"a\nB\n")
    assert [(hit.trigger, hit.offset, hit.pattern) for hit in found] == [
        ("t", 0, 1),
        ("u", 0, 0),
        ("t", 2, 0),
        ("u", 2, 1),
    ]


def test_exclude_drops_a_line():
    assert [
        hit.line for hit in hits([PatternSet("t", ("a",), ("b", "^ac"))], b"a\nab\nac\nca\n")
    ] == [
        "a",
        "ca",
    ]


def test_only_the_part_between_the_offsets_is_scanned():
    block = bytearray(b"a1\na2\na3\na4")
    scan = Scanner([PatternSet("t", ("a",))], cache=None).scan(block, 3, 9)
    assert [(hit.offset, hit.line) for hit in scan.hits] == [(3, "a2"), (6, "a3")]
    assert scan.end == 9


def test_an_overlong_line_is_matched_by_its_beginning_and_marked():
    pattern_sets = [
        PatternSet("t", ("^x+$",), max_line=100),
        PatternSet("u", ("end",), max_line=100),
    ]
    found = hits(pattern_sets, b"x" * 100 + b"\n" + b"x" * 500 + b"end\n")
    assert [(hit.trigger, hit.line) for hit in found] == [
        ("t", "x" * 100),
        ("t", "x" * 100 + "… (cut)"),
    ]


def test_a_character_that_the_limit_cuts_is_dropped():
    assert decode_line("é".encode() * 10, "utf-8", 5) == ("éé", True)
    assert decode_line(b"\xffabc", "utf-8", 2) == ("\ufffda", True)


@given(
    lines=st.lists(st.sampled_from([b"x", b"", b"yy", b"x" * 3000]), max_size=300),
    limit=st.integers(1, 20),
    room=st.sampled_from([100, 10_000, 1 << 30]),
    every=st.booleans(),
)
def test_scans_are_bounded_and_together_find_every_hit(lines, limit, room, every):
    block = bytearray(b"".join(line + b"\n" for line in lines))
    scanner = Scanner([PatternSet("t", ("x", "") if every else ("x",))], cache=None)
    found, at = [], 0
    while at < len(block):
        scan = scanner.scan(block, at, len(block), limit=limit, room=room)
        assert len(scan.hits) <= limit
        assert scan.end > at
        found += scan.hits
        at = scan.end
    assert [hit.line for hit in found] == [line.decode() for line in lines if every or b"x" in line]
    assert all(before.offset < after.offset for before, after in pairwise(found))


def test_a_pattern_that_backtracks_without_end_does_not_stop_others():
    pattern_sets = [PatternSet("bad", (r"(a|a)+$", "late")), PatternSet("good", ("b",))]
    scanner = Scanner(pattern_sets, cache=None, time_limit=0.02)
    block = bytearray((b"a" * 40 + b"b late\n") + (b"a" * 40 + b"b\n") * 30)
    found, at = [], 0
    while at < len(block):
        scan = scanner.scan(block, at, len(block), limit=100)
        found += scan.hits
        at = scan.end
    assert scanner.timed_out == {"bad": 30, "good": 0}
    assert [hit.trigger for hit in found if hit.offset == 0] == ["bad", "good"]
    assert len([hit for hit in found if hit.trigger == "good"]) == 31


def test_a_hostile_first_line_pattern_ends_a_scan_early_and_every_line_is_scanned():
    pattern_set = PatternSet("bad", ("needle",), first=r"^(a|a)+$")
    scanner = Scanner([pattern_set, PatternSet("good", ("needle",))], cache=None, time_limit=0.004)
    block = bytearray((b"a" * 40 + b"b\n") * 50 + b"needle\n" + b"aaa\nneedle\n")
    found, at, scans = [], 0, 0
    while at < len(block):
        scan = scanner.scan(block, at, len(block), limit=100)
        assert scan.end > at
        found += scan.hits
        at, scans = scan.end, scans + 1
    assert scans > 1
    assert scanner.timed_out["bad"] >= 50
    assert [hit.offset for hit in found if hit.trigger == "good"] == [2100, 2111]
    assert [(hit.offset, hit.pattern) for hit in found if hit.trigger == "bad"] == [(2107, 0)]


def test_only_records_that_may_match_and_their_neighbours_are_hits():
    lines = [b"# %d\n  at %d\n  at x%d\n" % (n, n, n) for n in range(1000)]
    lines[500] = b"# 500\n  at needle\n  at y\n"
    block = bytearray(b"  the end of an earlier one\n" + b"".join(lines))
    found = Scanner([PatternSet("t", ("needle",), first="^#")], cache=None).scan(
        block, 0, len(block)
    )
    starts = [(block[hit.offset :].split(b"\n")[0], hit.pattern) for hit in found.hits]
    assert starts == [(b"# 0", -1), (b"# 500", 0), (b"# 501", -1), (b"# 999", -1)]


def test_an_exclusion_that_times_out_keeps_the_line_and_is_counted():
    scanner = Scanner([PatternSet("t", ("b",), (r"(a|a)+$",))], cache=None, time_limit=0.01)
    block = bytearray(b"a" * 40 + b"b\n")
    assert len(scanner.scan(block, 0, len(block)).hits) == 1
    assert scanner.timed_out == {"t": 1}


def test_a_pattern_that_hyperscan_refuses_is_tried_on_every_line(tmp_path):
    too_large = "(" + "|".join(f"[a-z]{{8}}{n}" for n in range(900)) + ")"
    found = hits([PatternSet("t", (too_large, "plain"))], b"abcdefgh899\nplain\n")
    assert [hit.line for hit in found] == ["abcdefgh899", "plain"]


PATTERN_SETS = [PatternSet("t", (r"(?P<n>\d+) apples", "pears"))]


def scans(directory):
    block = bytearray(b"12 apples\nplums\n")
    return [
        hit.line for hit in Scanner(PATTERN_SETS, cache=directory).scan(block, 0, len(block)).hits
    ]


def test_databases_are_cached_on_disk(tmp_path):
    directory = tmp_path / "a" / "b"
    assert scans(directory) == ["12 apples"]
    (file,) = directory.iterdir()
    os.utime(file, (0, 0))
    before = file.read_bytes()
    assert scans(directory) == ["12 apples"]
    assert file.read_bytes() == before
    assert file.stat().st_mtime > 0
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [b"", b"x", b"half", b"flipped"])
def test_a_damaged_cache_file_is_replaced(tmp_path, damage):
    scans(tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    if damage == b"half":
        damage = whole[: len(whole) // 2]
    if damage == b"flipped":
        damage = whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:]
    file.write_bytes(damage)
    assert scans(tmp_path) == ["12 apples"]
    assert file.read_bytes() == whole


def test_an_unwritable_cache_directory_is_ignored(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert scans(blocked / "cache") == ["12 apples"]


def test_old_cache_files_are_removed(tmp_path):
    for number in range(70):
        Scanner([PatternSet("t", (f"pattern {number}",))], cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 64
