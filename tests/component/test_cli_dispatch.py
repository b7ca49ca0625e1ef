"""The command itself: help, unexpected errors, Ctrl-C and imports."""

import asyncio
import os
import signal
import sys

import pytest

from notifyd.cli import COMMANDS
from support.command import NOTIFYD, run
from support.socket_api import PATIENCE, Daemon, daemon


@pytest.fixture
async def served(tmp_path):
    async with daemon(tmp_path / "s") as running:
        yield running


async def test_help_and_version_need_no_daemon():
    ran = await run("--help")
    assert ran.status == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ran.out
    assert (await run("--version")).out.startswith("notifyd ")
    shown = (await run("send", "--help")).out
    assert "[--wait[=D]]" in shown
    assert "\n  --wait[=D] " in shown
    assert shown.partition("examples:")[0].count("--wait") == 2


async def test_ctrl_c_is_130_and_quiet(tmp_path):
    asked, over = asyncio.Event(), asyncio.Event()

    async def silent(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_unix_server(silent, tmp_path / "s")
    process = await asyncio.create_subprocess_exec(
        *[*NOTIFYD, "send", "--socket", tmp_path / "s", "x"], stderr=asyncio.subprocess.PIPE
    )
    await asyncio.wait_for(asked.wait(), PATIENCE)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, err) == (130, b"")
    over.set()
    server.close()


@pytest.mark.parametrize(
    ("words", "status"),
    [(["--help"], 1), (["--version"], 1), (["history"], 1), (["match", "--help"], 2)],
)
async def test_a_closed_pipe_is_not_an_error_message(served: Daemon, words, status):
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *[*NOTIFYD, *words],
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
        env={"NOTIFYD_SOCK": str(served.path)},
    )
    os.close(writing)
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, err) == (status, b"")


@pytest.mark.parametrize(
    ("words", "status"),
    [(["--help"], 1), (["--version"], 1), (["history"], 1), (["match", "--help"], 2)],
)
async def test_output_that_cannot_be_written_is_one_sentence(served: Daemon, words, status):
    with open("/dev/full", "wb") as full:  # noqa: ASYNC230, PTH123 - no file is read
        process = await asyncio.create_subprocess_exec(
            *[*NOTIFYD, *words],
            stdout=full,
            stderr=asyncio.subprocess.PIPE,
            env={"NOTIFYD_SOCK": str(served.path)},
        )
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert err == b"cannot write the output: No space left on device\n"
    assert process.returncode == status


@pytest.mark.parametrize(
    ("words", "status"), [(["check"], 1), (["match", "x"], 2), (["--debug", "check"], 1)]
)
async def test_an_internal_error_is_one_sentence_without_debug(tmp_path, words, status):
    (tmp_path / "gone").mkdir()
    process = await asyncio.create_subprocess_exec(
        *["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', tmp_path / "gone", *NOTIFYD, *words],
        stderr=asyncio.subprocess.PIPE,
        env={"NOTIFYD_CONFIG": "relative.toml"},
    )
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == status
    assert (b"Traceback" in err) is (words[0] == "--debug")
    assert b"FileNotFoundError" in err
    assert words[0] == "--debug" or err.count(b"\n") == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["send", "-t", "x", "y"], b"no notifyd answers"),
        (["send", "--spool", "y"], b"is spooled"),
        (["ping", "x", "start", "y"], b"is spooled"),
        (["exec", "--on", "failure", "true"], b""),
    ],
)
async def test_what_jobs_call_imports_no_heavy_module(words, error, tmp_path):
    heavy = {"asyncio", "aiohttp", "pydantic", "structlog", "argparse", "typing", "pathlib"}
    code = (
        "import sys; from notifyd.cli import main; "
        f"main([*{words[:1]}, '--socket', '/nonexistent', *{words[1:]}]); print(*sys.modules)"
    )
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-I", "-c", code],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(tmp_path)},
    )
    out, err = await process.communicate()
    loaded = set(out.decode().split())
    assert error in err
    assert "notifyd.client.http" in loaded
    assert not loaded.intersection(heavy)
