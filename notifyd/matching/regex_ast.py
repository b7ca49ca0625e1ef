"""A small regular expression over bytes: what remains of a pattern once it is approximated."""

from dataclasses import dataclass
from functools import partial

LF = 0x0A


@dataclass(frozen=True, slots=True)
class CharClass:
    """One character: any of these ASCII codes or, if `non_ascii`, any character beyond ASCII.

    Every byte of a character beyond ASCII, and every byte that cannot be decoded, is at least 0x80.
    """

    ascii: frozenset[int]
    non_ascii: bool = False


@dataclass(frozen=True, slots=True)
class ByteString:
    """Exactly these bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Repetition:
    """An item with one of the quantifiers ? * +."""

    item: "Node"
    quantifier: str


@dataclass(frozen=True, slots=True)
class Concatenation:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Alternation:
    items: tuple["Node", ...]


Node = CharClass | ByteString | Repetition | Concatenation | Alternation

_HIGH_BYTES = frozenset(range(0x80, 0x100))
EMPTY = Concatenation(())
ANYTHING = Repetition(CharClass(frozenset(range(0x80)), non_ascii=True), "*")


def is_nullable(node: Node) -> bool:
    """Return whether a node matches the empty string."""
    match node:
        case Concatenation(items):
            return all(map(is_nullable, items))
        case Alternation(items):
            return any(map(is_nullable, items))
        case Repetition(item, quantifier):
            return quantifier != "+" or is_nullable(item)
    return False


def trim(node: Node) -> Node:
    """Remove optional items at both ends: a search finds the rest wherever it finds the whole."""
    return _trim(_trim(node, at=0), at=-1)


def _trim(node: Node, *, at: int) -> Node:
    match node:
        case Concatenation(items):
            kept = list(items)
            while kept and is_nullable(kept[at]):
                del kept[at]
            if kept:
                kept[at] = _trim(kept[at], at=at)
            return Concatenation(tuple(kept))
        case Alternation(items):
            return Alternation(tuple(_trim(item, at=at) for item in items))
        case Repetition(item, "+"):
            return _trim(item, at=at)
    return node


def render(node: Node, trail: frozenset[int] = frozenset()) -> bytes:
    """Write a node in the syntax of Hyperscan. Nothing but a lone LF matches across a line end.

    trail: the ASCII codes that may follow as bytes of a character beyond ASCII.
    """
    render_item = partial(render, trail=trail)
    match node:
        case CharClass(codes, non_ascii):
            if not non_ascii:
                return _byte_class(codes)
            wide = rb"[\x80-\xff]" + _byte_class(_HIGH_BYTES | trail) + b"*"
            return rb"(?:%s|%s)" % (_byte_class(codes), wide) if codes - {LF} else wide
        case ByteString(value):
            return b"".join(rb"\x%02x" % byte for byte in value)
        case Repetition(CharClass(codes, non_ascii), quantifier) if quantifier != "?":
            every = codes | _HIGH_BYTES | trail if non_ascii else codes
            return _byte_class(every) + quantifier.encode()
        case Repetition(item, quantifier):
            return b"(?:%s)%s" % (render_item(item), quantifier.encode())
        case Concatenation(items):
            return b"".join(map(render_item, items))
    return b"(?:%s)" % b"|".join(map(render_item, node.items))


def _byte_class(codes: frozenset[int]) -> bytes:
    """Write a class without LF, unless it holds nothing else: then no line can match."""
    ranges: list[list[int]] = []
    for code in sorted(codes - {LF} or codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _byte(ranges[0][0])
    return b"[%s]" % b"".join(
        _byte(low) if low == high else b"%s-%s" % (_byte(low), _byte(high)) for low, high in ranges
    )


def _byte(code: int) -> bytes:
    """Write one byte in short form: Hyperscan limits an expression to 16,000 bytes."""
    return b"%c" % code if chr(code).isascii() and chr(code).isalnum() else rb"\x%02x" % code
