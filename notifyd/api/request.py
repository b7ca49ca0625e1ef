"""Reading a request's body within bounds of time and size, before anybody looks at its JSON."""

import asyncio
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web
from aiohttp.http import HttpVersion11

from notifyd.api.errors import ApiError, bad_request, printable

Body = TypeVar("Body", bytes, bytearray)


async def json_body(request: web.BaseRequest, *, largest: int, within: float) -> bytes:
    """Read a JSON body of at most `largest` bytes within so many seconds; else an ApiError."""
    _announced(request, largest)
    if request.content.is_eof():  # it all came with the head, as it mostly does
        return _bounded(request.content.read_nowait(), largest)
    await _continue(request)
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.content.iter_any():
                body += chunk
                _bounded(body, largest)
    except TimeoutError:
        raise ApiError(
            HTTPStatus.REQUEST_TIMEOUT,
            "too_slow",
            f"The body did not come within {within:g} s: send it in one go.",
        ) from None
    except web.RequestPayloadError:
        raise bad_request("The body is not what its headers announced.") from None
    return bytes(body)


def _announced(request: web.BaseRequest, largest: int) -> None:
    """Refuse by the headers alone what need not be read."""
    if request.content_type != "application/json":
        given = request.headers.get("Content-Type")
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "wrong_content_type",
            "Send JSON with the header 'Content-Type: application/json' "
            f"(got {printable(given or 'none')!r}).",
        )
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "wrong_content_encoding",
            "Send the body as it is, without a Content-Encoding.",
        )
    length = request.content_length
    if length is None and "Transfer-Encoding" not in request.headers:
        raise ApiError(
            HTTPStatus.LENGTH_REQUIRED,
            "length_required",
            "There is no body: send one with a Content-Length or in chunks.",
        )
    if length is not None and length > largest:
        raise _too_large(largest)


def _bounded(body: Body, largest: int) -> Body:
    if len(body) > largest:
        raise _too_large(largest)
    return body


async def _continue(request: web.BaseRequest) -> None:
    """Tell a client that asks first, as curl does for large bodies, to go on."""
    if (
        request.version == HttpVersion11
        and request.headers.get("Expect", "").lower() == "100-continue"
    ):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # As aiohttp's own handler does: the answer itself has not begun.
        request.writer.output_size = 0


def _too_large(largest: int) -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"The body may have at most {largest} bytes ([socket] max_body).",
    )
