"""On short ASCII lines, `re` decides exactly as the regex module does."""

import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from notifyd.matching import PatternSet, Scanner
from notifyd.matching.ascii_pattern import compile_ascii
from notifyd.matching.verifier import _ASCII_AFTER
from support.examples import examples
from unit.test_matching_approximate import CLASSES, KELVIN, LONG_S, PATTERNS, compiles

ASCII = st.text(st.characters(max_codepoint=0x7F), max_size=20)
NEAR = st.lists(st.sampled_from([*"abkKsSiIxyz019 \n\t\r\x1c\x1f\x0b!.", "foo", "done"])).map(
    "".join
)


@examples(300, 5000)
@given(PATTERNS, st.one_of(ASCII, NEAR.map("".join)))
@example(r"\s", "\x1c")
@example(r"a$", "a\n")
@example(r"(?m)^b$", "a\nb\n")
@example(f"(?i){KELVIN}|{LONG_S}", "ks")
@example(r"(?i)\u212a", "k")
@example(r"(?i)\xb5|[a-\xff]", "K")
@example(r"foo{e<=1}", "fo")
@example(r"\B", "")
@example(r"(?x) a b # c", "ab")
def test_a_line_matches_if_it_matches_for_the_regex_module(pattern, line):
    assume(compiles(pattern))
    decider = compile_ascii(pattern)
    if len(line) <= decider.max_length:
        matches = decider.search(line.encode()) is not None
        assert matches == (regex.search(pattern, line) is not None)


@pytest.mark.parametrize("pattern", [*CLASSES, ".", "(?s).", "(?i)[k-s]", r"\b.", r"(?i)[^K]"])
@pytest.mark.parametrize("around", ["{}", "a{}", "{}a"])
def test_every_ascii_character_is_in_the_same_classes(pattern, around):
    decider = compile_ascii(pattern)
    for code in range(0x80):
        line = around.format(chr(code))
        matches = decider.search(line.encode()) is not None
        assert decider.max_length < 0 or matches == (regex.search(pattern, line) is not None)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(\w)\1",
        "(?=a)b",
        r"\p{Lu}",
        "[[:alpha:]]",
        "[^[:space:]]",
        "[_[:alnum:]]",
        "foo{e<=1}",
        "é",
        r"\u0041",
        "(?x) a",
        r"a\B",
        "x*+y",
        "(a+)+b",
    ],
)
def test_patterns_that_re_reads_otherwise_or_cannot_end_are_left_to_the_regex_module(pattern):
    assert compile_ascii(pattern).max_length <= 0


@pytest.mark.parametrize(
    "lines",
    [
        [b"disk sda full", b"disk sdb full\r", b"disk sd full", b"x" * 9000 + b"disk sda full"],
        ["disk sdä full".encode(), b"disk sd\xff full", "ß disk sda full".encode()],
    ],
)
def test_lines_of_any_characters_and_length_are_decided(lines):
    pattern = r"disk sd\w full"
    scanner = Scanner([PatternSet("t", (pattern,))], cache=None)
    block = bytearray(b"".join(line + b"\n" for line in lines))
    texts = [line.removesuffix(b"\r").decode(errors="replace") for line in lines]
    for _ in range(2 * _ASCII_AFTER // len(lines)):
        hits = scanner.scan(block, 0, len(block)).hits
        assert [hit.line for hit in hits] == [text for text in texts if regex.search(pattern, text)]
