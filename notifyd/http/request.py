"""A request whose route is known, and its body, read within limits of time and size."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar

from aiohttp import web
from aiohttp.http import HttpVersion11

from notifyd.http.aiohttp_internals import reset_output_size
from notifyd.http.connection import BoundedConnection
from notifyd.http.errors import HttpError, bad_request, printable
from notifyd.http.schemas import Schema, parse_json, validate, without_fields
from notifyd.text.durations import format_size

ClientT = TypeVar("ClientT")

_JSON_TYPES = frozenset({"", "application/json", "application/x-www-form-urlencoded"})
"""Content types of a JSON body. `curl -d` sends the last by itself, other programs none at all."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """size: bytes. seconds: for the whole body. setting: the setting that an error names."""

    size: int
    seconds: float
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Request(Generic[ClientT]):
    """parameters: the values of the path's `{name}` segments, decoded.

    ignored: names of query parameters that the handler does not see, such as a token.
    """

    http: web.BaseRequest
    client: ClientT
    parameters: Mapping[str, str]
    limits: BodyLimits
    ignored: frozenset[str] = frozenset()

    @property
    def headers(self) -> Mapping[str, str]:
        return self.http.headers

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters, in lower case; empty without one."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def has_body(self) -> bool:
        """Whether the headers announce a body, of any length but 0."""
        return bool(self.http.content_length) or "Transfer-Encoding" in self.headers

    def query(self, schema: type[Schema]) -> Schema:
        """Parse the query; HttpError (422) for a wrong parameter."""
        if not self.http.rel_url.raw_query_string:
            empty: Schema = without_fields(schema)
            return empty
        query = {name: value for name, value in self.http.query.items() if name not in self.ignored}
        return validate(schema, query, noun="parameter")

    async def json(self, schema: type[Schema], *, any_content_type: bool = False) -> Schema:
        """Read and parse a JSON body; HttpError (408, 411, 413, 415, 400, 422) if that fails.

        any_content_type: else one that says it is something else is refused.
        """
        if not any_content_type:
            self._require_json()
        return parse_json(schema, await self.body())

    async def body(self) -> bytes:
        """Read the body; HttpError when it is too large, too slow or not as announced."""
        return await self.body_end(self.limits.size)

    async def body_end(self, kept: int) -> bytes:
        """Read the whole body as `body` does, but return only so many bytes of its end.

        Until it has arrived, the connection may be closed in favour of another.
        """
        self._check_headers()
        content = self.http.content
        if content.is_eof():  # most bodies arrive with the headers
            whole = content.read_nowait()
            self._check_size(len(whole))
            return whole[-kept:]
        await self._send_continue()
        body = await self._read_slowly(kept)
        if isinstance(self.http.protocol, BoundedConnection):
            self.http.protocol.begin_work()
        return body

    async def _read_slowly(self, kept: int) -> bytes:
        content, body, size = self.http.content, bytearray(), 0
        try:
            async with asyncio.timeout(self.limits.seconds):
                async for chunk in content.iter_any():
                    size += len(chunk)
                    self._check_size(size)
                    body += chunk
                    if len(body) > 2 * kept:
                        del body[:-kept]
        except TimeoutError:
            raise HttpError(
                HTTPStatus.REQUEST_TIMEOUT,
                "too_slow",
                f"the body did not arrive within {self.limits.seconds:g} s; send it in one go",
            ) from None
        except web.RequestPayloadError:
            raise bad_request("the body is not what its headers announce") from None
        return bytes(body[-kept:])

    def _require_json(self) -> None:
        if self.media_type not in _JSON_TYPES:
            given = printable(self.media_type)
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "wrong_content_type",
                f"send JSON with the header 'Content-Type: application/json' (got {given!r})",
            )

    def _check_headers(self) -> None:
        """Refuse what the headers alone show to be unacceptable."""
        if self.headers.get("Content-Encoding", "identity") != "identity":
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "wrong_content_encoding",
                "send the body without a Content-Encoding",
            )
        length = self.http.content_length
        if length is None and "Transfer-Encoding" not in self.headers:
            raise HttpError(
                HTTPStatus.LENGTH_REQUIRED,
                "length_required",
                "there is no body; send one with a Content-Length or in chunks",
            )
        self._check_size(length or 0)

    def _check_size(self, size: int) -> None:
        if size > self.limits.size:
            raise self._too_large()

    def _too_large(self) -> HttpError:
        setting = f" ({self.limits.setting})" if self.limits.setting else ""
        return HttpError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            f"the body is larger than {format_size(self.limits.size)}{setting}",
        )

    async def _send_continue(self) -> None:
        """Answer `Expect: 100-continue`, which curl sends before a large body."""
        expected = self.headers.get("Expect", "").lower()
        if self.http.version == HttpVersion11 and expected == "100-continue":
            await self.http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            reset_output_size(self.http)
