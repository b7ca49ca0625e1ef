"""The importer: what each content of a file leads to, and when files are removed."""

import asyncio
import json
import os
import time

import pytest
from structlog.testing import capture_logs

from notifyd.api import spool as spool_module
from notifyd.api import spool_directory
from notifyd.api.control import SpooledMessage
from notifyd.api.spool import SpoolImporter, decode
from notifyd.api.spool_directory import SpoolDirectory, SpoolFile
from notifyd.client.spool import new_id
from notifyd.http.errors import HttpError
from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import Message, Peer, Priority
from notifyd.model.pings import Ping, PingSignal
from support.control import MemoryControl

PATIENCE = 45.0
PEER = Peer(os.geteuid(), os.getegid(), -1)


def entry(kind="send", request=None, **fields):
    now = time.time()
    whole = {"format": 1, "kind": kind, "time": now, "expires": now + 60}
    return json.dumps(whole | {"request": request or {"body": "b"}} | fields).encode()


def file(content):
    return SpoolFile(new_id(time.time()), PEER, content)


@pytest.fixture
def directory(tmp_path):
    directory = SpoolDirectory(tmp_path / "spool")
    directory.create()
    return directory


def put(directory, content):
    name = new_id(time.time())
    temporary = directory.path / f".{name}.tmp"
    temporary.write_bytes(content)
    temporary.rename(directory.path / name)
    return name


class Importing:
    """Runs an importer, and waits for what it does."""

    def __init__(self, directory):
        self.control = MemoryControl()
        self.directory = directory
        self.importer = SpoolImporter([directory], self.control)

    async def __aenter__(self):
        self._task = asyncio.create_task(self.importer.run())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.wait({self._task})

    async def wait_until(self, condition):
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - files give no event
                await asyncio.sleep(0.01)

    async def wait_empty(self):
        await self.wait_until(lambda: not list(self.directory.path.iterdir()))


