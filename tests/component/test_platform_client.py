"""The platform's client against a double on loopback: every endpoint, every error, every repeat."""

import ast
import inspect
import re
import socket

import pytest

from notifyd.model.errors import ConfigError
from notifyd.platform import Client, codegen, errors
from notifyd.platform import groups as generated
from notifyd.platform.endpoints import ENDPOINTS, find
from support.platform_api import PlatformApi, reply
from support.reference import LISTED

CREDENTIALS = {"client_id": "id-1", "client_secret": "secret-1"}


@pytest.fixture
async def api():
    async with PlatformApi() as api:
        yield api


class Waits(list):
    """Stands for the clock: records how long a client would have slept."""

    async def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
async def client(api, waits):
    async with Client(**CREDENTIALS, base_url=api.url, sleep=waits) as client:
        yield client


def without_names(path):
    return re.sub(r":[a-z_]+", ":id", path)


def test_the_table_holds_the_reference_and_nothing_else():
    table = [(endpoint.method, without_names(endpoint.path)) for endpoint in ENDPOINTS]
    assert sorted(table) == sorted(LISTED)
    assert len({endpoint.key for endpoint in ENDPOINTS}) == len(ENDPOINTS)


def test_the_generated_methods_are_those_of_the_table():
    written = ast.parse(inspect.getsource(generated))
    assert ast.dump(written) == ast.dump(ast.parse(codegen.render())), "run `make platform`"


@pytest.mark.parametrize(("method", "path"), LISTED)
def test_a_concrete_path_is_found_in_the_table(method, path):
    endpoint = find(method, path.replace(":id", "x-1"))
    assert (endpoint.method, without_names(endpoint.path)) == (method, path)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.key)
async def test_every_endpoint_is_called_as_the_reference_says(endpoint, client, api, tmp_path):
    (tmp_path / "report.txt").write_text("content")
    call = getattr(getattr(client, endpoint.group), endpoint.name)
    values = [f"{name}/1" for name in endpoint.path_parameters]
    known = {name: f"v-{name}" for name in (*endpoint.required, *endpoint.optional)}
    if endpoint.upload:
        await call(tmp_path / "report.txt", purpose="x")
    else:
        await call(*values, **known, another="field")
    (seen,) = api.requests
    path = endpoint.path
    for name in endpoint.path_parameters:
        path = path.replace(f":{name}", f"{name}/1")  # aiohttp decodes what was sent as %2F
    assert (seen.method, seen.path) == (endpoint.method, path)
    assert (seen.headers["x-client-id"], seen.headers["x-client-secret"]) == ("id-1", "secret-1")
    assert "authorization" not in seen.headers
    if endpoint.upload:
        assert b'filename="report.txt"' in seen.body
        assert b"content" in seen.body
        assert b'name="purpose"' in seen.body
    elif endpoint.method in ("GET", "DELETE"):
        assert dict(seen.query) == {**known, "another": "field"}
        assert seen.body == b""
    else:
        assert seen.json == {**known, "another": "field"}
        assert seen.headers["content-type"] == "application/json"


async def test_fields_that_are_not_given_are_not_sent(client, api):
    await client.notifications.create_token(workspace_id="ws_1", name=None)
    await client.notifications.list_tokens(workspace_id=None, archived=True, ids=[1, 2])
    created, listed = api.requests
    assert created.json == {"workspace_id": "ws_1"}
    assert listed.query == [("archived", "true"), ("ids", "1"), ("ids", "2")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"success": True, "data": [1, 2]}, [1, 2]),
        ({"success": True, "data": None}, None),
        ({"success": True, "tokens": []}, {"tokens": []}),
        ({"data": {"x": 1}, "page": 2}, {"data": {"x": 1}, "page": 2}),
        ([1], [1]),
        (b"", {}),
    ],
)
async def test_both_forms_of_the_envelope_are_taken_off(client, api, content, expected):
    api.plan(reply(200, content))
    assert await client.projects.list() == expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidFieldError),
        (401, errors.AuthenticationError),
        (402, errors.PaymentRequiredError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (418, errors.PlatformError),
        (422, errors.InvalidFieldError),
        (302, errors.PlatformError),
        (200, errors.UnsuccessfulError),
    ],
)
async def test_each_error_keeps_what_the_platform_said(client, api, status, kind):
    api.plan(
        reply(
            status,
            {
                "success": False,
                "code": "the_code",
                "message": "the message",
                "details": {"field": "name"},
                "requestId": "req-9",
            },
            {"Location": "http://127.0.0.1:1/elsewhere"},
        )
    )
    with pytest.raises(kind) as raised:
        await client.projects.create(name="")
    error = raised.value
    assert type(error) is kind
    assert (error.status, error.code, error.details, error.request_id) == (
        status,
        "the_code",
        {"field": "name"},
        "req-9",
    )
    assert "the message" in str(error)
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"success": False, "error": "older form"}, ("older form", "", "")),
        ({"error": {"code": "c", "message": "nested"}, "request_id": "r"}, ("nested", "c", "r")),
        (b"<html>", ("", "", "")),
    ],
)
async def test_older_and_nested_errors_are_understood(client, api, content, expected):
    api.plan(reply(404, content))
    with pytest.raises(errors.NotFoundError) as raised:
        await client.sandbox.get("x")
    said, code, request_id = expected
    assert said in str(raised.value)
    assert (raised.value.code, raised.value.request_id) == (code, request_id)


