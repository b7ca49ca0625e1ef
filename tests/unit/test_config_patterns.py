import pytest

from notifyd.config.patterns import compile_pattern, named_groups, pattern_warnings


@pytest.mark.parametrize("pattern", ["x*", "", "(?=x)", "a|", r"\p{L}*", "^$"])
def test_a_pattern_that_matches_the_empty_string_is_warned_about(pattern: str):
    assert any("empty string" in warning for warning in pattern_warnings(pattern))


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", r"(\w+\s*)+$", "(.*,)+x", "(a|b+)+c", "((a+)+)b", r"(\s*\S+\s*)+", "x(?=(a+)+b)"],
)
def test_a_pattern_that_can_backtrack_without_end_is_warned_about(pattern: str):
    assert any("backtrack" in warning for warning in pattern_warnings(pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        "ERROR",
        r"(?:\d+,)+x",
        r"(?:[\w-]+\.)+com",
        "(?>a+)+",
        "(a++)+",
        "(a+){2,5}",
        "a+b+",
        r"(?P<level>ERROR|CRITICAL) (?P<msg>.*)",
        r"\p{L}+",
    ],
)
def test_a_plain_pattern_has_no_warnings(pattern: str):
    assert pattern_warnings(pattern) == []


def test_named_groups_of_all_patterns():
    assert named_groups(["(?P<a>x)", "(?<b>y)(?<!c)", "(?P<d>unclosed"]) == {"a", "b", "d"}


@pytest.mark.parametrize("pattern", ["(", "a**", "[a", "(?P<x", "\\", "(" * 100_000])
def test_a_pattern_that_does_not_compile_is_one_short_sentence(pattern: str):
    with pytest.raises(ValueError, match="invalid regular expression: ") as refusal:
        compile_pattern(pattern)
    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize(
    "pattern", [r"user=(?P<u>\w+)(?: for (?P=u))?", r"(\w+) (?:\1 )+", r"(?P<a>x)(?:y(?P=a))*z"]
)
def test_a_reference_inside_a_repeat_is_accepted(pattern: str):
    compile_pattern(pattern)
    assert pattern_warnings(pattern) == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("\berror\b", r"use single quotes: '\berror\b'"),
        ("error\n", "use `multiline`"),
        (r"foo\nbar", "use `multiline`"),
        (r"(?:a[\n]|b\n)", "use `multiline`"),
        ("error$ fatal", "`$` before other text"),
        ("(?:x|error$ fatal)", "`$` before other text"),
        ("(error$)(?: fatal)+", "`$` before other text"),
        ("level ^ERROR", "`^` after other text"),
        ("/error/i", "use '(?i)error'"),
        ("/^error [0-9]+/g", "use '^error [0-9]+'"),
    ],
)
def test_a_pattern_that_can_never_match_is_warned_about(pattern: str, words: str):
    (warning,) = pattern_warnings(pattern)
    assert words in warning


@pytest.mark.parametrize(
    "pattern",
    [
        r"\berror\b",
        "error$",
        r"error$(?<=r)",
        "^error",
        "(?m)a$b",
        "a\n?b",
        "/var/log/x",
        "a[\n ]b",
    ],
)
def test_patterns_that_may_match_are_not_warned_about(pattern: str):
    assert pattern_warnings(pattern) == []


def test_records_may_contain_line_breaks():
    assert pattern_warnings(r"foo\nbar", spans_lines=True) == []
