"""On which lines a pattern needs no time limit: where it ends in time whatever they say."""

import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from notifyd.matching.cost import safe_length
from support.examples import examples
from unit.test_matching_approximate import PATTERNS, PIECES, compiles

LIMIT = 0.1
"""Seconds of CPU time, as the matcher has it."""
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
def test_a_search_that_is_called_easy_ends_in_time_on_hostile_lines(pattern, unit, tail):
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
def test_what_backtracks_without_end_or_cannot_be_judged_is_never_easy(pattern):
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
def test_what_people_write_is_easy_on_lines_as_logs_have_them(pattern):
    assert safe_length(pattern) >= 500
