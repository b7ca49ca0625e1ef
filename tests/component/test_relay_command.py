"""`notifyd relay` as its user runs it."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from support import forked

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


@asynccontextmanager
async def relay(
    home: Path, *words: str, descriptors: int = 1024, **environment: str
) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f'ulimit -n {descriptors}; exec "$@"', "-"),
        *(sys.executable, "-m", "notifyd", "relay", *words),
        env=ENVIRONMENT | {"HOME": str(home)} | environment,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def greeting(process: Process, lines: int) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(45):
        return b"".join([await process.stdout.readline() for _ in range(lines)]).decode()


async def ended_relay(home: Path, *words: str, **environment: str) -> forked.Ended:
    environ = ENVIRONMENT | {"HOME": str(home)} | environment
    return await asyncio.to_thread(forked.run, ["relay", *words], environ=environ, text=True)


async def failure(home: Path, *words: str, **environment: str) -> tuple[int, str]:
    ended = await ended_relay(home, *words, **environment)
    return ended.returncode, ended.stderr.strip()


async def test_credentials_are_generated_once_and_work(tmp_path: Path) -> None:
    async with relay(tmp_path, "--listen", "127.0.0.1:0") as process:
        first = await greeting(process, 6)
        api = re.search(r"^API +(http://127\.0\.0\.1:\d+)$", first, re.MULTILINE)
        page = re.search(r"^Inbox +(http://\S+/inbox\?key=\S+)$", first, re.MULTILINE)
        made = dict(re.findall(r"^export OBLIEN_CLIENT_(ID|SECRET)=(\S+)$", first, re.MULTILINE))
        assert api
        assert page
        headers = {"X-Client-ID": made["ID"], "X-Client-Secret": made["SECRET"]}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(f"{api[1]}/notifications/tokens") as response:
                assert await response.json() == {"success": True, "tokens": []}
            async with session.get(page[1]) as response:
                assert "<title>Inbox</title>" in await response.text()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert (tmp_path / ".local/state/notifyd/relay.db").exists()

    async with relay(tmp_path, "--listen", "127.0.0.1:0") as process:
        again = await greeting(process, 2)
        process.send_signal(signal.SIGINT)
        rest, stderr = await process.communicate()
        assert (process.returncode, rest, stderr) == (0, b"", b"")
    assert again.partition("?key=")[2] == first.partition("?key=")[2].splitlines()[0] + "\n"


async def shown(home: Path, *words: str) -> str:
    ended = await ended_relay(home, *words)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


async def test_renewed_credentials_and_inbox_urls_count_at_once(tmp_path: Path) -> None:
    async with relay(tmp_path, "--listen", "127.0.0.1:0") as process:
        first = await greeting(process, 6)
        old_page = re.findall(r"^Inbox +(\S+)$", first, re.MULTILINE)[0]
        old = dict(re.findall(r"^export OBLIEN_(\w+)=(\S+)$", first, re.MULTILINE))
        assert f"OBLIEN_CLIENT_ID={old['CLIENT_ID']}\n" in await shown(tmp_path, "credentials")
        assert old["CLIENT_SECRET"] not in await shown(tmp_path, "credentials")
        assert await shown(tmp_path, "inbox") == f"{old_page}\n"
        renewed = await shown(tmp_path, "credentials", "--renew")
        new = dict(re.findall(r"^export OBLIEN_(\w+)=(\S+)$", renewed, re.MULTILINE))
        assert new["BASE_URL"] == old["BASE_URL"]
        new_page = (await shown(tmp_path, "inbox", "--renew")).strip()
        async with aiohttp.ClientSession() as session:
            for given, status in ((old, 401), (new, 200)):
                headers = {
                    "X-Client-ID": given["CLIENT_ID"],
                    "X-Client-Secret": given["CLIENT_SECRET"],
                }
                url = f"{new['BASE_URL']}/notifications/devices"
                async with session.get(url, headers=headers) as response:
                    assert response.status == status
            for page, status in ((old_page, 403), (new_page, 200)):
                async with session.get(page) as response:
                    assert response.status == status


async def test_showing_needs_a_relay_that_was_started(tmp_path: Path) -> None:
    status, stderr = await failure(tmp_path, "inbox")
    assert status == 1
    assert "no relay has been started with this database" in stderr
    assert not (tmp_path / ".local").exists()
    assert (await failure(tmp_path, "--renew"))[0] == 1


async def test_given_credentials_are_never_printed(tmp_path: Path) -> None:
    given = {"OBLIEN_CLIENT_ID": "mine", "OBLIEN_CLIENT_SECRET": "mine-too"}
    words = ("--listen", "127.0.0.1:0", "--database", str(tmp_path / "other.db"))
    async with relay(tmp_path, *words, **given) as process:
        shown = await greeting(process, 2)
        process.terminate()
        rest, _ = await process.communicate()
    assert "mine" not in shown
    assert rest == b""
    assert (tmp_path / "other.db").exists()


async def test_silent_connections_do_not_use_up_the_descriptors(tmp_path: Path) -> None:
    async with relay(tmp_path, "--listen", "127.0.0.1:0", descriptors=128) as process:
        page = re.findall(r"^Inbox +(\S+)$", await greeting(process, 6), re.MULTILINE)[0]
        where = urlsplit(page)
        silent = [await asyncio.open_connection(where.hostname, where.port) for _ in range(300)]
        async with (
            aiohttp.ClientSession() as session,
            asyncio.timeout(45),
            session.get(page) as got,
        ):
            assert got.status == 200
        for _, writer in silent:
            writer.close()
        process.terminate()
        _, stderr = await process.communicate()
    assert (process.returncode, stderr) == (0, b"")


@pytest.mark.parametrize("given", ["OBLIEN_CLIENT_ID", "OBLIEN_CLIENT_SECRET"])
async def test_incomplete_credentials_are_an_error(tmp_path: Path, given: str) -> None:
    status, stderr = await failure(tmp_path, **{given: "x"})
    assert status == 1
    assert re.fullmatch(r"OBLIEN_CLIENT_\w+ is not set; .*", stderr)


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    async with relay(tmp_path, "--listen", "127.0.0.1:0") as process:
        port = re.findall(r":(\d+)/inbox", await greeting(process, 6))[0]
        status, stderr = await failure(tmp_path, "--listen", f"127.0.0.1:{port}")
    assert status == 1
    assert stderr.startswith(f"127.0.0.1:{port} is in use; ")
    assert "\n" not in stderr


async def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("in the way")
    status, stderr = await failure(tmp_path, "--listen", "127.0.0.1:0")
    assert status == 78
    assert stderr.endswith(
        "cannot be opened as the relay's database: Not a directory; let this user write there, "
        "or name another file with --database"
    )


async def test_listening_on_other_addresses_is_warned_about(tmp_path: Path) -> None:
    async with relay(tmp_path, "--listen", "0.0.0.0:0") as process:
        await greeting(process, 6)
        process.terminate()
        _, stderr = await process.communicate()
    assert stderr.decode().startswith("warning: other machines can reach this address")
    assert stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--listen", "127.0.0.1"),
        ("--listen", "127.0.0.1:http"),
        ("--listen", "127.0.0.1:99999"),
        ("--listen", "http://127.0.0.1:80"),
        ("--rate", "0"),
        ("--rate", "many"),
    ],
)
async def test_a_wrong_option_is_a_usage_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    status, stderr = await failure(tmp_path, *words)
    assert status == 2
    assert re.search(rf"argument {words[0]}: invalid (address|rate) {words[1]!r}; use", stderr)
