import os

import pytest

from notifyd.sources.processes.tail import read_tail


@pytest.mark.parametrize(
    ("content", "lines", "expected"),
    [
        (b"one\ntwo\nthree\n", 2, "two\nthree"),
        (b"one\ntwo", 5, "one\ntwo"),
        (b"one\n\n  \ntwo  \n\n", 2, "one\ntwo"),
        (
            b"epoch 1\n 1%\r 50%\r100% done\n\x1b[31mError: \x1b[0mno memory\r\n",
            2,
            "100% done\nError: no memory",
        ),
        (b"\xff\n", 1, "\N{REPLACEMENT CHARACTER}"),
        (b"x" * 1000, 1, "x" * 350 + "…"),
        (b"one\n", 0, ""),
        (b"", 5, ""),
    ],
)
def test_the_last_visible_lines_are_read(tmp_path, content, lines, expected):
    file = tmp_path / "log"
    file.write_bytes(content)
    assert read_tail(file, lines) == expected


def test_only_the_end_of_a_large_file_is_read(tmp_path):
    file = tmp_path / "log"
    with file.open("wb") as writer:
        writer.seek(1 << 40)  # sparse
        writer.write(b"cut " * 20_000 + b"\nlast\n")
    assert read_tail(file, 5) == "last"
    file.write_bytes(b"x" * 100_000 + b"\r" + b"60 %")
    assert read_tail(file, 5) == "60 %"


def test_what_is_no_readable_file_has_no_lines(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "missing"):
        assert read_tail(path, 5) == ""
