import pytest

from notifyd.config.patterns import compile_pattern
from notifyd.config.recursive_patterns import is_recursive


@pytest.mark.parametrize(
    "pattern",
    [
        "(?R)",
        "(?0)",
        "x|(?R)",
        "(?P<x>(?&x))",
        "(?P<x>a(?P>x)?)",
        "((?1))",
        "(a)(b(?2))",
        "(?:(?<a>x(?&b))|(?<b>y(?&a)))",
        r"\((?:[^()]|(?R))*\)",
        "(?P<a>(?:[(]|(?&a)))",
    ],
)
def test_a_pattern_that_calls_itself_is_refused_in_one_sentence(pattern: str):
    with pytest.raises(ValueError, match="a group must not call itself") as refusal:
        compile_pattern(pattern)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?P<x>a)(?&x)",
        "(a)(?1)(?1)",
        "(?:(?<a>x)|(?<b>y(?&a)))",
        r"\(?R\)",
        "[(?R)]",
        "[](?R)]",
        r"(\w+) (?:\1 )+",
    ],
)
def test_other_patterns_are_accepted(pattern: str):
    assert not is_recursive(pattern)
    compile_pattern(pattern)
