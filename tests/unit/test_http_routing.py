import pytest
from aiohttp.test_utils import make_mocked_request

from notifyd.http.errors import HttpError
from notifyd.http.request import BodyLimits, Request
from notifyd.http.responses import success
from notifyd.http.routing import HttpRoute, HttpRouter


async def echo(request: Request[str]):
    return success(parameters=dict(request.parameters), client=request.client)


async def other(_request: Request[str]):
    return success(other=True)


ROUTER = HttpRouter(
    [
        HttpRoute("POST", "/send", echo),
        HttpRoute("GET", "/things", echo),
        HttpRoute("DELETE", "/things", other),
        HttpRoute("GET", "/things/none", other),
        HttpRoute("GET", "/things/{id}", echo),
        HttpRoute("GET", "/things/all", other),
        HttpRoute("POST", "/things/{id}/retry", echo),
        HttpRoute("GET", "/events", echo, head=False),
    ],
    BodyLimits(100, 1.0),
    unavailable=("/later/",),
)


async def ask(method: str, path: str) -> bytes:
    response = await ROUTER(make_mocked_request(method, path), "me")
    return response.body


async def refusal(method: str, path: str) -> HttpError:
    with pytest.raises(HttpError) as caught:
        await ask(method, path)
    return caught.value


async def test_each_parameter_is_one_decoded_segment() -> None:
    assert b'"parameters": {"id": "a b/c"}, "client": "me"' in await ask("GET", "/things/a%20b%2Fc")
    assert b'{"id": "x"}' in await ask("POST", "/things/x/retry?y=/z")
    assert b'"parameters": {}' in await ask("GET", "/things")
    assert b"other" in await ask("DELETE", "/things")


async def test_the_first_route_that_fits_is_called() -> None:
    assert b'{"id": "all"}' in await ask("GET", "/things/all")
    assert b'{"id": "all"}' in await ask("GET", "/things/%61ll")
    assert b"other" in await ask("GET", "/things/none")
    assert b"other" in await ask("GET", "/things/%6eone")


@pytest.mark.parametrize(
    "path", ["/", "/things/", "/things//retry", "/things/x/y", "/send/", "/%00", "/thing"]
)
async def test_an_unknown_path_is_404(path: str) -> None:
    error = await refusal("GET", path)
    assert (error.status, error.code) == (404, "not_found")


async def test_a_misspelt_path_gets_a_suggestion() -> None:
    assert str(await refusal("GET", "/thigns")).endswith("; did you mean '/things'?")


async def test_a_path_of_a_later_version_is_reported_as_such() -> None:
    assert (await refusal("GET", "/later/on")).code == "not_available"


async def test_a_wrong_method_is_405_with_those_that_are_allowed() -> None:
    error = await refusal("PUT", "/things")
    assert (error.status, error.headers["Allow"]) == (405, "GET, DELETE")


async def test_head_is_answered_like_get_unless_disabled() -> None:
    assert b"me" in await ask("HEAD", "/things")
    assert (await refusal("HEAD", "/events")).status == 405
    assert (await refusal("HEAD", "/send")).status == 405


async def test_a_path_of_any_first_part_takes_its_own_methods_and_hides_nothing() -> None:
    router = HttpRouter(
        [
            HttpRoute("GET", "/health", other),
            HttpRoute("POST", "/{topic}", echo),
            HttpRoute("GET", "/{topic}/json", other),
        ],
        BodyLimits(100, 1.0),
    )

    async def answer(method: str, path: str) -> bytes:
        return (await router(make_mocked_request(method, path), "me")).body

    assert b'{"topic": "builds"}' in await answer("POST", "/builds")
    assert b"other" in await answer("HEAD", "/builds/json")
    for method, path, status in (
        ("GET", "/helth", 404),
        ("DELETE", "/builds", 404),
        ("POST", "/builds/json", 404),
        ("POST", "/", 404),
        ("POST", "/health", 405),
    ):
        with pytest.raises(HttpError) as caught:
            await answer(method, path)
        assert caught.value.status == status, (method, path)
        assert ("did you mean '/health'" in str(caught.value)) is (path == "/helth")
