"""The relay where browsers need a secure context: with a certificate, or behind a proxy."""

import asyncio
import os
import pty
import re
import socket
import ssl
import sys

import aiohttp
import pytest
import trustme

from notifyd.relay.server import open_relay
from support import forked

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
PROXY = "https://inbox.example.org"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def certificate(authority, tmp_path):
    """Write a certificate with its key; return the file."""
    issued = authority.issue_cert("localhost", "127.0.0.1")
    file = tmp_path / "cert.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


async def until(terminal: int, pattern: str) -> str:
    """Read a terminal until its text matches; return all of it."""
    loop, text = asyncio.get_running_loop(), ""
    async with asyncio.timeout(45):
        while not re.search(pattern, text, re.MULTILINE | re.DOTALL):
            readable = loop.create_future()
            loop.add_reader(terminal, readable.set_result, None)
            await readable
            loop.remove_reader(terminal)
            text += os.read(terminal, 1 << 16).decode()
    return text


async def test_with_a_certificate_the_page_is_https_and_a_code_shows_its_url(
    certificate, authority, tmp_path
) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "notifyd", "relay", "--listen", "0.0.0.0:0"),
        *("--tls-cert", str(certificate)),
        env=ENVIRONMENT | {"HOME": str(tmp_path)},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        shown = await until(ours, r"[█▀▄]{20}\s*\r\n(?![█▀▄ ])|[▀]{25}")
        assert "warning" not in shown
        page = re.search(
            r"^Inbox +(https://127\.0\.0\.1:\d+/inbox\?key=\S+)\r$", shown, re.MULTILINE
        )[1]
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        async with (
            aiohttp.ClientSession() as session,
            session.get(page, ssl=trusting) as response,
        ):
            assert response.status == 200
            assert "<title>Inbox</title>" in await response.text()
    finally:
        process.kill()
        await process.wait()
        os.close(ours)


async def test_behind_a_proxy_its_name_and_pages_are_accepted_and_no_other() -> None:
    async with open_relay(":memory:", public_url=PROXY) as relay:
        assert relay.inbox_url.startswith(f"{PROXY}/inbox?key=")
        port = relay.port
        path = relay.inbox_url.removeprefix(PROXY).replace("/inbox?", "/inbox/changes?")
        local = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as session:
            for host, origin, status in (
                ("inbox.example.org", PROXY, 200),
                ("inbox.example.org", "https://evil.example", 403),
                ("evil.example", "https://evil.example", 403),
            ):
                headers = {"Host": host, "Origin": origin}
                body = {"action": "read", "seqs": [1]}
                async with session.post(local + path, json=body, headers=headers) as response:
                    assert response.status == status, (host, origin)


async def test_silent_clients_of_https_do_not_hold_up_the_end(certificate) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with asyncio.timeout(45):
        async with open_relay(":memory:", tls=context) as relay:
            silent = [socket.create_connection(("127.0.0.1", relay.port)) for _ in range(5)]
    for each in silent:
        each.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tls-cert", "/nowhere.pem"), "cannot serve HTTPS with /nowhere.pem: No such file"),
        (("--tls-cert", __file__), "use a certificate chain and its key"),
        (("--tls-key", "key.pem"), "--tls-key needs --tls-cert"),
        (("--behind-proxy", "inbox.example.org"), "argument --url/--behind-proxy"),
    ],
)
async def test_what_cannot_be_served_is_one_sentence(tmp_path, words, said) -> None:
    environ = ENVIRONMENT | {"HOME": str(tmp_path)}
    words = ["relay", "--listen", "127.0.0.1:0", *words]
    ended = await asyncio.to_thread(forked.run, words, environ=environ, text=True)
    assert ended.returncode in (1, 2)
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
