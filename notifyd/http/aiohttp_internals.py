"""The only module that uses private attributes of aiohttp; pyproject.toml bounds its version.

aiohttp has no time limit for a request's headers or for a client that does not read, and no public
way to tell whether a connection waits for a request. A unit test names the attribute that a new
version lacks.
"""

import asyncio

from aiohttp import web
from aiohttp.http import RawRequestMessage

PRIVATE_ATTRIBUTES = ("_current_request", "_loop", "_messages", "_waiter")
"""Of web.RequestHandler: the request being handled, the event loop, the parsed requests that
wait, and the future that is pending while it waits for the next request."""


class RequestProtocol(web.RequestHandler):
    """aiohttp's protocol, with the state that this package needs."""

    __slots__ = ()

    @property
    def event_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def is_between_requests(self) -> bool:
        """Whether no request is being handled and none is parsed."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def has_parsed_requests(self) -> bool:
        """Whether further requests wait for the current one to end."""
        return bool(self._messages)

    def fail_broken_body(self) -> None:
        """Raise RequestPayloadError in a handler that reads a body with broken chunks.

        aiohttp queues the parser's error as another request, and the handler would wait for ever.
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
    """Return whether any byte of the response was written."""
    return request.writer.output_size > 0


def reset_output_size(request: web.BaseRequest) -> None:
    """Do not count a "100 Continue" as the beginning of the response."""
    request.writer.output_size = 0
