"""Messages in the logs of container runtimes: unwrapped, and joined where they were split."""

import json

import pytest

from notifyd.text.containers import MessageJoiner


def parsed(formats, *lines):
    joiner = MessageJoiner(formats, {}, limit=1000, raw=False)
    found = (joiner.feed(line, number) for number, line in enumerate(lines))
    return [(message.text.decode(), message.entry) for message in found if message is not None]


def join(name, lines, *, raw=False, limit=1000):
    joiner = MessageJoiner((name,), {}, limit=limit, raw=raw)
    found = (joiner.feed(line, number) for number, line in enumerate(lines))
    return [(message.offset, message.text) for message in found if message is not None]


def cri(text, tag="F", stream="stderr"):
    return f"2026-11-29T18:00:00.1Z {stream} {tag} {text}".encode()


def docker(text, stream="stdout"):
    entry = {"log": text, "stream": stream, "time": "2026-11-29T18:00:00Z"}
    return json.dumps(entry).encode()


@pytest.mark.parametrize("line", [cri("ERROR x"), cri("ERROR x", "F:tag"), cri("ERROR x") + b"\r"])
def test_a_cri_line_is_unwrapped(line):
    assert join("cri", [line]) == [(0, b"ERROR x")]


def test_split_messages_are_joined_by_stream():
    lines = [cri("a1 ", "P"), cri("b1 ", "P", "stdout"), cri("a2"), cri("b2", "F", "stdout")]
    assert join("cri", lines) == [(0, b"a1 a2"), (1, b"b1 b2")]
    lines = [docker("a1 "), docker("b1 ", "stderr"), docker("a2\n"), docker("b2\n", "stderr")]
    assert join("docker", lines) == [(0, b"a1 a2"), (1, b"b1 b2")]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cri", b"ERROR plain"),
        ("cri", b"2026-11-29T18:00:00.1Z stdin F x"),
        ("cri", b"2026-11-29T18:00:00.1Z stdout X x"),
        ("docker", b"ERROR plain"),
        ("docker", b'{"log": 1}'),
        ("docker", b'{"log": "cut'),
        ("docker", b"[" * 100_000),
        ("docker", b"\xff"),
    ],
)
def test_a_line_in_another_format_is_a_message_as_it_is(name, line):
    assert join(name, [line]) == [(0, line)]


def test_empty_messages_are_messages():
    empty = cri("")
    assert join("cri", [empty, empty.removesuffix(b" ")]) == [(0, b""), (1, b"")]
    assert join("docker", [docker("\n")]) == [(0, b"")]


def test_messages_have_their_visible_text_unless_raw():
    lines = [cri("1%\r\x1b[31mERR", "P"), cri("OR\x1b[0m\r")]
    assert join("cri", lines) == [(0, b"ERROR")]
    assert join("cri", lines, raw=True) == [(0, b"1%\r\x1b[31mERROR\x1b[0m\r")]
    assert join("docker", [docker("\x1b[32mok\x1b[0m\r\n")]) == [(0, b"ok")]


def test_a_message_of_many_parts_is_kept_up_to_a_limit():
    assert join("cri", [cri("x" * 100, "P")] * 50 + [cri("y")], limit=120) == [(0, b"x" * 120)]
    lines = [cri("x" * 100 + "\r", "P")] * 50 + [cri("y")]
    assert join("cri", lines, limit=120) == [(0, b"y")]


@pytest.mark.parametrize(
    ("formats", "wrap"),
    [
        (("json",), lambda line: [line]),
        (
            ("docker", "json"),
            lambda line: [docker(line[:9].decode()), docker(f"{line[9:].decode()}\n")],
        ),
        (("cri", "json"), lambda line: [cri(line[:9].decode(), "P"), cri(line[9:].decode())]),
    ],
)
def test_json_messages_are_read_after_they_are_joined(formats, wrap):
    line = b'{"level":"error","msg":"no route"}'
    assert parsed(formats, *wrap(line), b"plain") == [("no route", line), ("plain", b"")]


def test_a_split_message_is_kept_apart_for_triggers_that_read_it_as_json():
    line = cri('{"msg":"a', "P")
    plain = MessageJoiner(("cri",), {}, limit=5, raw=False)
    nested = MessageJoiner(("cri", "json"), {}, limit=500, raw=False)
    assert plain.feed(line, 0) is nested.feed(line, 0) is None
    both = plain.pending | nested.pending
    nested = MessageJoiner(("cri", "json"), both, limit=500, raw=False)
    assert nested.feed(cri('b"}'), 1).text == b"ab"


@pytest.mark.parametrize(
    "line",
    [
        b"2024-05-01T10:00:00.123456789+02:00 stderr F ERROR x",  # Podman's k8s-file, containerd
        b"2024-05-01T10:00:00Z stderr F ERROR x",  # CRI-O with whole seconds
        b"2024-05-01T10:00:00.1Z stderr F:tag2 ERROR x",
        b"2024-05-01T10:00:00.1+05:30 stdout F \x1b[31mERROR x\x1b[0m",
    ],
)
def test_lines_of_all_runtimes_that_write_cri_are_unwrapped(line):
    assert join("cri", [line]) == [(0, b"ERROR x")]


def test_the_last_part_of_a_split_message_may_be_empty():
    assert join("cri", [cri("ERROR x", "P"), cri("")]) == [(0, b"ERROR x")]
    assert join("docker", [docker("ERROR x"), docker("\n")]) == [(0, b"ERROR x")]


def test_unknown_streams_are_one():
    joiner = MessageJoiner(("docker",), {}, limit=1000, raw=False)
    for number in range(100):
        joiner.feed(docker("x", f"stream {number}"), number)
    assert len(joiner.pending) == 1


def test_messages_of_json_are_split_apart_from_others():
    plain = MessageJoiner(("docker",), {}, limit=10, raw=False)
    plain.feed(docker("x"), 0)
    assert plain.pending
    assert MessageJoiner(("docker", "json"), plain.pending, limit=20, raw=False).pending == {}
