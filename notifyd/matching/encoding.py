"""How an encoding's bytes relate to characters, as far as finding candidate lines needs it."""

import codecs
from enum import Enum


class Layout(Enum):
    UTF8 = "ASCII is itself, all else is made of bytes from 0x80 on, each character in one way"
    BYTES = "ASCII is itself, every other byte is a character of its own"
    OTHER = "ASCII bytes may be part of other characters"


def layout(encoding: str) -> Layout:
    """Find out how an encoding is built; LookupError when there is none of that name."""
    if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        return Layout.UTF8
    every = bytes(range(0x100))
    single = [bytes([byte]).decode(encoding, "replace") for byte in every]
    plain = "".join(single[:0x80]) == every[:0x80].decode("ascii")
    others = all(len(text) == 1 and not text.isascii() for text in single[0x80:])
    if plain and others and every.decode(encoding, "replace") == "".join(single):
        return Layout.BYTES
    return Layout.OTHER
