"""Searches of lines up to the safe length end in time, whatever the lines contain."""

import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from notifyd.matching.cost import safe_length
from support.examples import examples
from unit.test_matching_approximate import PATTERNS, PIECES, compiles

LIMIT = 0.1
"""Seconds: the time limit of the matcher."""
HARD = st.sampled_from(
    [
        ".*a.*b",
        "a*a*b",
        r"(\w+ )*x",
        r"\s+$",
        "a+.*.*c",
        r"(?:\d{1,3}\.){3}\d",
        ".*(ab|ac|b).*=",
        "x+y?x+!",
    ]
)


@examples(60, 1000)
@given(
    pattern=st.one_of(PATTERNS, HARD, st.builds("{}{}".format, HARD, PATTERNS)),
    unit=st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join),
    tail=st.sampled_from(["", "!", "b", "x"]),
)
@example("a*a*b", "a", "!")
@example(".*a.*b", "a", "!")
@example(r"\s+$", " ", "!")
@example(r"(\w+ )*x", "a ", "!")
def test_a_search_up_to_the_safe_length_ends_in_time_on_hostile_lines(pattern, unit, tail):
    assume(compiles(pattern))
    length = safe_length(pattern)
    line = (unit * (length // len(unit) + 1))[: max(0, length - len(tail))] + tail
    regex.search(pattern, line[:length], timeout=LIMIT)  # TimeoutError, if it was not


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(?:a|ab)+c",
        "(?:a*b*)*c",
        "(?:.*a){3}x",
        r"(\w+) \1",
        "(?=.*a)b",
        "(?<!a*)b",
        "foo{e<=1}",
        r"\p{Lu}+",
        ".*.*.*.*.*x",
        "(?:a?){30}a{30}",
    ],
)
def test_a_pattern_that_backtracks_or_is_not_understood_has_no_safe_length(pattern):
    assert safe_length(pattern) == 0


@pytest.mark.parametrize(
    "pattern",
    [
        "Traceback",
        "(?P<level>ERROR|CRITICAL) (?P<msg>.*)",
        r"^(?P<name>\w+)=(?P<value>\w*);",
        r"sshd\[\d+\]: Failed (password|publickey) for (invalid user )?\S+ from \S+ port \d+",
        r"(?i)out of memory: killed process \d+",
        r"kernel: .*BUG: (unable to handle|scheduling while atomic)",
    ],
)
def test_usual_patterns_are_safe_on_lines_of_usual_length(pattern):
    assert safe_length(pattern) >= 500
