"""ntfy's publishing API on the TCP listener, and on the socket with `compat`."""

import asyncio
import os
import re
import socket
from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.api.compat.ntfy import OWN_WORDS
from notifyd.config.sections import SocketConfig, SocketRateConfig
from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import TCP_PEER, Message
from support.examples import examples
from support.socket_api import (
    GENEROUS,
    PATIENCE,
    TCP_TOKEN,
    ask,
    daemon,
    exchange_on,
    reply,
    request,
    tcp_daemon,
)

BEARER = f"Authorization: Bearer {TCP_TOKEN}\r\n"
SOON = 4_000_000_000


@pytest.fixture
async def tcp():
    async with tcp_daemon() as running:
        yield running


async def publish(tcp, target: str, body: object = b"Backup successful", headers: str = ""):
    """Send a request with the token; its content type is that of `curl -d`."""
    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    raw = request("POST", target, b"" if body is None else body, BEARER + headers + form)
    return reply(await tcp.exchange(raw))


# --- the message


async def test_a_topic_takes_a_message_and_answers_in_ntfys_form(tcp):
    answer = await publish(tcp, "/backups")
    assert answer.status == 200
    assert answer.body.pop("time") > 1_700_000_000
    assert answer.body == {
        "id": "n1",
        "expires": 2_000_000_000,
        "event": "message",
        "topic": "backups",
        "message": "Backup successful",
    }
    assert tcp.control.messages["n1"] == Message("", "Backup successful", {"topic": "backups"})
    assert tcp.control.peers["n1"] == TCP_PEER
    assert tcp.control.rows["n1"]["priority"] == "default"


async def test_put_publishes_too(tcp):
    answer = await tcp.ask("PUT", "/backups", b"by PUT", BEARER)
    assert (answer.status, answer.body["message"]) == (200, "by PUT")


@pytest.mark.parametrize("word", ["publish", "send", "trigger"])
async def test_get_publishes_from_the_query(tcp, word):
    target = f"/backups/{word}?message=a%0Ab&title=T&priority=high&tags=x,y"
    answer = await tcp.ask("GET", target, headers=BEARER)
    assert answer.status == 200
    assert answer.body["tags"] == ["x", "y"]
    assert tcp.control.messages["n1"] == Message(
        "T", "a\nb", {"topic": "backups", "tags": ["x", "y"]}
    )
    assert tcp.control.rows["n1"]["priority"] == "high"


@pytest.mark.parametrize(
    "names",
    [
        ("Title", "Message", "Priority", "Tags", "Click", "Attach", "Delay"),
        ("X-Title", "X-Message", "X-Priority", "X-Tags", "X-Click", "X-Attach", "X-At"),
        ("t", "m", "p", "ta", "click", "a", "in"),
        ("title", "message", "prio", "tag", "x-click", "attach", "At"),
    ],
)
@pytest.mark.parametrize("where", ["headers", "query"])
async def test_every_name_of_a_value_is_known(tcp, names, where):
    values = ("A title", "a message", "5", "warning, skull", "https://x.example/1",
              "https://x.example/f.png", "30m")  # fmt: skip
    pairs = list(zip(names, values, strict=True))
    if where == "headers":
        answer = await publish(
            tcp, "/t", None, "".join(f"{name}: {value}\r\n" for name, value in pairs)
        )
    else:
        query = "&".join(f"{name.lower()}={value.replace(' ', '%20')}" for name, value in pairs)
        answer = await publish(tcp, f"/t?{query}", None)
    assert answer.status == 200
    assert answer.body["priority"] == 5
    assert answer.body["click"] == "https://x.example/1"
    assert tcp.control.messages["n1"] == Message(
        "A title",
        "a message",
        {
            "topic": "t",
            "tags": ["warning", "skull"],
            "url": "https://x.example/1",
            "attach": "https://x.example/f.png",
        },
    )
    assert tcp.control.rows["n1"]["priority"] == "urgent"
    assert tcp.control.rows["n1"]["delay"] == 1800


