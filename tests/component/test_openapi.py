"""`GET /openapi.json` describes every route of the listener, and nothing else."""

import os

import pytest

from notifyd.config.sections import SocketConfig
from notifyd.http.routing import HttpRouter
from support.socket_api import (
    GENEROUS,
    TCP_TOKEN,
    ask,
    ask_as,
    daemon,
    open_directory,
    tcp_daemon,
)

BEARER = f"Authorization: Bearer {TCP_TOKEN}\r\n"


@pytest.fixture
def routers(monkeypatch):
    """Collect the routers that listeners make."""
    made = []

    make = HttpRouter.__init__

    def recorded(self, *args, **keys):
        make(self, *args, **keys)
        made.append(self)

    monkeypatch.setattr(HttpRouter, "__init__", recorded)
    return made


def served(routers):
    return {(route.method.lower(), route.path) for router in routers for route in router.routes}


def documented(document):
    return {(method, path) for path, item in document["paths"].items() for method in item}


@pytest.mark.parametrize("compat", [False, True])
async def test_the_document_of_the_socket_has_exactly_its_routes(routers, tmp_path, compat):
    settings = SocketConfig(rate=GENEROUS, compat=compat)
    async with daemon(tmp_path / "s", settings) as running:
        document = (await ask(running.path, "GET", "/openapi.json")).body
    assert documented(document) == served(routers)
    assert ("post", "/{topic}") in documented(document) or not compat
    assert "security" not in document


async def test_the_document_of_the_tcp_listener_has_its_own_routes_too(routers):
    async with tcp_daemon() as tcp:
        document = (await tcp.ask("GET", "/openapi.json", headers=BEARER)).body
    assert documented(document) == served(routers)
    assert ("post", "/webhooks/oblien") in documented(document)
    send = document["paths"]["/notifications/send"]["post"]
    assert {"202", "401", "403", "415", "422", "429", "503"} <= send["responses"].keys()
    assert {"bearer": []} in document["security"]
    operations = [each for item in document["paths"].values() for each in item.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)


async def test_each_operation_says_what_it_takes_and_answers(tmp_path):
    async with daemon(tmp_path / "s") as running:
        document = (await ask(running.path, "GET", "/openapi.json")).body
    assert document["openapi"] == "3.1.0"
    operations = [each for item in document["paths"].values() for each in item.values()]
    for operation in operations:
        assert operation["summary"]
        answers = any(status < "300" for status in operation["responses"])
        assert answers or "externalDocs" in operation
    body = document["components"]["schemas"]["Submission"]
    assert {"title", "body", "message", "data", "priority", "key", "delay"} <= body[
        "properties"
    ].keys()
    assert body["additionalProperties"] is False
    listing = document["paths"]["/v1/notifications"]["get"]["parameters"]
    assert {each["name"]: each["schema"].get("maximum") for each in listing}["limit"] == 1000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_it_needs_no_more_rights_than_the_health():
    with open_directory() as folder:
        settings = SocketConfig(mode="0666", rate=GENEROUS)
        async with daemon(folder / "s", settings) as running:
            for path in ("/healthz", "/openapi.json"):
                answer = await ask_as((4001, 4001, ()), running.path, "GET", path)
                assert answer.status == 200
    async with tcp_daemon() as tcp:
        for path in ("/healthz", "/openapi.json"):
            assert (await tcp.ask("GET", path)).refusal == (401, "unauthorized")
