"""The responses of the local API's paths, on a real Unix socket."""

import asyncio
import os

import pytest

from notifyd.config.sections import SocketConfig, SocketRateConfig
from notifyd.model.errors import RequestRefusedError, StoreUnavailableError
from notifyd.model.notifications import Message, Peer
from support.socket_api import (
    Daemon,
    ask,
    daemon,
    exchange,
    reply,
    request,
    send,
)

# --- sending


async def test_a_message_is_queued_with_all_its_fields(served: Daemon):
    body = {"title": "Hi", "body": "there", "data": {"a": [1]}, "priority": "high", "key": "k"}
    answer = await send(served.path, body)
    assert answer.status == 202
    assert answer.body == {"success": True, "id": "n1", "status": "queued"}
    assert served.control.messages["n1"] == Message("Hi", "there", {"a": [1]})
    assert served.control.rows["n1"]["priority"] == "high"
    assert served.control.rows["n1"]["key"] == "k"
    assert served.control.peers["n1"] == Peer(os.geteuid(), os.getegid(), os.getpid())


async def test_message_means_body_and_null_means_absent(served: Daemon):
    assert (await send(served.path, {"message": "m", "title": None, "data": None})).status == 202
    assert served.control.messages["n1"] == Message("", "m", {})


async def test_a_link_is_sent_as_the_entry_url_of_data(served: Daemon):
    body = {"title": "t", "url": "https://example.com/r?id=1", "data": {"a": 1}}
    assert (await send(served.path, body)).status == 202
    assert served.control.messages["n1"].data == {"a": 1, "url": "https://example.com/r?id=1"}
    assert (await send(served.path, {"title": "t", "url": None})).status == 202
    assert served.control.messages["n2"].data == {}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"url": "javascript:alert(1)"}, "url: must begin with http:// or https://"),
        ({"url": "/run/1"}, "url: must begin with http:// or https://"),
        ({"url": "https://x/" + "y" * 2000}, "url: must have at most 2000 characters"),
        ({"url": "https://x", "data": {"url": "https://y"}}, "url: cannot be combined with"),
        ({"url": "https://x/" + "y" * 1900, "data": {"a": "z" * 1900}}, "must take at most"),
    ],
)
async def test_a_link_that_cannot_be_sent_is_refused(served: Daemon, fields, reason):
    answer = await send(served.path, {"title": "t", **fields})
    assert answer.status == 422
    assert reason in answer.body["error"]
    assert not served.control.rows


async def test_a_delayed_notification_is_held(served: Daemon):
    answer = await send(served.path, {"title": "later", "delay": "30s"})
    assert (answer.status, answer.body["status"]) == (202, "held")
    assert served.control.rows["n1"]["delay"] == 30.0


async def test_waiting_returns_the_figures_of_the_api(served: Daemon):
    served.control.report = {"status": "delivered", "delivered": 1, "failed": 0, "devices": 1}
    answer = await ask(served.path, "POST", "/notifications/send?wait=5s", {"title": "t"})
    assert answer.status == 200
    assert answer.body == {"success": True, "id": "n1", **served.control.report}


async def test_waiting_returns_a_failure_as_an_error(served: Daemon):
    served.control.report = {"status": "failed", "last_error": "the API answered 422"}
    answer = await ask(served.path, "POST", "/notifications/send?wait=5s", {"title": "t"})
    assert answer.refusal == (200, "failed")
    assert answer.body["error"] == "not delivered: the API answered 422"


async def test_an_answer_says_that_a_message_is_over_the_budget(served: Daemon):
    answer = await send(served.path, {"title": "x"})
    assert "over_budget" not in answer.body
    served.control.over_budget = True
    for query in ("", "?wait=30s"):  # no wait: its digest may be minutes away
        answer = await ask(served.path, "POST", "/notifications/send" + query, {"title": "x"})
        assert (answer.status, answer.body["over_budget"]) == (202, True)


async def test_waiting_in_vain_returns_202(served: Daemon):
    answer = await ask(served.path, "POST", "/notifications/send?wait=50ms", {"title": "t"})
    assert (answer.status, answer.body["status"]) == (202, "queued")


async def test_waiting_ends_when_the_daemon_stops(tmp_path):
    async with daemon(tmp_path / "s") as running:
        waiting = asyncio.create_task(
            ask(running.path, "POST", "/notifications/send?wait=60s", {"title": "t"})
        )
        await asyncio.wait_for(running.control.waited_for.wait(), 45)
    assert (await waiting).body == {"success": True, "id": "n1", "status": "queued"}


