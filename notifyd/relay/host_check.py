"""Keeps web pages of other sites away: names that we do not listen on, and foreign origins."""

from collections.abc import Mapping
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from notifyd.config.paths import is_ip_address
from notifyd.http.errors import HttpError, printable

_OURS = frozenset({"localhost", "127.0.0.1", "::1"})


class HostCheck:
    """Checks Host and Origin of every request.

    A site can point its own name at our address (DNS rebinding); then the browser calls us by
    that name. An address as Host cannot come about so: where we listen on all of the machine's
    addresses, any address will do.
    """

    def __init__(self, listen_host: str) -> None:
        self._names = _OURS | {listen_host.lower()}
        self._any_address = is_wildcard(listen_host)

    def check(self, headers: Mapping[str, str]) -> None:
        host = headers.get("Host", "")
        if not self._knows(_hostname(host)):
            raise _forbidden("host_refused", f"this relay is not called {printable(host)!r}")
        origin = headers.get("Origin")
        if origin is not None and _netloc(origin) != host.lower():
            sentence = f"pages of {printable(origin)!r} may not use this relay"
            raise _forbidden("origin_refused", sentence)

    def _knows(self, hostname: str) -> bool:
        return hostname in self._names or (self._any_address and is_ip_address(hostname))


def _forbidden(code: str, sentence: str) -> HttpError:
    return HttpError(HTTPStatus.FORBIDDEN, code, sentence)


def is_wildcard(host: str) -> bool:
    return is_ip_address(host) and ip_address(host).is_unspecified


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
