"""The scripted platform, on which other tests rely."""

import json
import urllib.request

import pytest

from notifyd.delivery.client import SendClient, encode_request
from support.platform import PATH, Platform, in_thread
from support.post import TOKEN, payload
from support.replies import ok, status


def test_it_serves_a_synchronous_test():
    with in_thread(Platform()) as platform:
        request = urllib.request.Request(
            platform.url + PATH,
            data=b'{"title": "Hi"}',
            headers={"Authorization": f"Bearer {platform.token}", "Idempotency-Key": "k"},
        )
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["success"] is True
        [received] = platform.waited(1)
    assert (received.id, received.token, received.json) == ("k", Platform.token, {"title": "Hi"})


async def test_it_follows_its_plan_and_then_its_default():
    async with Platform() as platform, SendClient(platform.url, 5) as client:
        platform.default = status(500)
        platform.plan(ok(), status(422))
        for number in range(4):
            await client.send(f"n{number}", encode_request(payload()), TOKEN)
        assert [item.status for item in await platform.wait(4)] == [200, 422, 500, 500]
        assert list(platform.delivered) == ["n0"]


async def test_a_wrong_token_leaves_the_plan_as_it_is():
    async with Platform() as platform, SendClient(platform.url, 5) as client:
        platform.plan(status(503))
        platform.tokens = {"another"}
        assert (await client.send("n", encode_request(payload()), TOKEN)).status == 401
        platform.tokens = {platform.token}
        assert (await client.send("n", encode_request(payload()), TOKEN)).status == 503


async def test_a_repeated_id_is_delivered_once():
    async with Platform() as platform, SendClient(platform.url, 5) as client:
        for notification_id in ("a", "a", "b"):
            await client.send(notification_id, encode_request(payload()), TOKEN)
        assert [item.id for item in await platform.wait_delivered(2)] == ["a", "b"]
        assert len(platform.received) == 3


async def test_a_timeout_reports_what_was_received():
    async with Platform() as platform:
        with pytest.raises(AssertionError, match=r"not 1 in 0.01 s: 0 came"):
            await platform.wait(1, 0.01)