WRONG_FIELDS = [
    ({}, "empty", "title"),
    ({"title": " ", "body": "\n"}, "empty", "title"),
    ({"titel": "x"}, "unknown_field", "titel: unknown field; did you mean 'title'?"),
    ({"title": "x", "massage": "y"}, "unknown_field", "did you mean 'message'?"),
    ({"title": 5}, "wrong_field", "title: must be a string, not a number"),
    ({"title": "x", "body": ["y"]}, "wrong_field", "body: must be a string, not a list"),
    ({"body": "x", "message": "y"}, "wrong_field", "message"),
    (
        {"title": "x", "priority": "huge"},
        "wrong_field",
        "'min', 'low', 'default', 'high' or 'urgent'",
    ),
    ({"title": "x", "priority": 5}, "wrong_field", "priority: must be 'min'"),
    ({"title": "x", "key": "k" * 201}, "wrong_field", "at most 200 characters"),
    ({"title": "x", "delay": 30}, "wrong_field", "delay: must be a string"),
    ({"title": "x", "delay": "30"}, "wrong_field", 'delay: invalid duration "30": add a unit'),
    ({"title": "x", "delay": "31d"}, "wrong_field", "delay: must be at most 30d"),
    ({"title": "x", "data": "d"}, "wrong_field", "data: must be an object, not a string"),
    ({"title": "x", "data": {"a": "x" * 3000}}, "data_too_large", "3000 bytes"),
    ([], "wrong_field", "must be a JSON object, not a list"),
    ("text", "wrong_field", "must be a JSON object, not a string"),
]


@pytest.mark.parametrize(("body", "code", "said"), WRONG_FIELDS)
async def test_a_wrong_field_is_named(served: Daemon, body, code, said):
    answer = await send(served.path, body)
    assert answer.refusal == (422, code)
    assert said in answer.body["error"]
    assert not served.control.rows


@pytest.mark.parametrize("wait", ["61s", "5", "-1s", "soon"])
async def test_a_wrong_wait_stores_nothing(served: Daemon, wait):
    answer = await ask(served.path, "POST", f"/notifications/send?wait={wait}", {"title": "t"})
    assert answer.refusal == (422, "wrong_field")
    assert not served.control.rows


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (RequestRefusedError("no_room", "the outbox is full"), (503, "no_room")),
        (StoreUnavailableError("the disk is full"), (503, "store_unavailable")),
        (ValueError("a secret of ours"), (503, "internal")),
    ],
)
async def test_errors_of_the_daemon_are_answered_and_never_with_500(served: Daemon, error, refusal):
    served.control.failure = error
    answer = await send(served.path, {"title": "t"})
    assert answer.refusal == refusal
    assert "secret" not in answer.body["error"]


async def test_a_user_beyond_the_rate_gets_429_with_retry_after(tmp_path):
    settings = SocketConfig(rate=SocketRateConfig(max=2, per="10s"))
    async with daemon(tmp_path / "s", settings) as running:
        replies = [await send(running.path, {"title": "t"}) for _ in range(3)]
        assert [answer.status for answer in replies] == [202, 202, 429]
        assert replies[2].refusal == (429, "too_many_requests")
        assert replies[2].headers["Retry-After"] == "5"
        assert (await ask(running.path, "GET", "/v1/status")).status == 200


# --- retrying


async def test_a_failed_notification_can_be_retried(served: Daemon):
    await send(served.path, {"title": "t"})
    target = "/v1/notifications/n1/retry"
    assert (await ask(served.path, "POST", target)).refusal == (409, "finished")
    served.control.rows["n1"]["status"] = "failed"
    answer = await ask(served.path, "POST", target)
    assert answer.status == 200
    assert answer.body["notifications"] == [{"id": "n1", "status": "queued"}]
    assert (await ask(served.path, "GET", target)).refusal == (405, "method_not_allowed")
    other = await ask(served.path, "POST", "/v1/notifications/n2/retry")
    assert other.refusal == (404, "not_found")


async def test_retrying_all_needs_a_status(served: Daemon):
    for status in ("failed", "failed", "expired"):
        await send(served.path, {"title": "t"})
        list(served.control.rows.values())[-1]["status"] = status
    assert (await ask(served.path, "POST", "/v1/retry")).body["retried"] == 0
    assert (await ask(served.path, "POST", "/v1/retry?status=failed")).body["retried"] == 2
    assert [row["status"] for row in served.control.rows.values()][2] == "expired"
    wrong = await ask(served.path, "POST", "/v1/retry?status=delivered")
    assert wrong.refusal == (422, "wrong_field")


async def test_retries_count_towards_the_rate(tmp_path):
    async with daemon(
        tmp_path / "s", SocketConfig(rate=SocketRateConfig(max=1, per="10s"))
    ) as running:
        assert (await ask(running.path, "POST", "/v1/retry")).status == 200
        assert (await ask(running.path, "POST", "/v1/retry")).status == 429


async def test_metrics_are_text(served: Daemon):
    raw = await exchange(served.path, request("GET", "/metrics"))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: text/plain; version=0.0.4; charset=utf-8" in head
    assert body == served.control.metrics(uid=None)


# --- paths and methods


