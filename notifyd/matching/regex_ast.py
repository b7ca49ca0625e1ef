"""What is left of a pattern once it is widened: a small expression over bytes."""

from dataclasses import dataclass
from functools import partial

LF = 0x0A


@dataclass(frozen=True, slots=True)
class Chars:
    """One character: any of these ASCII codes or, if `high`, any character beyond ASCII.

    Beyond ASCII every byte of a character, and every byte that cannot be decoded, is 0x80 or more.
    """

    ascii: frozenset[int]
    high: bool = False


@dataclass(frozen=True, slots=True)
class Bytes:
    """These very bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Repeat:
    """`mark` is one of ? * +."""

    item: "Node"
    mark: str


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    items: tuple["Node", ...]


Node = Chars | Bytes | Repeat | Sequence | Choice

_HIGH = frozenset(range(0x80, 0x100))
NOTHING = Sequence(())
ANYTHING = Repeat(Chars(frozenset(range(0x80)), high=True), "*")


def nullable(shape: Node) -> bool:
    """Whether it matches the empty string."""
    match shape:
        case Sequence(items):
            return all(map(nullable, items))
        case Choice(items):
            return any(map(nullable, items))
        case Repeat(item, mark):
            return mark != "+" or nullable(item)
    return False


def trimmed(shape: Node) -> Node:
    """Drop what the ends need not have: a search finds the rest wherever the whole is found."""
    return _trimmed(_trimmed(shape, at=0), at=-1)


def _trimmed(shape: Node, *, at: int) -> Node:
    match shape:
        case Sequence(items):
            kept = list(items)
            while kept and nullable(kept[at]):
                del kept[at]
            if kept:
                kept[at] = _trimmed(kept[at], at=at)
            return Sequence(tuple(kept))
        case Choice(items):
            return Choice(tuple(_trimmed(item, at=at) for item in items))
        case Repeat(item, "+"):
            return _trimmed(item, at=at)
    return shape


def rendered(shape: Node, trail: frozenset[int] = frozenset()) -> bytes:
    """Write it in the syntax of the scanning engine. No part but a lone LF crosses a line's end.

    trail: the ASCII codes that may be bytes of a character beyond ASCII, though not its first.
    """
    within = partial(rendered, trail=trail)
    match shape:
        case Chars(codes, high):
            if not high:
                return _set(codes)
            beyond = rb"[\x80-\xff]" + _set(_HIGH | trail) + b"*"
            return rb"(?:%s|%s)" % (_set(codes), beyond) if codes - {LF} else beyond
        case Bytes(value):
            return b"".join(rb"\x%02x" % byte for byte in value)
        case Repeat(Chars(codes, high), mark) if mark != "?":
            return _set(codes | _HIGH | trail if high else codes) + mark.encode()
        case Repeat(item, mark):
            return b"(?:%s)%s" % (within(item), mark.encode())
        case Sequence(items):
            return b"".join(map(within, items))
    return b"(?:%s)" % b"|".join(map(within, shape.items))


def _set(codes: frozenset[int]) -> bytes:
    """Write a class without LF, unless that is all there is: then no line can match."""
    ranges: list[list[int]] = []
    for code in sorted(codes - {LF} or codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _code(ranges[0][0])
    return b"[%s]" % b"".join(
        _code(low) if low == top else b"%s-%s" % (_code(low), _code(top)) for low, top in ranges
    )


def _code(code: int) -> bytes:
    """Write one byte; short, because the engine takes 16,000 bytes of expression at most."""
    return b"%c" % code if chr(code).isascii() and chr(code).isalnum() else rb"\x%02x" % code
