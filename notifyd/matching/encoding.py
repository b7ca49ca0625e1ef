"""How the bytes of an encoding relate to characters, as far as finding candidate lines needs it."""

import codecs
from enum import Enum
from functools import cache
from itertools import product

FIRST_TRAIL = 0x30
"""The least ASCII byte that may be part of a character in an encoding with the layout MIXED."""


class Layout(Enum):
    """In every layout but OTHER, ASCII characters are single bytes."""

    UTF8 = "other characters consist of bytes from 0x80 on, each encoded in one way"
    BYTES = "every other byte is a character"
    MIXED = "other characters begin with a byte from 0x80 on; ASCII bytes from 0x30 on may follow"
    OTHER = "ASCII bytes may mean something else"


@cache
def detect_layout(encoding: str) -> Layout:
    """Return the layout of an encoding; raise LookupError if it is unknown."""
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        return Layout.UTF8
    every = bytes(range(0x100))
    single = [bytes([byte]).decode(encoding, "replace") for byte in every]
    keeps_ascii = "".join(single[:0x80]) == every[:0x80].decode("ascii")
    others = all(len(text) == 1 and not text.isascii() for text in single[0x80:])
    if not (keeps_ascii and others):
        return Layout.OTHER
    if every.decode(encoding, "replace") == "".join(single):
        return Layout.BYTES
    pairs = product(every[0x80:], every[:0x80])
    return Layout.MIXED if all(_fits_mixed(*pair, encoding) for pair in pairs) else Layout.OTHER


def _fits_mixed(lead: int, second: int, encoding: str) -> bool:
    """Return whether an ASCII byte after another byte is itself, or part of another character."""
    text = bytes([lead, second]).decode(encoding, "replace")
    if not text.isascii() and all(not character.isascii() for character in text):
        return second >= FIRST_TRAIL
    return text[-1] == chr(second) and all(not character.isascii() for character in text[:-1])
