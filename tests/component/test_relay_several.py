"""Several relays on one database: what one stores, the pages of all show, whatever happens."""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from notifyd.http.rate_limit import Rate
from notifyd.relay.store import postgres, postgres_wakeups
from notifyd.relay.store.location import PostgresUrl
from support.daemon import wait_for
from support.ports import free_port
from support.postgres import PostgresServer
from support.visitor import Visitor, visiting

PATIENCE = 60


@pytest.fixture
async def url(postgres_server: PostgresServer) -> PostgresUrl:
    return await postgres_server.new_schema()


@pytest.fixture
def brisk(monkeypatch) -> None:
    """Let the relays notice at once that notifications do not arrive."""
    for name, value in {
        "_POLL_EVERY": 0.1,
        "_PROBE_EVERY": 0.1,
        "_PROBE_TIMEOUT": 1.0,
        "_RECONNECT_AFTER": 0.1,
    }.items():
        monkeypatch.setattr(postgres_wakeups, name, value)


@asynccontextmanager
async def two_relays(url: PostgresUrl):
    async with visiting(url, rate=RATE) as one, visiting(url, rate=RATE) as two:
        yield one, two


RATE = Rate(10_000, 60.0)


async def send(visitor: Visitor, token: str, *numbers: int) -> None:
    for number in numbers:
        answer = await visitor.send(token, {"title": str(number)})
        assert answer.status == 200, answer


