"""The platform's send endpoint: one request, one bounded answer, and every fault in words."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

import aiohttp

from notifyd.delivery import response as answers
from notifyd.delivery.response import ApiResponse
from notifyd.http.outgoing import OutgoingPool, read_bounded
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Payload
from notifyd.text.limits import encode

BODY_LIMIT = 64 << 10
"""Bytes read of an answer; one that is longer is judged by its status."""

_GOOD = 2
"""What the status of an answer begins with whose body decides."""

_URL = "check [api] url"


class RequestEncodingError(NotifydError):
    """A notification that JSON cannot hold."""


class Secret(Protocol):
    def get_secret_value(self) -> str: ...


def encode_request(parcel: Payload) -> bytes:
    """Write the request's JSON in UTF-8; EnvelopeError when its data is none."""
    try:
        return encode(parcel.title, parcel.body, parcel.data)
    except (TypeError, ValueError, RecursionError):
        raise RequestEncodingError("its data cannot be written as JSON") from None


class SendClient:
    """Sends for the daemon's whole life. timeout: seconds for a request, reading included."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = f"{url.rstrip('/')}/notifications/send"
        self._timeout = timeout
        self._pool = OutgoingPool(self._url)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._pool.__aexit__(*exception)

    async def send(
        self, notification_id: str, body: bytes, token: Secret, *, asked_with: str = ""
    ) -> ApiResponse:
        """Ask once, with an envelope. Raises only when cancelled: a fault is an answer too.

        asked_with: where the token stands, for the sentence that asks for a new one.
        """
        secret = token.get_secret_value()
        head: tuple[int, Mapping[str, str]] | None = None
        said: bytes | None = None
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._request(notification_id, body, secret) as response,
            ):
                head = response.status, response.headers
                said = await read_bounded(response, BODY_LIMIT)
        except Exception as error:  # noqa: BLE001 - the fold waits for an outcome, whatever happens
            if head is None or head[0] // 100 == _GOOD:
                cause, fault = self._fault(error)
                fault = answers.clean(fault, secret)
                return ApiResponse(fault=fault, cause=cause, asked_with=asked_with)
        status, headers = head
        return answers.read(status, headers, said, secret=secret, asked_with=asked_with)

    def _request(
        self, notification_id: str, body: bytes, secret: str
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": notification_id,
        }
        return self._pool.request("POST", self._url, headers=headers, data=body)

    def _fault(self, error: Exception) -> tuple[str, str]:
        """Say what failed on the way: the cause as one word, and a sentence."""
        cause, sentence = self._pool.fault(error, self._timeout)
        return cause, f"{sentence}: {_URL}" if cause == "no_http" else sentence
