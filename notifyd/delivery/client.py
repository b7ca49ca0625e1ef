"""The platform's API over HTTPS: one request, one bounded answer, and every fault in words."""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from notifyd import __version__
from notifyd.delivery import response as answers
from notifyd.delivery.resolver import addresses
from notifyd.delivery.response import ApiResponse
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Payload
from notifyd.text.limits import encode

BODY_LIMIT = 64 << 10
"""Bytes read of an answer; one that is longer is judged by its status."""

_GOOD = 2
"""What the status of an answer begins with whose body decides."""

_IDLE = 4.0
"""Seconds for which an unused connection is kept: less than common servers keep theirs (5 s)."""

_URL = "check [api] url"

_CERTIFICATE = {
    9: "is not valid yet: is this machine's clock right?",
    10: "has expired",
    18: "is self-signed: name its file in SSL_CERT_FILE if that is meant",
    19: "is signed by an unknown authority: name its file in SSL_CERT_FILE if that is meant",
    20: "is signed by an unknown authority: name its file in SSL_CERT_FILE if that is meant",
    62: "is for another host",
    64: "is for another address",
}
"""By OpenSSL's X509_V_ERR numbers."""


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
    """One session for the daemon's life. timeout: seconds for a whole request, reading included.

    The environment's HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are read on entering. aiohttp's own
    `trust_env` stays off, because it would also send what a netrc file holds for the host. Plain
    http is for this machine alone, so it goes through no proxy: a token would travel in the clear.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._url = f"{url.rstrip('/')}/notifications/send"
        self._host = urlsplit(url).hostname or url
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._proxy = ""

    async def __aenter__(self) -> Self:
        self._proxy = _proxy(self._url)
        connector = aiohttp.TCPConnector(
            ssl=ssl.create_default_context(), resolver=_Resolver(), keepalive_timeout=_IDLE
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # `send` has one deadline for everything
            auto_decompress=False,
            headers={
                "User-Agent": f"notifyd/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

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
                said = await _bounded(response)
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
        if self._session is None:
            raise RuntimeError("the client is not open")
        proxy, proxy_headers = _credentials(self._proxy)
        return self._session.post(
            self._url,
            data=body,
            headers={
                "Authorization": f"Bearer {secret}",
                "Content-Type": "application/json",
                "Idempotency-Key": notification_id,
            },
            allow_redirects=False,
            proxy=proxy,
            proxy_headers=proxy_headers,
        )

    def _fault(self, error: Exception) -> tuple[str, str]:
        """Say what went wrong on the way, by name of host or proxy, without the error's own URL.

        Returns the cause as one word, and the sentence.
        """
        match error:
            case aiohttp.ClientConnectorDNSError():
                return "dns", f"cannot resolve {error.host}"
            case aiohttp.ClientConnectorCertificateError():
                return "certificate", _certificate_fault(error.certificate_error, error.host)
            case aiohttp.ClientConnectorSSLError():
                return "tls", f"TLS with {self._host} failed ({_plain(error.os_error)})"
            case aiohttp.ClientProxyConnectionError():
                why = _plain(error.os_error)
                return "proxy", f"cannot connect to the proxy {error.host} ({why})"
            case aiohttp.ClientConnectorError():
                why = _plain(error.os_error)
                return "connect", f"cannot connect to {error.host}:{error.port} ({why})"
            case aiohttp.ClientHttpProxyError():
                return "proxy", f"the proxy refused with {error.status} ({error.message})"
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
                return "reset", f"the connection to {self._host} broke off before the answer"
            case aiohttp.ClientPayloadError():
                return "reset", f"the connection to {self._host} broke off in mid-answer"
            case aiohttp.ClientResponseError():
                return "no_http", f"what answers at {self._host} does not speak HTTP: {_URL}"
            case NotifydError():
                return "proxy", str(error)
            case TimeoutError():
                return "timeout", f"no answer from {self._host} within {self._timeout:g} s"
        return "other", f"sending to {self._host} failed ({type(error).__name__})"


class _Resolver(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(
                hostname=host, host=at[0], port=at[1], family=kind, proto=proto, flags=numeric
            )
            for kind, _, proto, _, at in await addresses(host, port, family)
        ]

    async def close(self) -> None:
        pass


async def _bounded(response: aiohttp.ClientResponse) -> bytes | None:
    """Read up to BODY_LIMIT bytes; None when there are more."""
    body = bytearray()
    while chunk := await response.content.read(BODY_LIMIT):
        body += chunk
        if len(body) > BODY_LIMIT:
            response.close()
            return None
    return bytes(body)


def _proxy(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or proxy_bypass(parts.netloc):
        return ""
    return getproxies().get("https", "")


def _credentials(proxy: str) -> tuple[URL | None, dict[str, str] | None]:
    """Part a proxy's address from the name and password in it."""
    if not proxy:
        return None, None
    try:
        url = URL(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise NotifydError(
            "HTTPS_PROXY in the environment is no http proxy's URL: mend or unset it"
        )
    if url.user is None:
        return url, None
    basic = aiohttp.encode_basic_auth(url.user, url.password or "")
    return url.with_user(None), {"Proxy-Authorization": basic}


def _certificate_fault(error: Exception, host: str) -> str:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    detail = _CERTIFICATE.get(code) or f"cannot be verified ({_plain(error)})"
    return f"the certificate of {host} {detail}"


def _plain(error: Exception) -> str:
    """Give an operating system's or OpenSSL's reason without numbers and file names."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