async def logged(logs: list, words: str) -> dict:
    """Wait until something was logged; return it and forget what was logged before."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for index, entry in enumerate(logs):
                if words in entry["event"]:
                    del logs[: index + 1]
                    return entry
            await asyncio.sleep(0.01)


async def test_a_page_of_one_relay_shows_what_another_stored(url, monkeypatch) -> None:
    monkeypatch.setattr(postgres_wakeups, "_LOOK_EVERY", 600.0)
    async with two_relays(url) as (one, two):
        token = (await one.minted("w1"))["token"]
        async with one.page() as page, two.page() as other, asyncio.timeout(PATIENCE):
            await page.until_live()
            await other.until_live()
            for number in range(5):
                await send((one, two)[number % 2], token, number)
                assert [(await each.event()).data["title"] for each in (page, other)] == [
                    str(number)
                ] * 2
            key = two.relay.inbox_url.partition("key=")[2]
            body = {"action": "archive", "seqs": [1]}
            await two.ask("POST", f"/inbox/changes?key={key}", json=body)
            assert [(await each.event()).kind for each in (page, other)] == ["changes"] * 2


async def test_a_question_is_answered_at_another_relay(url) -> None:
    async with two_relays(url) as (one, two):
        token = (await one.minted("w1"))["token"]
        question = {"title": "Go?", "actions": [{"label": "Yes"}], "answer_within": 60}
        await one.send(token, question, Idempotency_Key="q")
        path, headers = "/notifications/questions/q", {"Authorization": f"Bearer {token}"}
        waiting = asyncio.create_task(one.ask("GET", f"{path}?wait=60s", headers=headers))
        key = two.relay.inbox_url.partition("key=")[2]
        body = {"workspace_id": "w1", "answer": "Yes"}
        assert (await two.ask("POST", f"{path}/answer?key={key}", json=body)).status == 200
        async with asyncio.timeout(PATIENCE):
            assert (await waiting).json["question"]["answer"] == "Yes"


@asynccontextmanager
async def pgbouncer(server: PostgresServer, schema: str, folder: Path):
    """Run a proxy that pools transactions; yield the URL of the database behind it."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("pgbouncer is not installed (make system-packages)")
    port, config = free_port(), server.folder / f"pgbouncer-{schema}.ini"
    config.write_text(
        "[databases]\n"
        f"relay = host={server.folder} dbname=postgres user=notifyd"
        f" connect_query='SET search_path TO {schema}'\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nunix_socket_dir =\n"
    )
    config.chmod(0o644)
    process = await asyncio.create_subprocess_exec(
        *server.as_user(program, str(config)), stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while b"process up" not in (line := await process.stderr.readline()):
                assert line, "pgbouncer has ended"
        yield PostgresUrl.parse(f"postgresql://notifyd@127.0.0.1:{port}/relay?sslmode=disable")
    finally:
        process.kill()
        await process.communicate()


async def test_relays_behind_a_pooling_proxy_poll_and_say_so(
    postgres_server: PostgresServer, url: PostgresUrl, tmp_path: Path, brisk
) -> None:
    schema = url.with_password.partition("search_path=")[2]
    async with pgbouncer(postgres_server, schema, tmp_path) as proxied:
        with structlog.testing.capture_logs() as logs:
            async with two_relays(proxied) as (one, two):
                token = (await one.minted("w1"))["token"]
                async with two.page() as page, asyncio.timeout(PATIENCE):
                    await page.until_live()
                    entry = await logged(logs, "do not arrive")
                    assert (entry["log_level"], "proxy" in entry["reason"]) == ("warning", True)
                    sent = [one.send(token, {"title": "t"}) for _ in range(40)]
                    assert {answer.status for answer in await asyncio.gather(*sent)} == {200}
                    shown = [(await page.event()).data["seq"] for _ in range(40)]
    assert shown == list(range(1, 41))


@asynccontextmanager
async def forking_proxy(server: PostgresServer, url: PostgresUrl, folder: Path):
    """Yield the URL through a proxy; the processes of listeners name themselves in the folder."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(Path(__file__).parents[1] / "support/forking_proxy.py")),
        *(str(port), str(server.folder / ".s.PGSQL.5432"), str(folder), "listener"),
        stdout=PIPE,
        process_group=0,
    )
    query = url.with_password.partition("?")[2].partition("&")[2]
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield PostgresUrl.parse(f"postgresql://notifyd@127.0.0.1:{port}/postgres?{query}")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def test_a_listener_that_is_frozen_is_noticed_and_replaced(
    postgres_server: PostgresServer, url: PostgresUrl, tmp_path: Path, brisk, monkeypatch
) -> None:
    monkeypatch.setattr(postgres_wakeups, "_LOOK_EVERY", 600.0)
    async with forking_proxy(postgres_server, url, tmp_path) as proxied:
        with structlog.testing.capture_logs() as logs:
            async with visiting(proxied, rate=RATE) as one, visiting(url, rate=RATE) as two:
                token = (await two.minted("w1"))["token"]
                async with one.page() as page, asyncio.timeout(PATIENCE):
                    await page.until_live()
                    listeners = await asyncio.to_thread(wait_for_files, tmp_path)
                    await send(two, token, 1)
                    assert (await page.event()).data["title"] == "1"
                    for each in listeners:
                        os.kill(int(each.name), signal.SIGSTOP)
                    await logged(logs, "do not arrive")
                    await send(two, token, 2)
                    assert (await page.event()).data["title"] == "2"
                    await logged(logs, "arrive again")
                    await send(two, token, 3)
                    assert (await page.event()).data["title"] == "3"


async def test_connections_that_are_frozen_are_given_up(
    postgres_server: PostgresServer, url: PostgresUrl, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(postgres, "_STATEMENT_TIMEOUT", 1.0)
    async with (
        forking_proxy(postgres_server, url, tmp_path) as proxied,
        visiting(proxied, rate=RATE) as visitor,
    ):
        token = (await visitor.minted("w1"))["token"]
        parent = next(iter(children_of(os.getpid(), "forking_proxy")))
        for child in children_of(parent, "forking_proxy"):
            os.kill(child, signal.SIGSTOP)
        async with asyncio.timeout(PATIENCE):
            answer = await visitor.send(token, {"title": "t"}, Idempotency_Key="k")
            assert (answer.status, answer.json["code"]) == (503, "store_unavailable")
            while answer.status == 503:
                answer = await visitor.send(token, {"title": "t"}, Idempotency_Key="k")
        assert answer.status == 200
        async with visitor.page() as page:
            assert len(await page.until_live()) == 1


def wait_for_files(folder: Path) -> list[Path]:
    wait_for(lambda: any(folder.iterdir()), what="the listener")
    return list(folder.iterdir())


def children_of(parent: int, words: str) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if words in Path(f"/proc/{child}/cmdline").read_text()]