@pytest.mark.parametrize(
    ("header", "priority"),
    [
        *(("1", "min"), ("min", "min"), ("2", "low"), ("Low", "low"), ("3", "default")),
        *(("4", "high"), ("high", "high"), ("5", "urgent"), ("max", "urgent")),
        *(("urgent", "urgent"), ("u=3", "default"), ("u=1, i", "default")),
    ],
)
async def test_priorities_are_numbers_or_names(tcp, header, priority):
    assert (await publish(tcp, "/t", headers=f"Priority: {header}\r\n")).status == 200
    assert tcp.control.rows["n1"]["priority"] == priority


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Für Ümläute ✔".encode(), "Für Ümläute ✔"),
        ("Für Ümläute".encode("latin-1"), "Für Ümläute"),
        (b"=?UTF-8?B?8J+QpyBwZW5ndWlu?=", "🐧 penguin"),
        (b"=?utf-8?Q?caf=C3=A9?= at 9", "café at 9"),
        (b"=?nope?B?8J+Q?=", "=?nope?B?8J+Q?="),
        (b"=?utf-8?B?x?=", "=?utf-8?B?x?="),
    ],
)
async def test_headers_carry_any_letters(tcp, title, shown):
    head = f"POST /t HTTP/1.1\r\nHost: {tcp.host}\r\nConnection: close\r\n{BEARER}".encode()
    await tcp.exchange(head + b"Title: " + title + b"\r\nContent-Length: 1\r\n\r\nx")
    assert tcp.control.messages["n1"].title == shown


async def test_a_line_break_in_a_header_is_written_with_a_backslash(tcp):
    await publish(tcp, "/t", None, "Message: one\\ntwo\r\n")
    assert tcp.control.messages["n1"].body == "one\ntwo"


async def test_a_message_without_text_says_triggered_as_with_ntfy(tcp):
    assert (await publish(tcp, "/t", None)).body["message"] == "triggered"
    assert (await publish(tcp, "/t", b"")).status == 200
    await publish(tcp, "/t", None, "Title: only a title\r\n")
    assert [message.body for message in tcp.control.messages.values()] == ["triggered"] * 2 + [""]


async def test_what_cannot_be_shown_is_accepted_and_ignored(tcp):
    headers = (
        "Actions: view, Open, https://x.example\r\nIcon: https://x.example/i.png\r\n"
        "Markdown: yes\r\nEmail: a@x.example\r\nCall: yes\r\nCache: no\r\nFirebase: no\r\n"
        "Filename: f.txt\r\n"
    )
    assert (await publish(tcp, "/t", headers=headers)).status == 200
    assert tcp.control.messages["n1"] == Message("", "Backup successful", {"topic": "t"})


async def test_a_file_is_left_out_but_its_message_is_sent(tcp):
    assert (await publish(tcp, "/t?message=look&filename=f.png", b"\x89PNG\xff")).status == 200
    assert (await publish(tcp, "/t?message=look&filename=f.txt", b"content")).status == 200
    assert [message.body for message in tcp.control.messages.values()] == ["look"] * 2


# --- JSON


async def test_json_is_published_at_the_root(tcp):
    body = {
        "topic": "builds",
        "title": "Done",
        "message": "all\ngreen",
        "priority": 4,
        "tags": ["tada"],
        "click": "https://x.example",
        "delay": "1h",
        "actions": [{"action": "view", "label": "Open", "url": "https://x.example"}],
        "markdown": True,
        "unknown": {"kept": "out"},
    }
    answer = await publish(tcp, "/", body)
    assert answer.status == 200
    assert answer.body["topic"] == "builds"
    assert tcp.control.messages["n1"] == Message(
        "Done", "all\ngreen", {"topic": "builds", "tags": ["tada"], "url": "https://x.example"}
    )
    assert tcp.control.rows["n1"]["priority"] == "high"
    assert tcp.control.rows["n1"]["delay"] == 3600


async def test_headers_complete_the_json(tcp):
    assert (
        await publish(tcp, "/", {"topic": "t", "priority": 0}, "X-Priority: 5\r\n")
    ).status == 200
    assert tcp.control.rows["n1"]["priority"] == "urgent"


# --- refusals


