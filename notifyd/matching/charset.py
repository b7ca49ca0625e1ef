"""Which characters a pattern's literal or class may match, as far as ASCII, and whether others."""

from notifyd.matching.regex_ast import Chars
from notifyd.text.regex_parser import op

_ASCII = frozenset(range(0x80))
_DIGIT = frozenset(b"0123456789")
_WORD = frozenset(code for code in _ASCII if chr(code).isalnum()) | {ord("_")}
_SPACE = frozenset(b" \t\n\r\f\v")
_MAYBE_SPACE = _SPACE | frozenset(range(0x1C, 0x20))  # for `re`, not for `regex`
_FOLDS_BEYOND = frozenset(b"iksIKS")  # equal, without case, to dotless i, the Kelvin sign, long s

_CATEGORIES: dict[object, tuple[frozenset[int], frozenset[int]]] = {
    op.CATEGORY_DIGIT: (_DIGIT, _DIGIT),
    op.CATEGORY_NOT_DIGIT: (_ASCII - _DIGIT, _ASCII - _DIGIT),
    op.CATEGORY_WORD: (_WORD, _WORD),
    op.CATEGORY_NOT_WORD: (_ASCII - _WORD, _ASCII - _WORD),
    op.CATEGORY_SPACE: (_MAYBE_SPACE, _SPACE),
    op.CATEGORY_NOT_SPACE: (_ASCII - _SPACE, _ASCII - _MAYBE_SPACE),
}
"""Per category the ASCII codes that it may match and those that it surely matches."""


def literal(code: int, *, caseless: bool) -> Chars:
    """Take one character as it stands, or in any case."""
    return _cased(frozenset({code}) & _ASCII, high=code > 0x7F) if caseless else _exact(code)  # noqa: PLR2004


def anything_but(code: int, *, caseless: bool) -> Chars:
    return _without(_exact(code).ascii, caseless=caseless)


def one_of(items: list[tuple[object, object]], *, caseless: bool) -> Chars:
    r"""Read the members of a class `[…]` as the parser gives them.

    The flag for ASCII alone is ignored: the deciding engine forgets it in `(?a:\d|\s)`.
    """
    maybe: set[int] = set()
    surely: set[int] = set()
    high = False
    negated = bool(items) and items[0][0] is op.NEGATE
    for kind, value in items[negated:]:
        match kind, value:
            case op.LITERAL, int(code):
                more = sure = _exact(code).ascii
                high |= code > 0x7F  # noqa: PLR2004
            case op.RANGE, (int(low), int(top)):
                more = sure = frozenset(range(low, min(top, 0x7F) + 1))
                high |= top > 0x7F  # noqa: PLR2004
            case op.CATEGORY, category:
                more, sure = _CATEGORIES[category]
                high = True
            case _:
                raise ValueError(f"an unknown member of a class: {kind}")
        maybe |= more
        surely |= sure
    if negated:
        return _without(frozenset(surely), caseless=caseless)
    return _cased(frozenset(maybe), high=high) if caseless else Chars(frozenset(maybe), high)


def _exact(code: int) -> Chars:
    return Chars(frozenset({code}) & _ASCII, code not in _ASCII)


def _cased(codes: frozenset[int], *, high: bool) -> Chars:
    if high:
        codes |= _FOLDS_BEYOND
    return Chars(codes | _swapped(codes), high or bool(codes & _FOLDS_BEYOND))


def _without(codes: frozenset[int], *, caseless: bool) -> Chars:
    """Everything but these; without case, only what is excluded in both cases is surely out."""
    return Chars(_ASCII - (codes & _swapped(codes) if caseless else codes), high=True)


def _swapped(codes: frozenset[int]) -> frozenset[int]:
    return frozenset(ord(chr(code).swapcase()) for code in codes)
