"""What the delivery tests send, and with which token."""

from pydantic import SecretStr

from notifyd.delivery.answer import Answer
from notifyd.delivery.client import Client, envelope
from notifyd.model import Parcel
from support.platform import Platform

TOKEN = SecretStr(Platform.token)


def parcel(notification_id: str = "n1", title: str = "Title", body: str = "Body") -> Parcel:
    data = {"notification_id": notification_id, "trigger": "t", "priority": "high", "count": "3"}
    return Parcel(notification_id, title, body, {"team": "backend", **data})


async def ask(url: str, *, token: SecretStr = TOKEN, timeout: float = 5) -> Answer:  # noqa: ASYNC109 - the client's own setting
    """Send one parcel with a client of its own."""
    async with Client(url, timeout) as client:
        return await client.send("n1", envelope(parcel()), token, asked_with="the test")
