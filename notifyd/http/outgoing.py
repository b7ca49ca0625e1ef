"""Outgoing HTTPS: one pool of connections to one API, and every transport fault in words."""

import os
import socket
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from notifyd import __version__
from notifyd.http.resolver import addresses, resolve_results
from notifyd.model.errors import NotifydError

_IDLE = 4.0
"""Seconds for which an unused connection is kept: less than common servers keep theirs (5 s)."""

_CERTIFICATE = {
    9: "is not valid yet: check this machine's clock",
    10: "has expired",
    18: "is self-signed: if that is intended, name its file in SSL_CERT_FILE",
    19: "is signed by an unknown authority: if that is intended, name its file in SSL_CERT_FILE",
    20: "is signed by an unknown authority: if that is intended, name its file in SSL_CERT_FILE",
    62: "is for another host",
    64: "is for another address",
}
"""By OpenSSL's X509_V_ERR numbers."""


class ProxyError(NotifydError):
    """The environment's proxy settings cannot be used."""


class OutgoingPool:
    """The connections to one API for as long as it is open.

    The environment's HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE are read on entering. aiohttp's own
    `trust_env` stays off, because it would also send what a netrc file holds for the host. Plain
    http is for this machine alone, so it uses no proxy: a secret would travel in the clear.
    Redirects are never followed: a secret must not reach another host.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self.host = urlsplit(url).hostname or url
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
            timeout=aiohttp.ClientTimeout(total=None),  # callers set one deadline for everything
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

    def request(
        self, method: str, url: str | URL, *, headers: Mapping[str, str], data: Any = None
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Make one request; anything that `fault` knows may be raised, and no other."""
        if self._session is None:
            raise RuntimeError("the pool is not open")
        proxy, proxy_headers = _credentials(self._proxy)
        return self._session.request(
            method,
            url,
            data=data,
            headers=headers,
            allow_redirects=False,
            proxy=proxy,
            proxy_headers=proxy_headers,
        )

    def fault(self, error: Exception, timeout: float) -> tuple[str, str]:
        """Say what failed on the way: the cause as one word, and a sentence without secrets.

        timeout: seconds that the caller allowed for the whole request.
        """
        return transport_fault(error, self.host, timeout)


def transport_fault(error: Exception, host: str, timeout: float) -> tuple[str, str]:
    """Return what `OutgoingPool.fault` does, for a request to `host`."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns", f"cannot resolve {error.host}"
        case aiohttp.ClientConnectorCertificateError():
            return "certificate", _certificate_fault(error.certificate_error, error.host)
        case aiohttp.ClientConnectorSSLError():
            return "tls", f"TLS with {host} failed ({_plain(error.os_error)})"
        case aiohttp.ClientProxyConnectionError():
            why = _plain(error.os_error)
            return "proxy", f"cannot connect to the proxy {error.host} ({why})"
        case aiohttp.ClientConnectorError():
            why = _plain(error.os_error)
            return "connect", f"cannot connect to {error.host}:{error.port} ({why})"
        case aiohttp.ClientHttpProxyError():
            return "proxy", f"the proxy refused with {error.status} ({error.message})"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "reset", f"the connection to {host} broke off before the answer"
        case aiohttp.ClientPayloadError():
            return "reset", f"the connection to {host} broke off in mid-answer"
        case aiohttp.ClientResponseError():
            return "no_http", f"the server at {host} does not speak HTTP"
        case ProxyError():
            return "proxy", str(error)
        case TimeoutError():
            return "timeout", f"no answer from {host} within {timeout:g} s"
    return "other", f"the request to {host} failed ({type(error).__name__})"


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    """Read a body of at most `limit` bytes; None when there are more."""
    body = bytearray()
    while chunk := await response.content.read(limit):
        body += chunk
        if len(body) > limit:
            response.close()
            return None
    return bytes(body)


class _Resolver(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return resolve_results(host, await addresses(host, port, family))

    async def close(self) -> None:
        pass


def _proxy(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or proxy_bypass(parts.netloc):
        return ""
    return getproxies().get("https", "")


def _credentials(proxy: str) -> tuple[URL | None, dict[str, str] | None]:
    """Split the name and password off a proxy's address."""
    if not proxy:
        return None, None
    try:
        url = URL(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ProxyError("HTTPS_PROXY in the environment is not the URL of an http proxy: fix it")
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
