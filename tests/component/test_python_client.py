"""`from notifyd import send, asend`."""

import asyncio
import json
import subprocess
import sys
from asyncio import to_thread

import pytest

import notifyd
from notifyd import NotifydError, asend, send
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError
from notifyd.model.notifications import Message
from support.socket_api import Daemon


class Scalar:
    """A number of another library."""

    def __init__(self, value: object) -> None:
        self._value = value

    def item(self) -> object:
        return self._value


class Tensor:
    """An array: it has no single item."""

    def item(self) -> object:
        raise ValueError("only one element can be converted")

    def __str__(self) -> str:
        return "[1, 2]"


@pytest.fixture(autouse=True)
def _own_spool(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NOTIFYD_SOCK", raising=False)


async def test_a_message_is_sent_with_all_that_it_can_have(served: Daemon):
    sent = await to_thread(
        send,
        "the body",
        title="A title",
        priority="high",
        data={"epoch": 3},
        url="https://x.example",
        key="k",
        delay=90,
        socket=served.path,
    )
    assert (sent.id, sent.status) == ("n1", "held")
    assert repr(sent) == "SentNotification(id='n1', status='held')"
    assert served.control.messages["n1"] == Message(
        "A title", "the body", {"epoch": 3, "url": "https://x.example"}
    )
    row = served.control.rows["n1"]
    assert (row["priority"], row["key"], row["delay"]) == ("high", "k", 90.0)


async def test_the_event_loop_goes_on_while_a_message_is_sent(served: Daemon):
    sent = await asyncio.gather(*(asend(f"{n}", socket=served.path) for n in range(5)))
    assert {notification.status for notification in sent} == {"queued"}
    assert len(served.control.rows) == 5


async def test_it_waits_for_the_delivery(served: Daemon):
    served.control.report = {"status": "delivered", "delivered": 1, "failed": 0, "devices": 1}
    sent = await asend("x", wait="5s", socket=served.path)
    assert (sent.status, sent.answer["devices"]) == ("delivered", 1)


async def test_values_of_other_libraries_become_json(served: Daemon):
    values = {
        "loss": Scalar(0.25),
        "nan": Scalar(float("nan")),
        "inf": float("-inf"),
        "array": Tensor(),
        "name": Scalar(b"x"),
        "nested": [{"a": Scalar(1)}],
    }
    await asend("x", data=values, socket=served.path)
    assert served.control.messages["n1"].data == {
        "loss": 0.25,
        "nan": "NaN",
        "inf": "-Infinity",
        "array": "[1, 2]",
        "name": "b'x'",
        "nested": [{"a": 1}],
    }


async def test_a_long_text_is_cut_and_not_refused(served: Daemon):
    await asend("x" * 200_000, socket=served.path)
    assert len(served.control.messages["n1"].body) == 8000


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"priority": "loud"}, "priority"),
        ({"body": ""}, "at least one of them must have text"),
        ({"delay": "soon"}, "delay: invalid duration"),
        ({"wait": 99}, "wait: must be at most 1m"),
        ({"data": {"a": "x" * 5000}}, "data: must take at most"),
    ],
)
async def test_what_is_refused_says_why(served: Daemon, options, part):
    with pytest.raises(DaemonAnswerError, match=part) as refusal:
        await asend(**{"body": "x", "socket": served.path} | options)
    assert isinstance(refusal.value, NotifydError)


def test_without_a_daemon_it_is_spooled(tmp_path):
    sent = send("x", title="t", socket=tmp_path / "none")
    assert sent.status == "spooled"
    [file] = (tmp_path / "home/notifyd/spool").iterdir()
    assert file.name == sent.id
    assert json.loads(file.read_text())["request"] == {
        "title": "t",
        "body": "x",
        "priority": "default",
    }


def test_without_a_daemon_and_spool_it_fails(tmp_path):
    with pytest.raises(DaemonUnreachableError, match="no notifyd answers on"):
        send("x", spool=False, socket=tmp_path / "none")


def test_it_imports_nothing_but_the_client():
    script = """
import contextlib, importlib, json, socket, sys, time
before = set(sys.modules)
from notifyd import send
print(*sorted(set(sys.modules) - before))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        *("notifyd", "notifyd.client", "notifyd.client.http", "notifyd.client.sending"),
        *("notifyd.model", "notifyd.model.errors"),
    ]


def test_what_the_package_offers_is_listed():
    assert {name for name in notifyd.__all__ if getattr(notifyd, name)} == set(notifyd.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'sned'"):
        _ = notifyd.sned
