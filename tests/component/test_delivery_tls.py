import asyncio

import pytest

from notifyd.delivery.outcome import decide_outcome
from notifyd.model.attempts import OutcomeKind, SendAttempt
from notifyd.model.events import Now
from support.platform import Platform
from support.post import ask
from support.proxy import Proxy


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


def reason(response) -> str:
    outcome = decide_outcome(response, SendAttempt("n1", 1, 0, 0), Now(0, 0), 0.5)
    assert outcome.kind is OutcomeKind.RETRY
    return outcome.reason


async def test_a_certificate_from_an_authority_in_ssl_cert_file_is_accepted(monkeypatch):
    async with Platform("good") as platform:
        monkeypatch.setenv("SSL_CERT_FILE", platform.ca_file)
        response = await ask(platform.url)
    assert response.success is True


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "the certificate of localhost has expired"),
        ("wrong_host", "the certificate of localhost is for another host"),
        ("self_signed", "the certificate of localhost is self-signed"),
        ("unknown_ca", "the certificate of localhost is signed by an unknown authority"),
    ],
)
async def test_a_certificate_error_is_named_and_nothing_is_sent(kind, words, monkeypatch):
    async with Platform(kind) as platform:
        monkeypatch.setenv("SSL_CERT_FILE", platform.ca_file)
        response = await ask(platform.url)
        assert platform.received == []
    assert reason(response).startswith(words)


async def test_an_unknown_authority_is_not_trusted():
    async with Platform("good") as platform:
        response = await ask(platform.url)
        assert platform.received == []
    assert "SSL_CERT_FILE" in reason(response)


async def test_a_server_that_does_not_speak_tls_is_named():
    def answer_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer_plainly, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        response = await ask(f"https://localhost:{port}")
    assert reason(response) == "TLS with localhost failed (wrong version number)"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
async def test_the_proxy_of_the_environment_tunnels_without_seeing_the_token(name, monkeypatch):
    async with Platform("good") as platform, Proxy() as proxy:
        monkeypatch.setenv("SSL_CERT_FILE", platform.ca_file)
        monkeypatch.setenv(name, f"http://user:p%40ss@127.0.0.1:{proxy.port}")
        response = await ask(platform.url)
    [head] = proxy.heads
    assert response.success is True
    assert head.startswith(f"CONNECT localhost:{platform.port} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in head  # user:p@ss
    assert Platform.token not in head
    assert platform.received[0].token == Platform.token
    assert "proxy-authorization" not in platform.received[0].headers


async def test_netrc_gives_a_proxy_no_password(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password from-netrc\n")
    netrc.chmod(0o600)
    async with Platform("good") as platform, Proxy() as proxy:
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("SSL_CERT_FILE", platform.ca_file)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        await ask(platform.url)
    assert "authorization" not in proxy.heads[0].lower()


async def test_no_proxy_connects_directly(monkeypatch):
    async with Platform("good") as platform, Proxy() as proxy:
        monkeypatch.setenv("SSL_CERT_FILE", platform.ca_file)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "example.com,localhost")
        response = await ask(platform.url)
        assert proxy.heads == []
    assert response.success is True


async def test_plain_http_to_this_machine_goes_through_no_proxy(monkeypatch):
    async with Platform() as platform, Proxy() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        response = await ask(platform.url)
        assert proxy.heads == []
    assert response.success is True


async def test_a_refusing_proxy_is_retried(monkeypatch):
    async with Platform("good") as platform, Proxy("407 Proxy Authentication Required") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        response = await ask(platform.url)
        assert platform.sockets == 0
    assert reason(response) == "the proxy refused with 407 (Proxy Authentication Required)"


async def test_an_unreachable_proxy_is_named(monkeypatch):
    async with Platform() as gone:
        pass
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden@127.0.0.1:{gone.port}")
    assert reason(await ask("https://api.example")) == (
        "cannot connect to the proxy 127.0.0.1 (Connection refused)"
    )


@pytest.mark.parametrize("proxy", ["socks5://u:hidden@127.0.0.1:1", "http://", "http://[::1:3"])
async def test_a_proxy_that_cannot_be_used_is_named_without_its_password(proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    said = reason(await ask("https://api.example"))
    assert said.startswith("HTTPS_PROXY in the environment is not the URL of an http proxy")
    assert "hidden" not in said