async def test_an_answer_that_is_not_json_is_an_error(client, api):
    api.plan(reply(200, b"<html>hello</html>"))
    with pytest.raises(errors.UnsuccessfulError, match="not with JSON"):
        await client.sandbox.list()


async def test_the_secret_never_stands_in_an_error(client, api):
    api.plan(reply(403, {"error": "wrong secret-1\x1b[31m given"}))
    with pytest.raises(errors.ForbiddenError) as raised:
        await client.sandbox.list()
    assert "secret-1" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


async def test_a_rate_limit_is_waited_for_as_asked_whatever_the_method(client, api, waits):
    api.plan(reply(429, {"error": "slow"}, {"Retry-After": "7"}), reply(200, {"id": 1}))
    assert await client.projects.create(name="x") == {"id": 1}
    assert waits == [7.0]


async def test_a_longer_wait_than_allowed_is_an_error_that_says_how_long(client, api, waits):
    api.plan(reply(429, {"error": "slow"}, {"Retry-After": "600"}))
    with pytest.raises(errors.RateLimitedError) as raised:
        await client.projects.list()
    assert raised.value.retry_after == 600
    assert waits == []


async def test_a_failing_server_is_asked_again_only_where_a_repeat_is_safe(client, api, waits):
    api.plan(reply(503, {"error": "down"}), reply(502, {}), reply(200, {"ok": 1}))
    assert await client.projects.list() == {"ok": 1}
    assert len(waits) == 2
    api.requests.clear()
    api.plan(reply(503, {"error": "down"}))
    with pytest.raises(errors.ServerError):
        await client.projects.create(name="x")
    assert len(api.requests) == 1


async def test_a_server_that_keeps_failing_is_not_asked_for_ever(client, api):
    api.answer = lambda _: reply(500, {"error": "broken"})
    with pytest.raises(errors.ServerError):
        await client.projects.list()
    assert len(api.requests) == 4


async def test_a_session_token_is_exchanged_once_and_the_call_made_again(api, waits):
    def answer(request):
        if request.path == "/ai/session/token/refresh":
            return reply(200, {"success": True, "token": "fresh"})
        known = request.headers.get("authorization") == "Bearer fresh"
        return reply(200, {"ok": 1}) if known else reply(401, {"error": "expired"})

    api.answer = answer
    async with Client(token="stale", base_url=api.url, sleep=waits) as client:
        assert await client.chat.send(message="hi") == {"ok": 1}
        assert await client.chat.history() == {"ok": 1}
    paths = [request.path for request in api.requests]
    assert paths == [
        "/ai/chat/send",
        "/ai/session/token/refresh",
        "/ai/chat/send",
        "/ai/session/history",
    ]
    assert "x-client-id" not in api.requests[0].headers


async def test_a_token_that_stays_refused_is_exchanged_no_second_time(api, waits):
    api.answer = lambda request: (
        reply(200, {"token": "fresh"})
        if request.path.endswith("refresh")
        else reply(401, {"error": "no"})
    )
    async with Client(token="stale", base_url=api.url, sleep=waits) as client:
        with pytest.raises(errors.AuthenticationError):
            await client.chat.history()
    assert len(api.requests) == 3


async def test_wrong_client_credentials_are_refused_without_an_exchange(client, api):
    api.plan(reply(401, {"error": "who?"}))
    with pytest.raises(errors.AuthenticationError):
        await client.projects.list()
    assert len(api.requests) == 1


async def test_a_path_that_no_table_knows_passes_through(client, api):
    await client.request(
        "PATCH", "/workspace/w 1\r\nX: y/lifecycle?x=1", query={"y": 2}, body={"z": 3}
    )
    (seen,) = api.requests
    assert (seen.method, seen.path) == ("PATCH", "/workspace/w 1\r\nX: y/lifecycle")
    assert (seen.query, seen.json) == ([("x", "1"), ("y", "2")], {"z": 3})


async def test_nobody_listening_is_one_sentence(waits):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with Client(
            **CREDENTIALS, base_url=f"http://127.0.0.1:{port}", sleep=waits
        ) as client:
            with pytest.raises(errors.PlatformUnreachableError, match="cannot connect to"):
                await client.sandbox.list()
    assert len(waits) == 3


@pytest.mark.parametrize("url", ["http://api.example", "ftp://127.0.0.1", "api.example"])
def test_plain_http_leaves_this_machine_never(url):
    with pytest.raises(ConfigError, match="https"):
        Client(**CREDENTIALS, base_url=url)


async def test_a_large_file_is_sent_in_pieces(client, api, tmp_path):
    (tmp_path / "large").write_bytes(b"x" * (5 << 20))
    await client.chat.upload(tmp_path / "large")
    assert len(api.requests[0].body) > 5 << 20
    assert api.requests[0].headers["content-type"].startswith("multipart/form-data")