async def test_lists_newest_first_and_filters(served: Daemon):
    for title in "abc":
        await send(served.path, {"title": title, "delay": "1h" if title == "b" else None})
    rows = (await ask(served.path, "GET", "/v1/notifications?limit=2")).body["notifications"]
    assert [row["title"] for row in rows] == ["c", "b"]
    rows = (await ask(served.path, "GET", "/v1/notifications?status=held")).body["notifications"]
    assert [row["title"] for row in rows] == ["b"]
    answer = await ask(served.path, "GET", "/v1/notifications/n1")
    assert [row["title"] for row in answer.body["notifications"]] == ["a"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit: must be between 1 and 1000"),
        ("limit=1001", "limit: must be"),
        ("limit=%EF%BC%91", "limit: must be"),
        ("limit=x", "limit: must be"),
        ("status=odd", "status: must be 'held', "),
        ("limt=5", "did you mean 'limit'?"),
    ],
)
async def test_a_wrong_query_is_named(served: Daemon, query, said):
    answer = await ask(served.path, "GET", f"/v1/notifications?{query}")
    assert answer.status == 422
    assert said in answer.body["error"]


async def test_cancels_by_id_and_by_key(served: Daemon):
    await send(served.path, {"title": "a"})
    await send(served.path, {"title": "b", "key": "k y"})
    answer = await ask(served.path, "DELETE", "/v1/notifications/n1")
    assert (answer.status, answer.body["notifications"][0]["status"]) == (200, "cancelled")
    answer = await ask(served.path, "DELETE", "/v1/notifications?key=k%20y")
    assert answer.body["notifications"][0]["id"] == "n2"


async def test_unknown_and_tried_notifications_cannot_be_cancelled(served: Daemon):
    await send(served.path, {"title": "a"})
    served.control.rows["n1"]["status"] = "attempting"
    refusals = [
        (await ask(served.path, "DELETE", f"/v1/notifications{which}")).refusal
        for which in ("/n1", "/n9", "?key=k", "", "?key=")
    ]
    assert refusals == [
        (409, "in_flight"),
        (404, "not_found"),
        (404, "not_found"),
        (422, "wrong_field"),
        (422, "wrong_field"),
    ]


async def test_health_is_200_or_503_with_one_word(served: Daemon):
    answer = await ask(served.path, "GET", "/healthz")
    assert (answer.status, answer.body) == (200, {"success": True, "status": "ok"})
    served.control.healthy = (False, "token_refused")
    answer = await ask(served.path, "GET", "/healthz")
    assert (answer.status, answer.body) == (503, {"success": False, "status": "token_refused"})


async def test_status_is_the_daemons_own(served: Daemon):
    answer = await ask(served.path, "GET", "/v1/status")
    assert answer.body == {"success": True, **served.control.state}


async def test_reload_returns_the_problems_of_an_invalid_configuration(served: Daemon):
    assert (await ask(served.path, "POST", "/v1/reload")).body["reloaded"] is True
    served.control.reloaded = {"reloaded": False, "problems": ["a: b"], "restart": []}
    answer = await ask(served.path, "POST", "/v1/reload")
    assert answer.refusal == (422, "bad_config")
    assert answer.body["problems"] == ["a: b"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/", "not_found"),
        ("/v1/notification", "not_found"),
        ("/v1/notifications/", "not_found"),
        ("/notifications/send/", "not_found"),
        ("/%ff%00", "not_found"),
        ("/v1/notifications//retry", "not_found"),
    ],
)
async def test_an_unknown_path_is_404(served: Daemon, path, code):
    assert (await ask(served.path, "GET", path)).refusal == (404, code)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/notifications/send", "POST"),
        ("POST", "/v1/notifications", "GET, DELETE"),
        ("PUT", "/v1/notifications/n1", "GET, DELETE"),
        ("GET", "/v1/reload", "POST"),
    ],
)
async def test_a_wrong_method_is_refused_with_the_right_ones(served: Daemon, method, path, allowed):
    answer = await ask(served.path, method, path)
    assert answer.refusal == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


async def test_head_is_get_without_the_body(served: Daemon):
    raw = await exchange(served.path, request("HEAD", "/healthz"))
    assert raw.startswith(b"HTTP/1.1 200")
    assert raw.endswith(b"\r\n\r\n")


async def test_one_connection_serves_many_requests(served: Daemon):
    reader, writer = await asyncio.open_unix_connection(served.path)
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    writer.write(one * 50 + request("GET", "/healthz"))
    assert (await reader.read()).count(b'"status": "ok"') == 51
    writer.close()


async def test_responses_are_utf8(served: Daemon):
    await send(served.path, {"title": "Füße 🦶"})
    raw = await exchange(served.path, request("GET", "/v1/notifications"))
    assert "Füße 🦶".encode() in raw
    assert reply(raw).body["notifications"][0]["title"] == "Füße 🦶"
