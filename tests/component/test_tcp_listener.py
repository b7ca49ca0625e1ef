"""The local API on a TCP address: who is admitted, and what the one client may do."""

from base64 import b64encode

import pytest
from pydantic import SecretStr

from notifyd.config.load import load
from notifyd.config.sections import ListenConfig, SocketConfig, SocketRateConfig, WebhooksConfig
from notifyd.config.token import ListenSecrets, find_listen_token, find_webhook_secret
from notifyd.model.errors import ConfigError, StoreUnavailableError
from notifyd.model.notifications import TCP_PEER, Message, Peer, Priority
from support.socket_api import GENEROUS, TCP_TOKEN, tcp_daemon

BEARER = f"Authorization: Bearer {TCP_TOKEN}\r\n"
BASIC = f"Authorization: Basic {b64encode(f'anybody:{TCP_TOKEN}'.encode()).decode()}\r\n"


@pytest.fixture
async def tcp():
    async with tcp_daemon() as running:
        yield running


# --- the token


@pytest.mark.parametrize("headers", [BEARER, BASIC, f"X-Gotify-Key: {TCP_TOKEN}\r\n"])
async def test_the_token_is_taken_from_a_header(tcp, headers):
    answer = await tcp.ask("POST", "/notifications/send", {"title": "t"}, headers)
    assert answer.status == 202
    assert tcp.control.peers[answer.body["id"]] == TCP_PEER


@pytest.mark.parametrize("target", ["/v1/notifications?limit=5&", "/v1/status?"])
async def test_the_token_is_taken_from_the_query_and_hidden_from_the_handler(tcp, target):
    assert (await tcp.ask("GET", f"{target}token={TCP_TOKEN}")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer wrong\r\n",
        f"Authorization: Bearer {TCP_TOKEN[:-1]}\r\n",
        f"Authorization: Basic {TCP_TOKEN}\r\n",
        "Authorization: Basic bm8tY29sb24=\r\n",
        "X-Gotify-Key: wrong\r\n",
    ],
)
async def test_without_the_token_every_path_is_refused(tcp, headers):
    for method, target in (("GET", "/healthz"), ("POST", "/notifications/send"), ("GET", "/none")):
        answer = await tcp.ask(method, target, {"title": "t"}, headers)
        assert answer.refusal == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not tcp.control.rows


async def test_a_new_token_counts_from_the_next_request_on(tcp):
    tcp.secrets = ListenSecrets(SecretStr("another"))
    assert (await tcp.ask("GET", "/healthz", headers=BEARER)).status == 401
    assert (await tcp.ask("GET", "/healthz?token=another")).status == 200
    tcp.secrets = ListenSecrets()
    assert (await tcp.ask("GET", "/healthz?token=another")).status == 401


# --- pages in a browser


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8787", ""])
async def test_a_host_that_is_not_ours_is_refused(tcp, host):
    raw = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n{BEARER}Connection: close\r\n\r\n"
    assert b'"host_refused"' in await tcp.exchange(raw.encode())


async def test_an_address_and_the_configured_name_are_accepted():
    async with tcp_daemon(host="box.lan") as tcp:
        for host in ("192.168.1.5:8787", "[::1]:8787", "localhost", "box.lan:8787"):
            raw = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n{BEARER}Connection: close\r\n\r\n"
            assert b" 200 " in await tcp.exchange(raw.encode())


async def test_every_origin_is_refused(tcp):
    for origin in ("http://evil.example", f"http://{tcp.host}", "null"):
        answer = await tcp.ask("GET", "/healthz", headers=f"{BEARER}Origin: {origin}\r\n")
        assert answer.refusal == (403, "origin_refused")


@pytest.mark.parametrize(
    "headers",
    ["Origin: http://evil.example\r\n", f"{BEARER}Origin: null\r\n", "", "Host: evil\r\n"],
)
async def test_the_form_of_a_page_cannot_send(tcp, headers):
    # A form can post JSON with the content type that curl has, but neither the token nor no Origin.
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    host = "" if "Host" in headers else "Host: localhost\r\n"
    body = '{"title":"t"}'
    raw = f"POST /notifications/send HTTP/1.1\r\n{host}{headers}{form}Connection: close\r\n"
    answer = await tcp.exchange(f"{raw}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 403"))
    assert not tcp.control.rows


# --- one client, never an admin


async def test_only_its_own_notifications_are_shown_and_cancelled(tcp):
    other = Peer(uid=0, gid=0, pid=1)
    accepted = await tcp.control.submit(
        Message("theirs", ""), Priority.DEFAULT, key="", delay=0.0, peer=other
    )
    theirs = accepted.id
    mine = (await tcp.ask("POST", "/notifications/send", {"title": "mine"}, BEARER)).body["id"]
    listed = await tcp.ask("GET", "/v1/notifications", headers=BEARER)
    assert [row["id"] for row in listed.body["notifications"]] == [mine]
    for method in ("GET", "DELETE"):
        answer = await tcp.ask(method, f"/v1/notifications/{theirs}", headers=BEARER)
        assert answer.refusal == (404, "not_found")
    assert (await tcp.ask("DELETE", f"/v1/notifications/{mine}", headers=BEARER)).status == 200


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/v1/reload", None),
        ("POST", "/v1/mute", {"for": "1m"}),
        ("GET", "/v1/explain", None),
    ],
)
async def test_what_needs_an_admin_is_forbidden(tcp, method, target, body):
    assert (await tcp.ask(method, target, body, BEARER)).refusal == (403, "forbidden")


