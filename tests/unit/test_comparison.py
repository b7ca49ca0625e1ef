import pytest

from notifyd.config.comparison import as_number, parse_comparison


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("== failed", "failed", True),
        ('== "failed"', "failed", True),
        ('== "5"', 5, False),
        ("== 5", 5.0, True),
        ("== null", None, True),
        ("!= ready", "failed", True),
        ("!= [1]", [1], False),
        ("< 5", 4.2, True),
        ("< 5", "4.2", True),
        ("<= 5", 5, True),
        (">5", 5, False),
        (">= 5", 6, True),
        ("< 5", None, None),
        ("< 5", True, None),
        ("< 5", "many", None),
        ("> 1", "nan", None),
        ("== a b c", "a b c", True),
    ],
)
def test_a_comparison_holds_or_not_or_cannot_be_decided(text, value, holds):
    assert parse_comparison(text).holds(value) is holds


@pytest.mark.parametrize("text", ["", "=", "= 5", "5", "changes", "<", "< many", "> true", "<> 5"])
def test_what_is_no_comparison_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="use "):
        parse_comparison(text)


def test_infinite_numbers_are_no_numbers():
    assert [as_number(text) for text in ("inf", "-inf", "1e400", "12e-1")] == [None] * 3 + [1.2]
