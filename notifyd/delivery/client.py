"""The platform's send endpoint: one request, one bounded response, every failure in words."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

import aiohttp

from notifyd.delivery.response import ApiResponse, parse_response, sanitize
from notifyd.http.outgoing import OutgoingPool, read_bounded
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Payload
from notifyd.text.limits import encode

BODY_LIMIT = 64 << 10
"""Bytes read of a response; one with a longer body is judged by its status."""

_SUCCESS = 2
"""First digit of the statuses whose body decides."""


class RequestEncodingError(NotifydError):
    """A notification cannot be written as JSON."""


class Secret(Protocol):
    def get_secret_value(self) -> str: ...


def encode_request(payload: Payload) -> bytes:
    """Return the body of a request as JSON in UTF-8; RequestEncodingError if that is impossible."""
    try:
        return encode(payload.title, payload.body, payload.data)
    except (TypeError, ValueError, RecursionError):
        raise RequestEncodingError("its data cannot be written as JSON") from None


class SendClient:
    """Sends over one pool of connections. timeout: seconds for a whole request."""

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
        self, notification_id: str, body: bytes, token: Secret, *, token_name: str = ""
    ) -> ApiResponse:
        """Send one request. Raises only if cancelled: a failure is a response without a status.

        body: from `encode_request`. token_name: where the token is stored, for the message that
        asks for a new one.
        """
        secret = token.get_secret_value()
        head: tuple[int, Mapping[str, str]] | None = None
        content: bytes | None = None
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._request(notification_id, body, secret) as response,
            ):
                head = response.status, response.headers
                content = await read_bounded(response, BODY_LIMIT)
        except Exception as error:  # noqa: BLE001 - the attempt needs an outcome in any case
            if head is None or head[0] // 100 == _SUCCESS:
                cause, fault = self._describe(error)
                return ApiResponse(
                    fault=sanitize(fault, secret), cause=cause, token_name=token_name
                )
        status, headers = head
        return parse_response(status, headers, content, secret=secret, token_name=token_name)

    def _request(
        self, notification_id: str, body: bytes, secret: str
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": notification_id,
        }
        return self._pool.request("POST", self._url, headers=headers, data=body)

    def _describe(self, error: Exception) -> tuple[str, str]:
        """Return the cause of a transport failure as one word, and as a sentence."""
        cause, sentence = self._pool.fault(error, self._timeout)
        return cause, f"{sentence}: check [api] url" if cause == "no_http" else sentence