async def test_the_status_shows_nothing_of_triggers_and_files(tcp):
    answer = await tcp.ask("GET", "/v1/status", headers=BEARER)
    assert answer.body == {"success": True, "scope": "own", "uid": TCP_PEER.uid}
    asked = f"GET /metrics?token={TCP_TOKEN} HTTP/1.1\r\nHost: {tcp.host}\r\nConnection: close\r\n"
    assert b"# metrics for -1\n" in await tcp.exchange(f"{asked}\r\n".encode())


async def test_errors_name_no_path_of_the_daemon(tcp):
    tcp.control.failure = StoreUnavailableError("cannot store anything in /secret: disk full")
    answer = await tcp.ask("POST", "/notifications/send", {"title": "t"}, BEARER)
    assert answer.refusal == (503, "store_unavailable")
    assert "secret" not in answer.body["error"]
    tcp.control.failure = None
    mine = (await tcp.ask("POST", "/notifications/send", {"title": "t"}, BEARER)).body["id"]
    for status, shown in (("queued", False), ("expired", False), ("failed", True)):
        error = "the API refused it, store a new token in /secret"
        tcp.control.rows[mine] |= {"status": status, "last_error": error}
        for target in ("/v1/notifications", f"/v1/notifications/{mine}"):
            [row] = (await tcp.ask("GET", target, headers=BEARER)).body["notifications"]
            assert ("secret" in row["last_error"]) is shown
            assert row["last_error"]


async def test_all_clients_share_one_rate():
    settings = SocketConfig(rate=SocketRateConfig(max=2, per="1h"))
    async with tcp_daemon(settings) as tcp:
        sent = [
            await tcp.ask("POST", "/notifications/send", {"title": "t"}, headers)
            for headers in (BEARER, BASIC, BEARER)
        ]
    assert [answer.status for answer in sent] == [202, 202, 429]
    assert sent[-1].body["error"].startswith("client tcp sends too fast: at most 2 in 1h")


async def test_a_generous_rate_admits_many():
    async with tcp_daemon(SocketConfig(rate=GENEROUS)) as tcp:
        for _ in range(20):
            assert (await tcp.ask("GET", "/healthz", headers=BEARER)).status == 200


# --- the files of the secrets


def read_listen_token(listen: ListenConfig) -> SecretStr | None:
    return ListenSecrets.read(listen, WebhooksConfig()).token


def test_a_missing_token_file_is_one_sentence(tmp_path):
    listen = ListenConfig(tcp="127.0.0.1:0", token_file=str(tmp_path / "none"))
    with pytest.raises(ConfigError) as refusal:
        read_listen_token(listen)
    [problem] = refusal.value.problems
    assert problem.startswith(f"cannot read the listen token from the file {tmp_path}/none")
    assert "store it there" in problem


@pytest.mark.parametrize("content", ["", "two words\n"])
def test_an_empty_or_malformed_token_is_refused(tmp_path, content):
    (tmp_path / "token").write_text(content)
    with pytest.raises(ConfigError):
        read_listen_token(ListenConfig(tcp="127.0.0.1:0", token_file=str(tmp_path / "token")))


def test_a_directory_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Is a directory"):
        read_listen_token(ListenConfig(tcp="127.0.0.1:0", token_file=str(tmp_path)))


def test_a_token_that_everybody_can_read_is_warned_of(tmp_path):
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "token").chmod(0o644)
    listen = ListenConfig(tcp="127.0.0.1:0", token_file=str(tmp_path / "token"))
    assert find_listen_token(listen).warning.startswith("every user can read the listen token")
    assert read_listen_token(listen).get_secret_value() == "secret"


def test_without_an_address_no_token_is_read():
    assert read_listen_token(ListenConfig()) is None


def test_a_missing_webhook_secret_is_one_sentence(tmp_path):
    webhooks = WebhooksConfig(secret_file=str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="cannot read the webhook secret from the file"):
        ListenSecrets.read(ListenConfig(), webhooks)
    (tmp_path / "none").write_text("s3cret\n")
    (tmp_path / "none").chmod(0o644)
    assert "can read the webhook secret" in find_webhook_secret(webhooks).warning
    assert ListenSecrets.read(ListenConfig(), webhooks).webhook_secret == SecretStr("s3cret")


def test_an_address_that_others_can_reach_is_warned_of(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(f'[listen]\ntcp = "0.0.0.0:8787"\ntoken_file = "{tmp_path}/t"\n')
    [warning] = load(config, {}).warnings
    assert "listen.tcp: other machines can reach this address" in warning
    config.write_text(f'[listen]\ntcp = "localhost:8787"\ntoken_file = "{tmp_path}/t"\n')
    assert not load(config, {}).warnings
