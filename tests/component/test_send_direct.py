"""`notifyd send --direct`: one request to the API, and its result as an exit status."""

import json

import pytest

from support.command import run
from support.platform import Platform
from support.replies import ok, status


@pytest.fixture
async def platform():
    async with Platform() as running:
        yield running


def environ(platform, **more):
    return {
        **platform.environment,
        "NOTIFYD_API__URL": platform.url,
        "NOTIFYD_SEND_TOKEN": platform.token,
        **more,
    }


async def test_it_is_sent_once_masked_and_with_the_daemon_s_own_data(platform):
    words = ("send", "--direct", "-t", "Deploy", "-p", "high", "-d", "k=v", "password=hunter2")
    ran = await run(*words, **environ(platform))
    assert (ran.status, ran.err) == (0, "")
    (received,) = platform.received
    assert received.id == ran.out.strip()
    assert received.json["title"] == "Deploy"
    assert "hunter2" not in received.json["body"]
    own = {"notification_id": received.id, "trigger": "socket", "priority": "high", "count": "1"}
    assert received.json["data"] == own | {"k": "v"}


@pytest.mark.parametrize(
    ("code", "expected", "sentence"),
    [
        (401, 77, "the send token was refused"),
        (403, 1, "the API forbids it"),
        (404, 1, "check [api] url"),
        (422, 1, "the API answered 422"),
        (429, 75, "the API answered 429"),
        (503, 75, "the API answered 503"),
    ],
)
async def test_a_failure_is_named_and_not_repeated(platform, code, expected, sentence):
    platform.plan(status(code), ok())
    ran = await run("send", "--direct", "text", **environ(platform))
    assert (ran.status, ran.out) == (expected, "")
    assert sentence in ran.err
    assert platform.token not in ran.err
    assert len(platform.received) == 1


async def test_the_result_as_json(platform):
    ran = await run("send", "--direct", "--json", "text", **environ(platform))
    answer = json.loads(ran.out)
    assert (answer["success"], answer["status"]) == (True, "delivered")
    platform.plan(status(503))
    ran = await run("send", "--direct", "--json", "text", **environ(platform))
    answer = json.loads(ran.out)
    assert (answer["success"], answer["status"], ran.status) == (False, "retry", 75)


async def test_without_a_token_nothing_is_sent(platform):
    ran = await run("send", "--direct", "text", **environ(platform, NOTIFYD_SEND_TOKEN=""))
    assert (ran.status, "there is no send token" in ran.err) == (78, True)
    assert platform.received == []


@pytest.mark.parametrize("option", ["--key=x", "--delay=5s", "--wait", "--spool", "--socket=/x"])
async def test_what_only_a_daemon_can_do_is_refused(platform, option):
    ran = await run("send", "--direct", option, "--", "text", **environ(platform))
    assert ran.status == 2
    assert f"--direct cannot be combined with {option.partition('=')[0]}" in ran.err
    assert platform.received == []
