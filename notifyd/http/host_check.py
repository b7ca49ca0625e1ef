"""Keeps the pages of other sites away, by the Host and Origin of their requests."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from notifyd.http.errors import HttpError, printable
from notifyd.http.tcp import is_address, is_wildcard

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class HostCheck:
    """Checks Host and Origin of every request.

    A site can point its own name at this address (DNS rebinding); the browser then sends that
    name as Host. An address as Host cannot come from that, so a server that listens on all of the
    machine's addresses accepts any address.

    server: what errors call the server. any_address: whether every address is accepted as Host.
    own_pages: whether the server has pages of its own, whose Origin is accepted. public_name: of a
    proxy before the server, which passes it on as Host.
    """

    def __init__(
        self,
        listen_host: str,
        server: str,
        *,
        any_address: bool = False,
        own_pages: bool = False,
        public_name: str = "",
    ) -> None:
        self._names = _LOCAL_NAMES | ({listen_host.lower(), public_name.lower()} - {""})
        self._server = server
        self._any_address = any_address or is_wildcard(listen_host)
        self._own_pages = own_pages

    def check(self, headers: Mapping[str, str]) -> None:
        host = headers.get("Host", "")
        if not self._is_ours(_hostname(host)):
            sentence = f"{self._server} does not serve the host {printable(host)!r}"
            raise _forbidden("host_refused", sentence)
        origin = headers.get("Origin")
        if origin is None or (self._own_pages and _netloc(origin) == host.lower()):
            return
        sentence = f"pages of {printable(origin)!r} may not use {self._server}"
        raise _forbidden("origin_refused", sentence)

    def _is_ours(self, hostname: str) -> bool:
        return hostname in self._names or (self._any_address and is_address(hostname))


def _forbidden(code: str, sentence: str) -> HttpError:
    return HttpError(HTTPStatus.FORBIDDEN, code, sentence)


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
