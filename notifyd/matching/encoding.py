"""How an encoding's bytes relate to characters, as far as finding candidate lines needs it."""

import codecs
from enum import Enum
from functools import cache
from itertools import product

FIRST_TRAIL = 0x30
"""The least byte that may stand inside a character of an encoding with the layout MIXED."""


class Layout(Enum):
    UTF8 = "ASCII is itself, all else is made of bytes from 0x80 on, each character in one way"
    BYTES = "ASCII is itself, every other byte is a character of its own"
    MIXED = "ASCII is itself, all else begins with a byte from 0x80 on; ASCII from 0x30 may follow"
    OTHER = "ASCII bytes may mean something else"


@cache
def layout(encoding: str) -> Layout:
    """Find out how an encoding is built; LookupError when there is none of that name."""
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        return Layout.UTF8
    every = bytes(range(0x100))
    single = [bytes([byte]).decode(encoding, "replace") for byte in every]
    plain = "".join(single[:0x80]) == every[:0x80].decode("ascii")
    others = all(len(text) == 1 and not text.isascii() for text in single[0x80:])
    if not (plain and others):
        return Layout.OTHER
    if every.decode(encoding, "replace") == "".join(single):
        return Layout.BYTES
    pairs = product(every[0x80:], every[:0x80])
    return Layout.MIXED if all(_apart(*pair, encoding) for pair in pairs) else Layout.OTHER


def _apart(lead: int, second: int, encoding: str) -> bool:
    """Whether an ASCII byte behind another is itself, or a part of a character beyond ASCII."""
    text = bytes([lead, second]).decode(encoding, "replace")
    if not text.isascii() and all(not character.isascii() for character in text):
        return second >= FIRST_TRAIL
    return text[-1] == chr(second) and all(not character.isascii() for character in text[:-1])
