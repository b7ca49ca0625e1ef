"""`notifyd hook`: an agent never notices it, and the daemon learns what happened."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from support import forked
from support.command import NOTIFYD, run

STOP = {
    "hook_event_name": "Stop",
    "session_id": "s1",
    "prompt_id": "p1",
    "cwd": "/home/a/shop",
    "last_assistant_message": "All 12 tests pass.",
}
STOPPED = json.dumps(STOP).encode()


@pytest.fixture
def nobody(tmp_path):
    """The environment of a user without a daemon; what is spooled lies in tmp_path."""
    return {"XDG_STATE_HOME": str(tmp_path), "NOTIFYD_SOCK": str(tmp_path / "none.sock")}


def spooled(tmp_path):
    files = sorted((tmp_path / "notifyd/spool").glob("[0-9a-f]*"))
    return [json.loads(file.read_text()) for file in files]


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        ([], STOPPED),
        (["codex", "not json"], STOPPED),
        (["--no-such-option"], STOPPED),
        (["--socket"], STOPPED),
        (["-x", "--", "--json=1"], STOPPED),
        (["instal", "claude-code"], STOPPED),
        (["NO SUCH AGENT", "\udcff"], STOPPED),
        (["claude-code", "{"], STOPPED),
        (["claude-code"], b""),
        (["claude-code"], b"{"),
        (["claude-code"], b"\xff\xfe"),
        (["claude-code"], b"[]"),
        (["claude-code"], b"[" * 100_000),
        (["claude-code"], b"x" * (9 << 20)),
    ],
)
async def test_whatever_is_called_it_exits_with_0_and_prints_nothing(words, stdin, nobody):
    ran = await run("hook", *words, stdin=stdin, **nobody)
    assert (ran.status, ran.out, ran.err) == (0, "", "")


async def test_without_a_daemon_an_event_is_spooled_but_not_every_tool(nobody, tmp_path):
    ran = await run("hook", "claude-code", "--verbose", stdin=STOPPED, **nobody)
    assert ran.status == 0
    assert "spooled" in ran.err
    used = {**STOP, "hook_event_name": "PostToolUse", "tool_name": "Bash"}
    ran = await run("hook", stdin=json.dumps(used).encode(), **nobody, NOTIFYD_HOOK_DEBUG="1")
    assert "not reported: no notifyd answers" in ran.err
    (entry,) = spooled(tmp_path)
    request = entry["request"]
    assert (entry["kind"], entry["format"]) == ("agent", 1)
    assert entry["time"] - 60 < request.pop("time") <= entry["time"]
    assert request == {
        "event": "done",
        "agent": "claude-code",
        "session": "s1",
        "project": "shop",
        "directory": "/home/a/shop",
        "turn": "p1",
        "text": "All 12 tests pass.",
    }


async def test_a_spool_that_cannot_be_written_is_no_error(nobody, tmp_path):
    (tmp_path / "notifyd").write_text("in the way")
    ran = await run("hook", stdin=STOPPED, **nobody)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    ran = await run("hook", "--verbose", stdin=STOPPED, **nobody)
    assert ran.status == 0
    assert ran.err.startswith("notifyd hook: cannot spool in")


async def test_the_payload_may_be_the_last_argument(nobody, tmp_path):
    payload = {"type": "agent-turn-complete", "thread-id": "t", "cwd": "/home/a/shop"}
    ran = await run("hook", "codex", json.dumps(payload), **nobody)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    (entry,) = spooled(tmp_path)
    assert entry["request"]["event"] == "done"
    assert entry["request"]["agent"] == "codex"


async def test_without_a_directory_in_the_payload_the_current_one_counts(
    nobody, tmp_path, monkeypatch
):
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    await run("hook", stdin=b'{"event": "Stop", "session_id": "1"}', **nobody)
    (entry,) = spooled(tmp_path)
    assert entry["request"]["agent"] == "goose"
    assert entry["request"]["project"] == "shop"
    assert entry["request"]["directory"] == str(tmp_path / "shop")


@pytest.mark.parametrize("agent", ["gemini-cli", "cursor"])
async def test_agents_that_want_json_get_an_empty_object(agent, nobody):
    for stdin in (STOPPED, b"{", b""):
        ran = await run("hook", agent, stdin=stdin, **nobody)
        assert (ran.status, ran.out, ran.err) == (0, "{}\n", "")


@pytest.mark.parametrize(
    ("status", "is_spooled"), [(202, False), (404, False), (422, False), (429, True), (503, True)]
)
async def test_what_the_daemon_answers_decides_whether_it_is_spooled(
    status, is_spooled, nobody, tmp_path
):
    asked = []

    async def answer(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        asked.append((head.split(" HTTP")[0], json.loads(await reader.readexactly(length))))
        body = b'{"success": %s, "status": "queued", "reason": "r", "error": "no"}' % (
            b"true" if status == 202 else b"false"
        )
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "none.sock"):
        ran = await run("hook", "claude-code", stdin=STOPPED, **nobody)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    ((line, body),) = asked
    assert line == "POST /v1/agents/done"
    assert body["text"] == "All 12 tests pass."
    assert bool(spooled(tmp_path)) is is_spooled


async def test_a_daemon_that_hangs_is_not_waited_for(nobody, tmp_path):
    over = asyncio.Event()

    async def silent(reader, writer):
        await over.wait()
        writer.close()

    async with await asyncio.start_unix_server(silent, tmp_path / "none.sock"):
        ran = await run("hook", "--verbose", stdin=STOPPED, **nobody)
        over.set()
    assert ran.status == 0
    assert "did not answer in time" in ran.err
    assert len(spooled(tmp_path)) == 1


def test_a_stdin_that_stays_open_is_not_waited_for(nobody, tmp_path):
    reading, writing = os.pipe()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **nobody}
    with (tmp_path / "out").open("w+b") as out:
        process = forked.Process(
            ["hook", "claude-code"], environ, reading, out.fileno(), out.fileno()
        )
        os.write(writing, STOPPED)
        assert process.wait(45) == 0
        assert (tmp_path / "out").read_bytes() == b""
    for descriptor in (reading, writing):
        os.close(descriptor)
    assert len(spooled(tmp_path)) == 1


def test_a_stdin_without_anything_is_not_waited_for(nobody, tmp_path):
    reading, writing = os.pipe()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **nobody}
    null = os.open(os.devnull, os.O_RDWR)
    process = forked.Process(["hook", "claude-code"], environ, reading, null, null)
    assert process.wait(45) == 0
    for descriptor in (reading, writing, null):
        os.close(descriptor)


def test_closed_standard_streams_are_no_error(nobody, tmp_path):
    command = 'exec "$@" <&- >&- 2>&-'
    words = ["sh", "-c", command, "sh", *NOTIFYD, "hook", "gemini-cli", "--verbose"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **nobody}
    assert subprocess.run(words, env=environ, timeout=60, check=False).returncode == 0


async def test_help_explains_it():
    ran = await run("hook", "--help")
    assert ran.status == 0
    assert "notifyd hook install (AGENT ... | --all)" in ran.out
    ran = await run("hook", "install", "--help")
    assert ran.status == 0
    assert "claude-code" in ran.out


def test_a_report_imports_no_heavy_module(tmp_path):
    heavy = {"asyncio", "aiohttp", "pydantic", "structlog", "argparse", "typing", "pathlib"}
    code = (
        "import sys; from notifyd.cli import main; "
        "main(['hook', 'claude-code', '--socket', '/nonexistent']); print(*sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code],
        input=STOPPED,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(tmp_path)},
        timeout=60,
        check=False,
    )
    loaded = set(ran.stdout.decode().split())
    assert ran.returncode == 0
    assert "notifyd.agents.claude_code" in loaded
    assert not loaded.intersection(heavy)
