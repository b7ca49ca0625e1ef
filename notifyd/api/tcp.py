"""The local API on a TCP address, for programs that cannot use a Unix socket."""

import binascii
import socket
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from http import HTTPStatus

from aiohttp import hdrs, web
from pydantic import SecretStr

from notifyd.api.auth import ApiCaller
from notifyd.config.token import ListenSecrets
from notifyd.http.errors import HttpError
from notifyd.http.host_check import HostCheck
from notifyd.model.notifications import TCP_PEER, Json

_TOKEN_PARAMETER = "token"  # noqa: S105 - a name
_HEADER_PARAMETERS = ("auth", "authorization")
"""Query parameters of ntfy's: the header Authorization in base64."""
TOKEN_PARAMETERS = frozenset({_TOKEN_PARAMETER, *_HEADER_PARAMETERS})
"""The query parameters that may carry the token."""

SECURITY: Json = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "the token is the password"},
    "gotify": {"type": "apiKey", "in": "header", "name": "X-Gotify-Key"},
    "query": {"type": "apiKey", "in": "query", "name": _TOKEN_PARAMETER},
}
"""The ways in which a request may carry the token, for the OpenAPI document."""
REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""Statuses of requests that are not admitted."""

_CALLER = ApiCaller(TCP_PEER, admin=False)


@dataclass(frozen=True, slots=True)
class TcpListener:
    """host: the configured one. read_secrets: returns what is in force."""

    socket: socket.socket
    host: str
    read_secrets: Callable[[], ListenSecrets] = field(repr=False)


class TcpAuthorizer:
    """Admits requests that carry the token. All of them come from one client, never an admin.

    The token is the Bearer credential, the password of Basic, `X-Gotify-Key`, `?token=` or, as
    ntfy's clients send it, `?auth=`.
    """

    def __init__(self, listener: TcpListener) -> None:
        self._read_secrets = listener.read_secrets
        self._host_check = HostCheck(listener.host, "this notifyd", any_address=True)

    def caller(self, request: web.BaseRequest) -> ApiCaller:
        """Return the client; HttpError (403) for a page's request, (401) without the token."""
        self._host_check.check(request.headers)
        token = self._read_secrets().token
        # Every candidate is compared, so that the time reveals nothing about the token.
        matches = [_is_same(given, token) for given in _given_tokens(request)]
        if not any(matches):
            raise HttpError(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "wrong or missing token; send the one in [listen] token_file as"
                " 'Authorization: Bearer <token>'",
                {hdrs.WWW_AUTHENTICATE: "Bearer"},
            )
        return _CALLER


def _given_tokens(request: web.BaseRequest) -> Iterator[str]:
    yield _credential(request.headers.get(hdrs.AUTHORIZATION, ""))
    yield request.headers.get("X-Gotify-Key", "")
    yield request.query.get(_TOKEN_PARAMETER, "")
    for name in _HEADER_PARAMETERS:
        encoded = request.query.get(name, "").rstrip("=")
        padding = "=" * (-len(encoded) % 4)
        yield _credential(_decode(encoded + padding, altchars="-_").decode("utf-8", "replace"))


def _credential(authorization: str) -> str:
    """Return the token of a header Authorization; empty for another scheme."""
    scheme, _, credentials = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            _, _, password = _decode(credentials.strip()).partition(b":")
            return password.decode("utf-8", "replace")
    return ""


def _decode(text: str, *, altchars: str | None = None) -> bytes:
    """Decode base64; empty if it is malformed."""
    try:
        return b64decode(text, altchars, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_same(given: str, token: SecretStr | None) -> bool:
    """Compare hashes, so that the time does not depend on the length either."""
    if token is None:
        return False
    return compare_digest(_digest(given), _digest(token.get_secret_value()))


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
