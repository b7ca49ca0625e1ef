"""The first pass over large blocks loses no line, learns what is rare, and learns again."""

import random

import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from notifyd.matching import PatternSet, Scanner, approximate, hyperscan_database
from support.examples import examples
from unit.test_matching_approximate import BYTES, PATTERNS, compiles, expected

LARGE = 40 << 10
WORDS = ["Error", "failed", "disk full", "Straße", "kill -9", "exit code", "sshd[", "naïve", "OOM"]
JOINTS = [" ", ".*", r"\d+", r"\s?", "(?:: |=)", r"\[\d+\]: ", "x?", r"[^ ]+", "é*"]
WITH_TEXT = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "(?i)", "^", r"\b"]),
    st.sampled_from(WORDS).map(regex.escape),
    st.sampled_from(JOINTS),
    st.one_of(
        st.sampled_from(WORDS).map(regex.escape),
        st.lists(st.sampled_from(WORDS).map(regex.escape), min_size=2, max_size=3).map(
            lambda words: f"({'|'.join(words)})"
        ),
    ),
)
TEXT = st.one_of(
    st.sampled_from(WORDS).map(str.encode),
    st.sampled_from(WORDS).map(lambda word: word.upper().encode()),
    st.sampled_from([b" 7 ", b": ", b"=", b"[12]: ", b"\n", b"\n", b"\r\n", b"\xc3", b"\x00"]),
    BYTES,
)


def found(scanner, block):
    """Scan a whole block, which may take several calls."""
    hits, at = [], 0
    while at < len(block):
        scan = scanner.scan(block, at, len(block), limit=50)
        hits += [(hit.offset, hit.pattern) for hit in scan.hits]
        at = scan.end
    return hits


@examples(12, 150)
@given(
    patterns=st.lists(st.one_of(WITH_TEXT, PATTERNS), min_size=1, max_size=6),
    pieces=st.lists(TEXT, max_size=60),
    encoding=st.sampled_from(["utf-8", "latin-1"]),
    seed=st.integers(0, 1000),
)
@example(["(?i)kill -9"], ["\u212aILL -9".encode(), b"\n"], "utf-8", 1)
@example(["Error.*failed"], [b"Error failed"], "utf-8", 3)
def test_every_match_in_a_large_block_is_found(patterns, pieces, encoding, seed):
    assume(all(map(compiles, patterns)))
    filler = b"nothing to see here\n" * (LARGE // 40)
    rest = random.Random(seed).choices(pieces, k=200) if pieces else []
    block = filler + b"".join(pieces) + b"\n" + filler + b"".join(rest)
    scanner = Scanner([PatternSet("t", tuple(patterns), (), encoding)], cache=None, time_limit=10)
    for _ in range(2):  # the second time with what was learned
        assert found(scanner, bytearray(block)) == expected(patterns, block, encoding)


def test_no_line_is_lost_when_a_rare_text_becomes_frequent_and_rare_again():
    scanner = Scanner([PatternSet("t", ("seldom", "other thing: \\d"))], cache=None)
    quiet = b"a line as any other\n" * 5000
    storm = b"seldom\nseldom x\nother thing: x\n" * 5000
    for block in (quiet, storm, quiet, storm, storm, quiet + b"other thing: 1\n"):
        assert len(found(scanner, bytearray(block))) == len(
            expected(["seldom", r"other thing: \d"], block, "utf-8")
        )


def test_a_log_with_bytes_that_only_pad_a_database_is_scanned():
    padding = b"".join(literal.text for literal in hyperscan_database._PADDING)
    scanner = Scanner([PatternSet("t", ("seldom",))], cache=None)
    block = bytearray(padding + b"\n" + b"nothing to see here\n" * 5000 + b"seldom\n")
    assert found(scanner, block) == [(len(block) - 7, 0)]


def texts(pattern):
    return [sorted(literals) for literals in approximate(pattern).literals]


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        (r"nginx\[\d+\]: .*upstream timed out", [(b"upstream timed out", False)]),
        (
            r"x (fail(ed|ure)|lost) y",
            [(b"x failed y", False), (b"x failure y", False), (b"x lost y", False)],
        ),
        (r"(?i)no room", [(b"no room", True)]),
        (r"(?:abc\d|defg\w)+", [(b"abc", False), (b"defg", False)]),
        (r"[sv]da error", [(b"sda error", False), (b"vda error", False)]),
        ("caf\u00e9 closed", [("café closed".encode(), False)]),
        (r"(foo)?barbar", [(b"barbar", False), (b"foobarbar", False)]),
    ],
)
def test_the_longest_required_texts_of_a_pattern_are_known(pattern, longest):
    assert texts(pattern)[0] == sorted(longest)


@pytest.mark.parametrize("pattern", [r"\d+ \w+", "(abc|)", "(?i)kiss", "ab", "a.b.c", "(abc|x)"])
def test_a_pattern_may_require_no_text(pattern):
    assert texts(pattern) == []


@examples(12, 150)
@given(
    share=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    later=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
@example(1.0, 0.0, 1)
def test_the_second_pass_changes_no_hit_whatever_share_of_lines_it_drops(share, later, seed):
    patterns = [r"sshd\[\d+\]: Failed (none|password)", "kernel: .*sd[a-z]", "kernel: .*oom", "x+y"]
    matching = [b"sshd[1]: Failed none\n", b"kernel: on sda\n", b"kernel: oom sda\n", b"xxy\n"]
    others = [b"sshd[]: Failed none\n", b"kernel: on sd\n", b"]: Failed password kernel: \n"]
    draw = random.Random(seed)

    def part(share):
        chosen = [draw.choice(matching if draw.random() < share else others) for _ in range(10)]
        return b"".join(line + (b"nothing " * 125 + b"\n") * 10 for line in chosen)

    block = part(0.0) + part(share) * 30 + part(later) * 10
    scanner = Scanner([PatternSet("t", tuple(patterns))], cache=None)
    assert found(scanner, bytearray(block)) == expected(patterns, block, "utf-8")


def test_a_line_with_very_many_required_texts_is_scanned():
    scanner = Scanner([PatternSet("t", ("seldom.*often", "often x", "rarely y"))], cache=None)
    quiet = b"nothing to see here\n" * 5000
    hostile = b"rarely often seldom " * 10_000 + b"\n" + quiet + b"seldom often\n" * 9 + quiet
    for _ in range(3):
        block = quiet + hostile
        assert found(scanner, bytearray(block)) == expected(
            ["seldom.*often", "often x", "rarely y"], block, "utf-8"
        )
