"""Keeps the pages of other sites away, by the Host and Origin of their requests."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from notifyd.config.paths import is_ip_address
from notifyd.http.errors import HttpError, printable
from notifyd.http.tcp import is_wildcard

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class HostCheck:
    """Checks Host and Origin of every request.

    A site can point its own name at this address (DNS rebinding); the browser then sends that
    name as Host. An address as Host cannot come from that, so a relay that listens on all of the
    machine's addresses accepts any address.
    """

    def __init__(self, listen_host: str) -> None:
        self._names = _LOCAL_NAMES | {listen_host.lower()}
        self._any_address = is_wildcard(listen_host)

    def check(self, headers: Mapping[str, str]) -> None:
        host = headers.get("Host", "")
        if not self._is_ours(_hostname(host)):
            raise _forbidden(
                "host_refused", f"this relay does not serve the host {printable(host)!r}"
            )
        origin = headers.get("Origin")
        if origin is not None and _netloc(origin) != host.lower():
            sentence = f"pages of {printable(origin)!r} may not use this relay"
            raise _forbidden("origin_refused", sentence)

    def _is_ours(self, hostname: str) -> bool:
        return hostname in self._names or (self._any_address and is_ip_address(hostname))


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
