"""The visible text of lines: escape sequences and carriage returns."""

import random
import re

import pytest

from notifyd.text.visible import LongLine, has_invisible_text, visible_lines, visible_text

ALPHABET = [
    *(bytes([byte]) for byte in b"\x1b\r\n[]P(B\\\x07;0m1Kax7"),
    b"\x1b[",
    b"\x1b]",
    b"\r\n",
    b"\x1b[31m",
    b"\x1b\\",
    b"\x1b[1G",
    b"G",
    b"word",
    "é".encode(),
]
SEQUENCE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[78=>cM\\]"
    rb"|[\[\]PX^_ -/])?"
)

TO_FIRST_COLUMN = re.compile(rb"\x1b\[(|0|1)[G`]|\x1b\[\d{2,8}[09]D")


def expected_line(line: bytes) -> bytes:
    """Apply the rule to one line, without regard to speed."""
    line = TO_FIRST_COLUMN.sub(b"\r", line)
    return SEQUENCE.sub(b"", line.rstrip(b"\r").split(b"\r")[-1])


def random_bytes(rng: random.Random, most: int) -> bytes:
    return b"".join(rng.choices(ALPHABET, k=rng.randrange(most)))


@pytest.mark.parametrize(
    ("line", "visible"),
    [
        (b"\x1b[31mERROR\x1b[0m: x", b"ERROR: x"),
        (b"\x1b[1;38;5;196mred\x1b[m", b"red"),
        (b"\x1b]0;title\x07text", b"text"),
        (b"\x1b]8;;http://h/\x1b\\link\x1b]8;;\x1b\\", b"link"),
        (b"\x1b(B\x1b[mplain", b"plain"),
        (b"\x1b[?25lhidden cursor\x1b[?25h", b"hidden cursor"),
        (b"\x1b[31", b"31"),
        (b"\x1b]0;title", b"0;title"),
        (b"\x1b]0;a\x1b[31mb", b"0;ab"),
        (b"end\x1b", b"end"),
        (b"\x1b\x1b[0m[31mx", b"[31mx"),
        (b"10%\r50%\r100%", b"100%"),
        (b"10%\r50%\r\r", b"50%"),
        (b"10%\x1b[1G50%\x1b[G100%", b"100%"),
        (b"10%\x1b[2K\x1b[0G\x1b[32m50%\x1b[1G\r", b"50%"),
        (b"10%\x1b[1000D50%\x1b[1`100%", b"100%"),
        (b"col 40: \x1b[40Gx\x1b[10Gy\x1b[2Dz", b"col 40: xyz"),
        (b"10%\r\x1b[1", b"1"),
        (b"\r", b""),
        (b"\r\r\r", b""),
        ("\x1b[2mé\x1b[0m\rü".encode(), "ü".encode()),
    ],
)
def test_a_line_shows_what_a_terminal_shows(line, visible):
    assert visible_lines(line) == visible
    assert visible_lines(b"a\r\n" + line + b"\r\nb") == b"a\n" + visible + b"\nb"


@pytest.mark.parametrize(
    ("tool", "line", "visible"),
    [
        (
            "pip",
            (
                b"\x1b[32m0.0/2.1 MB\x1b[0m \x1b[31m?\x1b[0m eta \x1b[36m-:--:--"
                b"\x1b[0m\r\x1b[2K   \x1b[90m----\x1b[0m \x1b[32m2.1/2.1 MB\x1b[0m"
            ),
            b"   ---- 2.1/2.1 MB",
        ),
        ("tqdm", "\r 10%|█  | 1/10\r 20%|██ | 2/10".encode(), " 20%|██ | 2/10".encode()),
        ("npm", b"\r\x1b[Knpm \x1b[31merror\x1b[39m code E404", b"npm error code E404"),
        ("pytest", b"\x1b[31m\x1b[1mFAILED\x1b[0m t.py::\x1b[1ma\x1b[0m", b"FAILED t.py::a"),
        ("docker", b"\x1b[1A\x1b[2K\rdigest: sha256:1\x1b[1B", b"digest: sha256:1"),
        (
            "cargo",
            (
                b"\x1b[K\x1b[0m\x1b[1m\x1b[36m    Building\x1b[0m [==> ] 3/9\r\x1b[K\x1b[0m\x1b[0m"
                b"\x1b[1m\x1b[38;5;9merror[E0308]\x1b[0m\x1b[0m\x1b[1m: mismatched types\x1b[0m"
            ),
            b"error[E0308]: mismatched types",
        ),
        ("wget", b"a.bin  10%[>  ] 1K\ra.bin 100%[==>] 9K  in 1s", b"a.bin 100%[==>] 9K  in 1s"),
        ("apt", b"\x1b7\x1b[0;24r\x1b8\x1b[1ASetting up x", b"Setting up x"),
        ("gcc", b"\x1b[01m\x1b[Ka.c:1:\x1b[m\x1b[K \x1b[01;31m\x1b[Kerror: \x1b[m\x1b[Kx", None),
        ("curl", b"\r  0  9M    0     0\r100  9M  100  9M", b"100  9M  100  9M"),
        ("git", b"Receiving objects:  50% (1/2)\rReceiving objects: 100% (2/2), done.\r", None),
    ],
)
def test_progress_bars_and_colours_of_common_tools(tool, line, visible):
    by_tool = {
        "gcc": b"a.c:1: error: x",
        "git": b"Receiving objects: 100% (2/2), done.",
    }
    assert visible_lines(line) == (by_tool[tool] if visible is None else visible)


def test_any_bytes_give_the_same_lines_as_the_rule():
    rng = random.Random(13)
    for _ in range(20_000):
        data = random_bytes(rng, 30)
        expected = b"\n".join(map(expected_line, data.split(b"\n")))
        assert visible_lines(data) == expected, data
        if not has_invisible_text(bytearray(data), 0, len(data)):
            assert expected == data.replace(b"\r\n", b"\n"), data


def test_any_cutting_of_a_line_gives_the_same_text():
    rng = random.Random(14)
    for _ in range(20_000):
        line = random_bytes(rng, 30).replace(b"\n", b"")
        partial, at = LongLine(0), 0
        while at < len(line):
            size = rng.randrange(1, 8)
            partial = partial.extend(line[at : at + size], 1000)
            at += size
        assert partial.finish() == expected_line(line), line


def test_a_line_in_pieces_keeps_the_beginning_of_its_text():
    partial = LongLine(7)
    for _ in range(1000):
        partial = partial.extend(b"\x1b[31mx\x1b[0m", 10)
    assert partial == LongLine(7, b"x" * 10)
    assert partial.extend(b"\rnew", 10).finish() == b"new"


def test_a_sequence_without_an_end_is_held_up_to_a_limit():
    partial = LongLine(0)
    for _ in range(10):
        partial = partial.extend(b"\x1b]" + b"x" * 100_000, 500)
        assert len(partial.undecided) <= 66_000
    assert partial.finish() == b"x" * 500


def test_a_message_is_normalized_line_by_line():
    assert visible_text("done\r\n") == "done\n"
    assert visible_text("\x1b[32mok\x1b[0m\r\n1%\r2%\udc80") == "ok\n2%\udc80"
