"""In every accepted encoding lines are found, split and decoded correctly."""

import encodings
import pkgutil

import pytest

from notifyd.config.triggers import LogTriggerConfig
from notifyd.matching import PatternSet, Scanner


def accepted():
    """Yield the encodings of Python that the configuration accepts."""
    for name in sorted(module.name for module in pkgutil.iter_modules(encodings.__path__)):
        try:
            yield LogTriggerConfig(type="log", paths=["/x"], patterns=["x"], encoding=name).encoding
        except ValueError:
            continue


def written(name):
    """Return characters of an encoding, some of each part of it."""
    found = []
    for code in (*range(0x80, 0x800), *range(0x3000, 0xD7A4, 7)):
        try:
            raw = chr(code).encode(name)
        except UnicodeEncodeError:
            continue
        if raw.decode(name) == chr(code):
            found.append(chr(code))
    return found


ENCODINGS = sorted(set(accepted()))


def test_many_encodings_are_accepted():
    assert len(ENCODINGS) > 70
    assert {"utf-8", "iso8859-1", "cp1252", "shift_jis", "gb18030", "euc_jp", "big5"} <= {
        *ENCODINGS
    }


@pytest.mark.parametrize("name", ENCODINGS)
def test_lines_are_found_and_decoded(name):
    characters = written(name)
    texts = [f"{one} failed: disk{one}full \\{one}~" for one in characters] + ["plain failed: disk"]
    block = bytearray("".join(f"{text}\r\nfine\n" for text in texts).encode(name))
    assert block.count(b"\n") == 2 * len(texts), "no character but LF has that byte"
    patterns = (r"^\S+ failed: (?P<what>disk.*)", r"never")
    scanner = Scanner([PatternSet("t", patterns, (), name)], cache=None)
    hits = scanner.scan(block, 0, len(block), limit=1 << 20, room=1 << 30).hits
    assert [hit.line for hit in hits] == [text for text in texts if text[0].strip()]
    assert all(hit.line.endswith(hit.fields["what"]) for hit in hits)
