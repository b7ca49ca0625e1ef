import pytest

from notifyd.config.patterns import compiled, doubts, named_groups


@pytest.mark.parametrize("pattern", ["x*", "", "(?=x)", "a|", r"\p{L}*", "^$"])
def test_a_pattern_that_can_match_nothing_is_doubted(pattern: str):
    assert any("empty string" in doubt for doubt in doubts(pattern))


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", r"(\w+\s*)+$", "(.*,)+x", "(a|b+)+c", "((a+)+)b", r"(\s*\S+\s*)+", "x(?=(a+)+b)"],
)
def test_a_pattern_that_can_backtrack_without_end_is_doubted(pattern: str):
    assert any("backtrack" in doubt for doubt in doubts(pattern))


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
def test_a_plain_pattern_is_not_doubted(pattern: str):
    assert doubts(pattern) == []


def test_named_groups_of_all_patterns():
    assert named_groups(["(?P<a>x)", "(?<b>y)(?<!c)", "(?P<d>unclosed"]) == {"a", "b", "d"}


@pytest.mark.parametrize("pattern", ["(", "a**", "[a", "(?P<x", "\\", "(" * 100_000])
def test_what_cannot_be_compiled_is_one_plain_sentence(pattern: str):
    with pytest.raises(ValueError, match="bad regular expression: ") as refusal:
        compiled(pattern)
    assert len(str(refusal.value)) < 100
