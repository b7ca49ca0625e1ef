"""The only module that reads what aiohttp keeps private: pyproject.toml bounds its version.

aiohttp sets no time limit for a request's headers or for a client that does not read, and its
hooks do not say when a connection waits. A test names the attribute that a new version lost.
"""

import asyncio

from aiohttp import web
from aiohttp.http import RawRequestMessage

PRIVATE_ATTRIBUTES = ("_current_request", "_loop", "_messages", "_waiter")
"""Of web.RequestHandler: the request in its handler, its event loop, requests that were parsed
and wait for a handler, and the future on which a connection waits for the next request."""


class RequestProtocol(web.RequestHandler):
    """aiohttp's side of one connection, with its state made readable."""

    __slots__ = ()

    @property
    def event_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def is_between_requests(self) -> bool:
        """Whether no request is at work and none is parsed."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def has_parsed_requests(self) -> bool:
        """Whether requests wait for the current one to end."""
        return bool(self._messages)

    def fail_broken_body(self) -> None:
        """Fail the handler that reads a body of which the rest cannot be parsed.

        aiohttp queues the parser's error as another request and lets the handler wait.
        """
        request = self._current_request
        if request is None or request.content.is_eof() or not self._messages:
            return
        if not isinstance(self._messages[-1][0], RawRequestMessage):
            request.content.set_exception(web.RequestPayloadError("broken"))
            request.content.feed_eof()
            self._messages.clear()
            self.close()


def has_begun_response(request: web.BaseRequest) -> bool:
    """Return whether a byte of the response was written."""
    return request.writer.output_size > 0


def forget_interim_response(request: web.BaseRequest) -> None:
    """Let a "100 Continue" not count as the beginning of the response."""
    request.writer.output_size = 0