@pytest.mark.parametrize(
    ("target", "body", "headers", "code", "part"),
    [
        ("/t", b"x", "Priority: 6\r\n", 40007, "use 1 to 5"),
        ("/t", b"x", "Priority: loud\r\n", 40007, "got 'loud'"),
        ("/t", b"x", "Delay: soon\r\n", 40004, "is not understood"),
        ("/t", b"x", "At: 1000000000\r\n", 40004, "is in the past"),
        ("/t", b"x", f"At: {SOON}\r\n", 40006, "at most 30d"),
        ("/t", b"\xff\xfe", "", 40011, "UTF-8"),
        ("/t", b"{}", "Template: yes\r\n", 40043, "templates are not offered"),
        ("/t", b"x", f"Click: https://x/{'y' * 4000}\r\n", 40000, "data"),
        ("/", b"{", "", 40024, "the body is not JSON"),
        ("/", b"[]", "", 40000, "must be a JSON object"),
        ("/", {"message": "x"}, "", 40009, "invalid topic ''"),
        ("/", {"topic": "a/b", "message": "x"}, "", 40009, "invalid topic 'a/b'"),
        ("/", {"topic": "v1", "message": "x"}, "", 40010, "use another topic"),
        ("/", {"topic": "t", "title": 5}, "", 40000, "title: must be a string"),
        ("/", {"topic": "t", "priority": 9}, "", 40007, "use 1 to 5"),
    ],
)
async def test_a_wrong_value_is_refused_in_ntfys_form(tcp, target, body, headers, code, part):  # noqa: PLR0917 - one row each
    answer = await publish(tcp, target, body, headers)
    assert (answer.status, answer.body["http"], answer.body["code"]) == (400, 400, code)
    assert part in answer.body["error"]
    assert not tcp.control.rows


@pytest.mark.parametrize("topic", ["a.b", "x" * 65, "%20", "t%C3%BCr", "a%2Fb"])
async def test_a_path_that_is_no_topic_is_not_found(tcp, topic):
    answer = await publish(tcp, f"/{topic}")
    assert (answer.status, answer.body["code"]) == (404, 40401)
    assert "use 1 to 64 letters, digits, hyphens and underscores" in answer.body["error"]


async def test_the_longest_topic_is_taken(tcp):
    assert (await publish(tcp, f"/{'-_aZ09' * 10}1234")).status == 200


@pytest.mark.parametrize("word", sorted(OWN_WORDS - {"message", "healthz", "metrics"}))
async def test_the_first_words_of_our_paths_are_no_topics(tcp, word):
    answer = await publish(tcp, f"/{word}")
    assert (answer.status, answer.body["code"]) == (400, 40010)
    assert not tcp.control.rows


async def test_the_first_words_of_all_our_paths_are_known(tcp):
    answer = await tcp.ask("GET", "/openapi.json", headers=BEARER)
    words = {path.split("/")[1] for path in answer.body["paths"]}
    assert {word for word in words if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", word)} <= OWN_WORDS


@pytest.mark.parametrize("word", ["healthz", "metrics"])
async def test_a_path_of_ours_keeps_its_methods(tcp, word):
    assert (await publish(tcp, f"/{word}")).refusal == (405, "method_not_allowed")


@pytest.mark.parametrize("word", ["json", "sse", "raw", "ws", "auth"])
async def test_topics_cannot_be_subscribed_to(tcp, word):
    answer = await tcp.ask("GET", f"/t/{word}", headers=BEARER)
    assert (answer.status, answer.body["code"]) == (404, 40401)
    assert "topics cannot be subscribed to here" in answer.body["error"]


async def test_a_misspelt_path_is_unknown_as_before(tcp):
    answer = await tcp.ask("GET", "/healtz", headers=BEARER)
    assert answer.refusal == (404, "not_found")
    assert "did you mean" in answer.body["error"]


async def test_too_many_and_too_large_requests_and_an_outage_are_reported_in_ntfys_form():
    settings = SocketConfig(max_body="2KiB", rate=SocketRateConfig(max=2, per="1h"))
    async with tcp_daemon(settings) as tcp:
        answer = await publish(tcp, "/t", b"x" * 3000)
        assert (answer.status, answer.body["code"]) == (413, 41301)
        tcp.control.failure = StoreUnavailableError("disk full")
        answer = await publish(tcp, "/t")
        assert (answer.status, answer.body["code"]) == (503, 50300)
        answer = await publish(tcp, "/t")
        assert (answer.status, answer.body["code"]) == (429, 42901)
        assert answer.headers["Retry-After"]


# --- who


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", BEARER),
        ("", f"Authorization: Basic {b64encode(f':{TCP_TOKEN}'.encode()).decode()}\r\n"),
        (f"?token={TCP_TOKEN}", ""),
        (f"?auth={urlsafe_b64encode(f'Bearer {TCP_TOKEN}'.encode()).decode().rstrip('=')}", ""),
        ("?auth=" + urlsafe_b64encode(
            b"Basic " + b64encode(f"me:{TCP_TOKEN}".encode())).decode().rstrip("="), ""),
    ],
)  # fmt: skip
async def test_the_token_is_taken_as_ntfys_clients_send_it(tcp, query, headers):
    assert (await tcp.ask("POST", f"/t{query}", b"x", headers)).status == 200
    assert tcp.control.messages["n1"] == Message("", "x", {"topic": "t"})


