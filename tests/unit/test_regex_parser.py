"""The private parser of this Python still builds the trees that notifyd reads.

If a test fails after an upgrade of Python, adapt `notifyd/text/regex_parser.py`, or the code that
reads the construct named in the test: `matching/approximate.py`, `matching/charset.py` and
`config/patterns.py`.
"""

import re

import pytest

from notifyd.text.regex_parser import flags, min_width, op, parse

NO_LIMIT = op.MAXREPEAT


def plain(value: object) -> object:
    """Convert a tree to lists, tuples and names, in which a difference is easy to see."""
    if value == NO_LIMIT and isinstance(value, int):
        return "NO LIMIT"
    if type(value).__name__ == "_NamedIntConstant":
        return str(value)
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if isinstance(value, list) or type(value).__name__ == "SubPattern":
        return [plain(item) for item in value]  # type: ignore[attr-defined]
    return value


A = ("LITERAL", 97)
B = ("LITERAL", 98)


@pytest.mark.parametrize(
    ("construct", "pattern", "tree"),
    [
        ("literal", "a", [A]),
        ("escaped literal", r"\.", [("LITERAL", 46)]),
        ("negated literal", "[^a]", [("NOT_LITERAL", 97)]),
        ("any", ".", [("ANY", None)]),
        ("class", "[a-bé]", [("IN", [("RANGE", (97, 98)), ("LITERAL", 233)])]),
        (
            "negated class",
            r"[^a\d]",
            [("IN", [("NEGATE", None), A, ("CATEGORY", "CATEGORY_DIGIT")])],
        ),
        ("branch", "ab|ba", [("BRANCH", (None, [[A, B], [B, A]]))]),
        ("group", "(a)", [("SUBPATTERN", (1, 0, 0, [A]))]),
        ("named group", "(?P<n>a)", [("SUBPATTERN", (1, 0, 0, [A]))]),
        ("group with flags", "(?i-s:a)", [("SUBPATTERN", (None, 2, 16, [A]))]),
        ("atomic group", "(?>ab)", [("ATOMIC_GROUP", [A, B])]),
        ("greedy repeat", "a{2,3}", [("MAX_REPEAT", (2, 3, [A]))]),
        ("unbounded repeat", "a+", [("MAX_REPEAT", (1, "NO LIMIT", [A]))]),
        ("lazy repeat", "a*?", [("MIN_REPEAT", (0, "NO LIMIT", [A]))]),
        ("possessive repeat", "a?+", [("POSSESSIVE_REPEAT", (0, 1, [A]))]),
        ("start", "^", [("AT", "AT_BEGINNING")]),
        ("word boundary", r"\b", [("AT", "AT_BOUNDARY")]),
        ("back reference", r"(a)\1", [("SUBPATTERN", (1, 0, 0, [A])), ("GROUPREF", 1)]),
        (
            "conditional",
            "(a)?(?(1)b|a)",
            [
                ("MAX_REPEAT", (0, 1, [("SUBPATTERN", (1, 0, 0, [A]))])),
                ("GROUPREF_EXISTS", (1, [B], [A])),
            ],
        ),
        (
            "conditional without an else",
            "(a)?(?(1)b)",
            [
                ("MAX_REPEAT", (0, 1, [("SUBPATTERN", (1, 0, 0, [A]))])),
                ("GROUPREF_EXISTS", (1, [B], None)),
            ],
        ),
        ("lookahead", "(?=a)", [("ASSERT", (1, [A]))]),
        ("negative lookbehind", "(?<!a)", [("ASSERT_NOT", (-1, [A]))]),
    ],
)
def test_a_construct_has_the_known_tree(construct: str, pattern: str, tree: list[object]):
    assert plain(parse(pattern)) == tree, (
        f"the parser's tree of this construct changed: {construct}"
    )


def test_an_empty_negative_lookahead_never_matches():
    """Python 3.13 has an opcode of its own for it."""
    assert plain(parse("(?!)")) in ([("FAILURE", ())], [("ASSERT_NOT", (1, []))])
    assert str(op.FAILURE) == "FAILURE"


@pytest.mark.parametrize(
    ("pattern", "category"),
    [
        (r"\d", "DIGIT"),
        (r"\D", "NOT_DIGIT"),
        (r"\w", "WORD"),
        (r"\W", "NOT_WORD"),
        (r"\s", "SPACE"),
        (r"\S", "NOT_SPACE"),
    ],
)
def test_a_character_category_has_the_known_name(pattern: str, category: str):
    assert plain(parse(pattern)) == [("IN", [("CATEGORY", f"CATEGORY_{category}")])]


@pytest.mark.parametrize(
    ("pattern", "width"), [("", 0), ("a*", 0), ("(a|bc)?d{2,}", 2), (r"\bé(?=x)", 1)]
)
def test_the_minimum_width(pattern: str, width: int):
    assert min_width(parse(pattern), parse(pattern)) == width


def test_global_flags():
    assert flags(parse("(?ix)a")) & (re.IGNORECASE | re.VERBOSE) == re.IGNORECASE | re.VERBOSE
    assert not flags(parse("a")) & re.IGNORECASE


def test_errors_and_warnings_are_those_of_re():
    with pytest.raises(re.error, match="unterminated"):
        parse("(a")
    with pytest.warns(FutureWarning, match="nested set"):
        parse("[[a]")
