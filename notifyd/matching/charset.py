"""The ASCII characters that a literal or a class may match, and whether it may match others."""

from notifyd.matching.regex_ast import CharClass
from notifyd.text.regex_parser import op

_ASCII = frozenset(range(0x80))
_MAX_ASCII = 0x7F
_DIGIT = frozenset(b"0123456789")
_WORD = frozenset(code for code in _ASCII if chr(code).isalnum()) | {ord("_")}
_SPACE = frozenset(b" \t\n\r\f\v")
_SPACE_OF_RE = _SPACE | frozenset(range(0x1C, 0x20))  # but not of the regex module
_FOLD_BEYOND_ASCII = frozenset(b"iksIKS")
"""Equal, ignoring case, to a character beyond ASCII: dotless i, the Kelvin sign, long s."""

_CATEGORIES: dict[object, tuple[frozenset[int], frozenset[int]]] = {
    op.CATEGORY_DIGIT: (_DIGIT, _DIGIT),
    op.CATEGORY_NOT_DIGIT: (_ASCII - _DIGIT, _ASCII - _DIGIT),
    op.CATEGORY_WORD: (_WORD, _WORD),
    op.CATEGORY_NOT_WORD: (_ASCII - _WORD, _ASCII - _WORD),
    op.CATEGORY_SPACE: (_SPACE_OF_RE, _SPACE),
    op.CATEGORY_NOT_SPACE: (_ASCII - _SPACE, _ASCII - _SPACE_OF_RE),
}
"""By category, the ASCII codes that it may match and those that it certainly matches."""


def from_literal(code: int, *, ignore_case: bool) -> CharClass:
    """Return the class of one character."""
    if not ignore_case:
        return _exact(code)
    return _add_case(frozenset({code}) & _ASCII, non_ascii=code > _MAX_ASCII)


def from_negated_literal(code: int, *, ignore_case: bool) -> CharClass:
    return _negate(_exact(code).ascii, ignore_case=ignore_case)


def from_members(members: list[tuple[object, object]], *, ignore_case: bool) -> CharClass:
    r"""Return the class of the members of `[…]`, in the form of the parser.

    The ASCII flag is ignored, because the regex module forgets it in `(?a:\d|\s)`.
    """
    possible: set[int] = set()
    certain: set[int] = set()
    non_ascii = False
    is_negated = bool(members) and members[0][0] is op.NEGATE
    for kind, value in members[is_negated:]:
        match kind, value:
            case op.LITERAL, int(code):
                may_match = matches = _exact(code).ascii
                non_ascii |= code > _MAX_ASCII
            case op.RANGE, (int(low), int(high)):
                may_match = matches = frozenset(range(low, min(high, _MAX_ASCII) + 1))
                non_ascii |= high > _MAX_ASCII
            case op.CATEGORY, category:
                may_match, matches = _CATEGORIES[category]
                non_ascii = True
            case _:
                raise ValueError(f"unknown class member: {kind}")
        possible |= may_match
        certain |= matches
    if is_negated:
        return _negate(frozenset(certain), ignore_case=ignore_case)
    if ignore_case:
        return _add_case(frozenset(possible), non_ascii=non_ascii)
    return CharClass(frozenset(possible), non_ascii)


def _exact(code: int) -> CharClass:
    return CharClass(frozenset({code}) & _ASCII, code not in _ASCII)


def _add_case(codes: frozenset[int], *, non_ascii: bool) -> CharClass:
    """Add the other case of each character, also where one of the two is beyond ASCII."""
    if non_ascii:
        codes |= _FOLD_BEYOND_ASCII
    return CharClass(codes | _swap_case(codes), non_ascii or bool(codes & _FOLD_BEYOND_ASCII))


def _negate(codes: frozenset[int], *, ignore_case: bool) -> CharClass:
    """Return everything else. Ignoring case, only what is excluded in both cases is excluded."""
    return CharClass(_ASCII - (codes & _swap_case(codes) if ignore_case else codes), non_ascii=True)


def _swap_case(codes: frozenset[int]) -> frozenset[int]:
    return frozenset(ord(chr(code).swapcase()) for code in codes)