def test_a_message_and_a_ping_are_decoded():
    request = {"title": "t", "body": "b", "data": {"k": 1}, "priority": "high", "delay": "5s"}
    message = Message("t", "b", {"k": 1})
    decoded = decode(file(entry(request=request | {"key": "x"})))
    assert decoded.request == SpooledMessage(message, Priority.HIGH, "x", 5.0)
    assert decoded.peer == PEER
    request = {"name": "backup", "signal": "3", "rid": "r", "output": "\x1b[31mfull\x1b[0m\n"}
    decoded = decode(file(entry("ping", request)))
    assert decoded.request == Ping("backup", PingSignal.FAIL, "r", 3, "full")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 60_000, "nested too deeply"),
        (b"[]", "must be a JSON object"),
        (entry(format=2), "format"),
        (entry("cancel"), "kind"),
        (entry(time="today"), "time"),
        (entry(time=-1), "time"),
        (entry().replace(b'"expires": ', b'"expires": 1e400, "x": '), "expires"),
        (entry(expires=1e10), "31 days"),
        (entry(expires=0), "31 days"),
        (entry(later=1), "later"),
        (entry(request=[1]), "request"),
        (entry(request={"title": ""}), "at least one"),
        (entry(request={"body": "b", "prio": "high"}), "did you mean"),
        (entry(request={"body": "b", "delay": "5"}), "add a unit"),
        (entry(request={"body": "b", "data": {"k": "x" * 50_000}}), "data"),
        (entry("ping", {"name": "n", "signal": "ended"}), "signal"),
        (entry("ping", {"name": "n", "rid": "x" * 100}), "rid"),
        (entry("ping", {"signal": "start"}), "name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_malformed_file_is_removed_and_the_reason_logged(directory, content, reason):
    with pytest.raises(HttpError, match=reason):
        decode(file(content))
    put(directory, content)
    put(directory, entry())
    with capture_logs() as logs:
        async with Importing(directory) as importing:
            await importing.wait_empty()
    assert len(importing.control.spooled) == 1
    (line,) = [each for each in logs if each["event"] == "refused files in the spool"]
    assert reason in line["reason"]
    assert (line["uid"], line["files"]) == (os.geteuid(), 1)


async def test_what_is_there_and_what_appears_is_imported_and_forgotten(directory):
    first = put(directory, entry())
    async with Importing(directory) as importing:
        await importing.wait_until(lambda: importing.control.forgotten == [first])
        second = put(directory, entry())
        await importing.wait_until(lambda: importing.control.forgotten == [first, second])
    assert [each.id for each in importing.control.spooled] == [first, second]
    assert list(directory.path.iterdir()) == []


async def test_files_appear_also_where_inotify_cannot_be_used(directory, monkeypatch):
    monkeypatch.setattr(spool_module, "_POLL", 0.01)

    def no_instance_left(**_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(spool_module, "Inotify", no_instance_left)
    async with Importing(directory) as importing:
        put(directory, entry())
        await importing.wait_empty()


async def test_a_file_stays_while_there_is_no_room_or_no_disk(directory, monkeypatch):
    monkeypatch.setattr(spool_module, "_RETRY", 0.01)
    name = put(directory, entry())
    importing = Importing(directory)
    control = importing.control
    control.failure = StoreUnavailableError("the disk is full")
    control.refusals[name] = "no_room"
    async with importing:
        await importing.wait_until(lambda: control.spool_attempts > 1)
        assert [each.name for each in directory.path.iterdir()] == [name]
        control.failure = None
        await importing.wait_until(lambda: len(control.spooled) > 2)
        assert [each.name for each in directory.path.iterdir()] == [name]
        control.refusals[name] = ""
        await importing.wait_empty()


async def test_a_directory_that_never_empties_does_not_hold_up_another(
    directory, tmp_path, monkeypatch
):
    monkeypatch.setattr(spool_directory, "TAKEN_OF_A_USER", 1)
    other = SpoolDirectory(tmp_path / "other")
    other.create()

    class Refilled(MemoryControl):
        async def import_spooled(self, requests):
            put(directory, entry())
            return await super().import_spooled(requests)

    put(directory, entry())
    put(directory, entry())
    name = put(other, entry())
    control = Refilled()
    importing = Importing(directory)
    importing.control = control
    importing.importer = SpoolImporter([directory, other], control)
    async with importing:
        await importing.wait_until(lambda: not (other.path / name).exists())
    assert len(list(directory.path.iterdir())) > 1


async def test_a_known_file_is_removed(directory):
    name = put(directory, entry())
    importing = Importing(directory)
    importing.control.refusals[name] = "known"
    async with importing:
        await importing.wait_empty()


async def test_a_ping_of_no_heartbeat_is_removed_and_logged(directory):
    name = put(directory, entry("ping", {"name": "nobody"}))
    importing = Importing(directory)
    importing.control.refusals[name] = "unknown_heartbeat"
    with capture_logs() as logs:
        async with importing:
            await importing.wait_empty()
    assert logs[0]["reason"] == "a ping of 'nobody', which is no heartbeat"


async def test_a_flood_of_bad_files_is_few_lines_in_the_log(directory):
    with capture_logs() as logs:
        async with Importing(directory) as importing:
            for number in range(200):
                put(directory, b"%d" % number)
            await importing.wait_empty()
    assert len([each for each in logs if each["event"] == "refused files in the spool"]) == 1


async def test_bad_files_are_logged_again_after_the_pause(directory, monkeypatch):
    monkeypatch.setattr(spool_module, "_LOG_PAUSE", 0.0)
    with capture_logs() as logs:
        async with Importing(directory) as importing:
            for _ in range(2):
                put(directory, b"bad")
                await importing.wait_empty()
    refusals = [each for each in logs if each["event"] == "refused files in the spool"]
    assert [each["files"] for each in refusals] == [1, 1]


async def test_foreign_files_are_a_problem_until_they_are_removed(directory):
    foreign = directory.path / "note.txt"
    foreign.write_text("milk")
    async with Importing(directory) as importing:
        await importing.wait_until(importing.importer.health)
        (health,) = importing.importer.health()
        assert health.messages == [
            f"the spool {directory.path} has files that notifyd did not write; remove them"
        ]
        foreign.unlink()
        put(directory, entry())
        await importing.wait_until(lambda: not importing.importer.health())


async def test_a_spool_that_cannot_be_used_is_a_problem_in_status_and_in_the_log(directory):
    directory.path.chmod(0o777)
    with capture_logs() as logs:
        async with Importing(directory) as importing:
            await importing.wait_until(importing.importer.health)
    (health,) = importing.importer.health()
    assert "chmod o-w" in health.messages[0]
    assert [each["event"] for each in logs] == list(health.messages)
