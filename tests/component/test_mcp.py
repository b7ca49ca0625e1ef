"""`notifyd mcp`: what agents see of its tools, and what these do."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from notifyd.cli import main
from notifyd.cli.mcp_tools import TOOLS, call_tool
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Message, Priority
from support.command import NOTIFYD
from support.socket_api import PATIENCE, Daemon

NAMES = ["notify", "cancel", "history", "status"]


@pytest.fixture(autouse=True)
def _own_spool(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NOTIFYD_SOCK", raising=False)


@pytest.fixture
def call(served: Daemon):
    """Call a tool as the server does, on a thread."""
    tools = {tool.name: tool for tool in TOOLS}

    async def call(name, socket_path=None, **arguments):
        path = socket_path or str(served.path)
        return await asyncio.to_thread(call_tool, tools[name], arguments, path)

    return call


@asynccontextmanager
async def legacy_client(path, version):
    """Start the server, shake hands as clients did before 2026, and return how to call a method."""
    process = await asyncio.create_subprocess_exec(
        *[*NOTIFYD, "mcp", "--socket", path],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    def write(message):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def request(method, **params):
        write({"id": method, "method": method, "params": params})
        answer = json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
        assert answer["id"] == method
        return answer.get("result") or answer["error"]

    me = {"name": "a client", "version": "1"}
    shaken = await request("initialize", protocolVersion=version, capabilities={}, clientInfo=me)
    write({"method": "notifications/initialized"})
    assert shaken["protocolVersion"] == version
    assert shaken["serverInfo"]["name"] == "notifyd"
    assert "notify" in shaken["instructions"]
    yield request
    out, err = await asyncio.wait_for(process.communicate(b""), PATIENCE)
    assert (process.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18"])
async def test_a_client_with_a_handshake_sends_a_notification(served: Daemon, version):
    async with legacy_client(served.path, version) as request:
        listed = await request("tools/list")
        assert [tool["name"] for tool in listed["tools"]] == NAMES
        sent = await request("tools/call", name="notify", arguments={"title": "Done"})
        assert not sent["isError"]
        assert sent["content"][0]["text"] == "stored; notifyd sends it now (id n1)"
        wrong = await request("tools/call", name="notify", arguments={"text": "Done"})
        assert wrong["isError"]
        assert "unknown argument 'text'" in wrong["content"][0]["text"]
    assert served.control.messages["n1"] == Message("Done", "", {})


async def test_a_client_without_a_handshake_sends_a_notification(served: Daemon):
    command, *words = NOTIFYD
    server = StdioServerParameters(
        command=command, args=[*words, "mcp", "--socket", str(served.path)]
    )
    async with asyncio.timeout(PATIENCE):
        async with Client(stdio_client(server), mode="2026-07-28") as client:
            tools = (await client.list_tools()).tools
            sent = await client.call_tool("notify", {"title": "Done", "priority": "high"})
            refused = await client.call_tool("cancel", {"id": "n7"})
    assert [tool.name for tool in tools] == NAMES
    assert sent.structured_content["id"] == "n1"
    assert sent.structured_content["status"] == "queued"
    assert served.control.rows["n1"]["priority"] == "high"
    assert refused.is_error
    assert refused.content[0].text == "no queued notification with that id"
    hints = {tool.name: tool.annotations for tool in tools}
    assert [name for name, hint in hints.items() if hint.read_only_hint] == ["history", "status"]
    assert [name for name, hint in hints.items() if hint.destructive_hint] == ["cancel"]
    assert [name for name, hint in hints.items() if not hint.idempotent_hint] == ["notify"]
    assert all(tool.title == hints[tool.name].title for tool in tools)


def test_every_argument_is_described():
    for tool in TOOLS:
        schema = tool.arguments.model_json_schema()
        assert schema["additionalProperties"] is False
        for name, field in schema["properties"].items():
            assert field.get("description", "")[-1:] == ".", (tool.name, name)


async def test_a_notification_has_all_that_was_given(served: Daemon, call):
    answer = await call(
        "notify", title="Build", body="red", url="https://x.example", key="b", priority="urgent"
    )
    assert answer.content["status"] == "queued"
    assert served.control.messages["n1"] == Message("Build", "red", {"url": "https://x.example"})
    assert served.control.rows["n1"]["key"] == "b"
    assert served.control.rows["n1"]["priority"] == Priority.URGENT


@pytest.mark.parametrize(
    ("report", "status", "sentence"),
    [
        ({"delivered": 2, "failed": 0, "devices": 2}, "delivered", "delivered to 2 devices"),
        ({"delivered": 1, "failed": 0, "devices": 1}, "delivered", "delivered to 1 device"),
        ({"delivered": 0, "devices": 0}, "no_device", "no device is registered"),
    ],
)
async def test_a_call_that_waits_says_what_it_reached(
    served: Daemon, call, report, status, sentence
):
    served.control.report = report
    answer = await call("notify", title="x", wait=5)
    assert answer.content["status"] == status
    assert sentence in answer.text


async def test_what_was_not_delivered_in_time_is_no_error(call):
    answer = await call("notify", title="x", wait=0.01)
    assert answer.content["status"] == "queued"
    assert "goes on trying" in answer.text


async def test_what_failed_is_an_error(served: Daemon, call):
    served.control.report = {"status": "failed", "last_error": "too large"}
    with pytest.raises(NotifydError, match="not delivered: too large"):
        await call("notify", title="x", wait=5)


async def test_over_the_budget_the_answer_says_so(served: Daemon, call):
    served.control.over_budget = True
    assert "in a digest" in (await call("notify", title="x")).text


async def test_without_a_daemon_a_notification_is_spooled(call, tmp_path):
    answer = await call("notify", str(tmp_path / "nobody"), title="x")
    assert answer.content["status"] == "spooled"
    assert "no notifyd daemon answers" in answer.text
    assert (tmp_path / "home/notifyd/spool" / answer.content["id"]).exists()
    for name in ("history", "status"):
        with pytest.raises(NotifydError, match="no notifyd answers on"):
            await call(name, str(tmp_path / "nobody"))


async def test_a_notification_is_cancelled_by_its_id_or_its_key(call):
    await call("notify", title="x")
    assert (await call("cancel", id="n1")).content == {"cancelled": ["n1"]}
    await call("notify", title="x", key="k")
    assert (await call("cancel", key="k")).text == "cancelled n2"


async def test_the_history_has_times_that_can_be_read(call):
    await call("notify", title="first", body="b")
    await call("notify", title="second")
    answer = await call("history", limit=1, status="queued", since="1h")
    (row,) = answer.content["notifications"]
    assert json.loads(answer.text) == answer.content
    assert (row["id"], row["title"], row["status"]) == ("n2", "second", "queued")
    assert row["created"].startswith("2023-11-1")
    assert row.get("body", "") == ""


async def test_the_status_is_that_of_the_command(call):
    assert (await call("status")).text.startswith("notifyd   0.0.0")


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("notify", {}, "notify: give a title, a body or both"),
        ("notify", {"titel": "x"}, "notify: unknown argument 'titel'; did you mean 'title'?"),
        (
            "notify",
            {"title": "x", "priority": "loud"},
            "notify: priority: input should be 'min', 'low', 'default', 'high' or 'urgent'",
        ),
        (
            "notify",
            {"title": "x", "wait": 61},
            "notify: wait: input should be less than or equal to 60",
        ),
        ("cancel", {}, "cancel: give either the id or the key of a notification"),
        ("cancel", {"id": "a", "key": "b"}, "cancel: give either the id or the key"),
        ("status", {"verbose": True}, "status: unknown argument 'verbose'; it takes none"),
        ("history", {"since": "5"}, 'since: invalid duration "5"'),
    ],
)
async def test_a_wrong_call_is_one_sentence(call, name, arguments, sentence):
    with pytest.raises(NotifydError) as caught:
        await call(name, **arguments)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_the_package_one_sentence_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mcp_types", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "notifyd.cli.mcp_server", raising=False)
    assert main(["mcp"]) == 1
    assert capsys.readouterr().err == (
        "the Python package mcp is not installed: "
        f"{sys.executable} -m pip install 'workspace-notifyd[mcp]'\n"
    )
