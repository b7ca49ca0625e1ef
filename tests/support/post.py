"""What the delivery tests send, and the token that they send it with."""

from pydantic import SecretStr

from notifyd.delivery.client import SendClient, encode_request
from notifyd.delivery.response import ApiResponse
from notifyd.model.notifications import Payload
from support.platform import Platform

TOKEN = SecretStr(Platform.token)


def payload(notification_id: str = "n1", title: str = "Title", body: str = "Body") -> Payload:
    data = {"notification_id": notification_id, "trigger": "t", "priority": "high", "count": "3"}
    return Payload(notification_id, title, body, {"team": "backend", **data})


async def ask(url: str, *, token: SecretStr = TOKEN, timeout: float = 5) -> ApiResponse:  # noqa: ASYNC109 - the client's own setting
    """Send one payload with a client of its own."""
    async with SendClient(url, timeout) as client:
        return await client.send("n1", encode_request(payload()), token, token_name="the test")
