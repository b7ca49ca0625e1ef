"""`notifyd tail`: its lines, the daemon's absence, its end."""

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path

import pytest

from notifyd.api.event_log import EventKind, LiveEvent
from notifyd.cli.tail import format_event
from notifyd.client.event_stream import ReceivedEvent
from support import forked
from support.command import Ran, run
from support.logs import until
from support.socket_api import daemon

AT = 1_700_000_000.0  # 2023-11-14: shown as a date


def line(kind, **data):
    return format_event(ReceivedEvent(kind, "run-1", {"at": AT, "trigger": "app", **data}))


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("match", {"did": "muted", "matches": 2, "line": "a\x1b[1mb"}, "2 matches, muted, then"),
        (
            "match",
            {"did": "below_threshold", "matches": 1, "detail": "1 of 3", "group": ["eu"]},
            "[eu] 1 match, below the threshold (1 of 3)",
        ),
        ("match", {"did": "confirming", "matches": 0, "line": "x"}, "  waiting until"),
        ("match", {"did": "queued", "matches": 1, "line": "x"}, ""),
        ("match", {"did": "invented later", "matches": 1}, "1 match, invented later"),
        (
            "notification",
            {"status": "queued", "count": 3, "attempts": 0, "title": "T", "body": "one\ntwo"},
            "queued (3 matches)  T | one",
        ),
        ("notification", {"status": "queued", "count": 3, "attempts": 1, "title": "T"}, ""),
        ("notification", {"status": "merged", "count": 1, "merged_into": "n7"}, "merged into n7"),
        ("notification", {"status": "cancelled", "count": 1, "title": "T"}, "cancelled  T"),
        (
            "notification",
            {"status": "attempting", "count": 1, "title": "T", "body": "b"},
            "sending  T | b",
        ),
        ("notification", {"status": "delivered", "count": 1, "title": "T"}, ""),
        (
            "delivery",
            {"outcome": "delivered", "delivered": 1, "title": "T"},
            "delivered to 1 device  T",
        ),
        ("delivery", {"outcome": "no_device", "title": "T"}, "no device  T"),
        ("delivery", {"outcome": "failed", "error": "too long", "title": "T"}, "failed: too long"),
        (
            "delivery",
            {"outcome": "retry", "error": "503", "until": AT, "title": "T"},
            "not delivered, next attempt at 2023-11-14: 503  T",
        ),
        ("gap", {"reason": "restarted"}, ""),
        ("live", {}, ""),
    ],
)
def test_an_event_is_a_line_unless_another_event_says_the_same(kind, data, shown):
    formatted = line(kind, **data)
    assert shown in formatted
    assert bool(formatted) == bool(shown)
    assert "\x1b" not in formatted
    assert not formatted or formatted.startswith("2023-11-14  app           ")


class Tail:
    """The command at work, with what it has printed so far."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.out, self.err = (folder / name for name in ("out", "err"))
        environ = {"PATH": os.environ["PATH"], "NOTIFYD_SOCK": str(folder / "s"), "TZ": "UTC"}
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(path.open("wb")) for path in (self.out, self.err)]
            null = stack.enter_context(Path(os.devnull).open("rb"))
            descriptors = [each.fileno() for each in (null, *files)]
            self.process = forked.Process(["tail", *words], environ, *descriptors)

    def lines(self) -> list[str]:
        return self.out.read_text().splitlines()

    def notes(self) -> list[str]:
        return self.err.read_text().splitlines()

    async def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return await asyncio.to_thread(self.process.wait, 45)


@pytest.fixture
async def tail(tmp_path):
    started = []

    def start(*words):
        started.append(Tail(tmp_path, *words))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        await asyncio.to_thread(each.process.wait)


def match(text):
    data = {"at": AT, "trigger": "app", "did": "waiting", "matches": 1, "line": text}
    return LiveEvent(EventKind.MATCH, "app", None, lambda: data)


async def is_followed(running):
    await until(lambda: running.control.event_log._followers)


async def test_events_are_printed_as_they_come_until_ctrl_c(tmp_path, tail):
    async with daemon(tmp_path / "s") as running:
        following = tail("app")
        await is_followed(running)
        running.control.event_log.publish([match("boom")])
        await until(following.lines)
        assert following.lines() == ["2023-11-14  app           1 match, debouncing  boom"]
        assert await following.interrupt() == 130
        assert following.notes() == []


async def test_it_goes_on_when_the_daemon_comes_back(tmp_path, tail):
    async with daemon(tmp_path / "s") as running:
        following = tail("--json")
        await is_followed(running)
        running.control.event_log.end_streams()  # as a reload does: this is no absence
        running.control.event_log.publish([match("first")])
        await until(following.lines)
    await until(following.notes)
    async with daemon(tmp_path / "s") as running:
        running.control.event_log.run = "another"
        running.control.event_log.publish([match("second")])
        await until(lambda: len(following.lines()) == 3)
    printed = [json.loads(each) for each in following.lines()]
    assert [(each["event"], each.get("line")) for each in printed] == [
        ("match", "first"),
        ("gap", None),
        ("match", "second"),
    ]
    assert printed[2]["event_id"] == "another-1"
    notes = [note.removeprefix("notifyd tail: ") for note in following.notes()[:3]]
    assert notes == [
        "the daemon is away; waiting until it is back",
        "the daemon is back",
        "the daemon was restarted; events before that may be missing",
    ]


async def test_without_a_daemon_or_with_a_wrong_trigger_it_does_not_begin(tmp_path):
    socket = str(tmp_path / "s")
    ran = await run("tail", NOTIFYD_SOCK=socket)
    assert (ran.status, ran.out) == (69, "")
    assert f"no notifyd answers on {socket}" in ran.err
    async with daemon(Path(socket)):
        refused = await run("tail", "apq", NOTIFYD_SOCK=socket)
    assert refused == Ran(2, "", "there is no trigger 'apq'\n")