@pytest.mark.parametrize("query", ["", "?auth=", "?auth=%25", "?auth=QmVhcmVy", "?token=wrong"])
async def test_without_the_token_the_error_has_ntfys_form(tcp, query):
    answer = await tcp.ask("POST", f"/t{query}", b"x")
    assert (answer.status, answer.body["code"]) == (401, 40101)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert not tcp.control.rows


async def test_the_socket_takes_them_only_with_compat(tmp_path):
    async with daemon(tmp_path / "s") as running:
        for target in ("/t", "/", "/message"):
            answer = await ask(running.path, "POST", target, {"topic": "t", "message": "x"})
            assert answer.refusal == (404, "not_found")
        answer = await ask(running.path, "PUT", "/builds", b"x")
        assert "need compat = true in [socket]" in answer.body["error"]
    async with daemon(tmp_path / "s", SocketConfig(compat=True, rate=GENEROUS)) as running:
        for target in ("/t", "/", "/message"):
            answer = await ask(running.path, "POST", target, {"topic": "t", "message": "x"})
            assert answer.status == 200
        assert {peer.uid for peer in running.control.peers.values()} == {os.getuid()}
        assert (await ask(running.path, "GET", "/healthz")).status == 200


# --- anything at all

texts = st.binary(max_size=40).filter(lambda value: not set(value) & set(b"\r\n\0"))
headers = st.dictionaries(
    st.sampled_from([b"Title", b"Priority", b"Tags", b"At", b"Message", b"Filename", b"Click"]),
    texts | st.sampled_from([b"=?utf-8?B?", b"=?x?Q?=FF?=", b"9" * 12, b"99:99pm", b"tomorrow"]),
)
kinds = st.sampled_from(
    [b"text/plain", b"application/json", b"multipart/form-data; boundary=b", b"multipart/x; =;b="]
)
bodies = st.binary(max_size=60) | st.sampled_from(
    [
        b'{"topic":"t","priority":true}',
        b'{"topic":5}',
        b'{"message":"x","extras":{"client::notification":5}}',
        b"--b\r\nContent-Disposition: form-data; name*=x''%zz\r\n\r\nv\r\n--b--",
        b"--b\r\n\r\n\r\n",
    ]
)
targets = st.sampled_from([b"/t", b"/", b"/message", b"/t/publish", b"/%ff", b"/t?at=%00&p=%ff"])


async def test_whatever_clients_send_is_answered_in_json_and_never_with_500(tcp):
    @examples(60, 600)
    @given(target=targets, lines=headers, kind=kinds, body=bodies)
    def check(target: bytes, lines: dict[bytes, bytes], kind: bytes, body: bytes) -> None:
        head = b"POST " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        head += BEARER.encode() + b"Content-Type: " + kind + b"\r\n"
        head += b"".join(name + b": " + value + b"\r\n" for name, value in lines.items())
        with socket.create_connection(tcp.address, PATIENCE) as sock:
            data = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
            assert reply(exchange_on(sock, data)).status in (200, 400, 404)

    await asyncio.to_thread(check)
    assert (await publish(tcp, "/t")).status == 200
