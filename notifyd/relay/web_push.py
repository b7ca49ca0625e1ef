"""Web Push: messages that only the page's worker can read, through the browser maker's service.

The encryption is RFC 8291, the relay's identity RFC 8292 (VAPID), the request RFC 8030.
"""

import asyncio
import importlib.util
import json
import ssl
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp

from notifyd import __version__
from notifyd.http.outgoing import transport_fault
from notifyd.http.public_addresses import (
    AddressPolicy,
    AddressRefusedError,
    PolicyResolver,
    check_literal,
)
from notifyd.http.retry_after import retry_after_seconds
from notifyd.relay import credentials, push_message
from notifyd.relay.deliveries import Delivery, DeliveryResult, DeliveryStatus
from notifyd.relay.store.base import RelayStore

TIMEOUT = 20.0
"""Seconds for one request."""

MISSING = "this relay cannot send Web Push: install workspace-notifyd[push] where it runs"

_CLAIM_LIFETIME = 12 * 3600
"""Seconds; a push service accepts a day at most."""
_CONTACT = "mailto:relay@notifyd.invalid"
"""Whom a push service may tell of problems, if the relay has no public URL."""
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_FORBIDDEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class PushAddress(NamedTuple):
    """Where a browser gets its messages: the `endpoint` and keys of its PushSubscription."""

    endpoint: str
    p256dh: str
    auth: str

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**json.loads(text))

    def __str__(self) -> str:
        return json.dumps(self._asdict())

    @property
    def device_id(self) -> str:
        """The same for the same subscription."""
        return f"web-{sha256(self.endpoint.encode()).hexdigest()[:16]}"


def is_installed() -> bool:
    """Return whether the library for Web Push is there."""
    return importlib.util.find_spec("pywebpush") is not None


class PushKey(NamedTuple):
    """The relay's identity. public: what pages subscribe with. private: in PEM."""

    public: str
    private: bytes


class PushKeys:
    """The key in the store, which is made when it is needed first."""

    def __init__(self, store: RelayStore) -> None:
        self._store = store
        self._key: PushKey | None = None

    async def load(self) -> PushKey:
        if self._key is None:
            new = await asyncio.to_thread(_new_key)
            private = await self._store.run(credentials.ensure_push_key, new)
            self._key = PushKey(await asyncio.to_thread(_public_key, private), private)
        return self._key


class WebPushSender:
    """Sends to push services, as long as it is open.

    may_reach: which addresses an endpoint may have. contact: the relay's URL.
    """

    def __init__(
        self,
        keys: PushKeys,
        may_reach: AddressPolicy,
        contact: str,
        wall: Callable[[], float],
    ) -> None:
        self._keys = keys
        self._may_reach = may_reach
        host = urlsplit(contact).hostname
        self._contact = f"https://{host}" if contact.startswith("https://") else _CONTACT
        self._wall = wall
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, delivery: Delivery) -> DeliveryResult:
        if not is_installed():
            return DeliveryResult(DeliveryStatus.RETRY, MISSING)
        address = PushAddress.parse(delivery.address)
        parts = urlsplit(address.endpoint)
        host = parts.hostname or ""
        key = await self._keys.load()
        claims: dict[str, str | int] = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "sub": self._contact,
            "exp": int(self._wall()) + _CLAIM_LIFETIME,
        }
        message = push_message.render(delivery)
        try:
            check_literal(host, self._may_reach)
            body, authorization = await asyncio.to_thread(_encrypt, address, message, key, claims)
        except AddressRefusedError as error:
            return DeliveryResult(DeliveryStatus.REFUSED, str(error))
        except Exception as error:  # noqa: BLE001 - the keys are the browser's; libraries disagree
            reason = f"its subscription cannot be used ({type(error).__name__})"
            return DeliveryResult(DeliveryStatus.REFUSED, reason)
        headers = push_message.headers(delivery) | {
            "Authorization": authorization,
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
        }
        return await self._post(address.endpoint, host, body, headers)

    async def _post(
        self, endpoint: str, host: str, body: bytes, headers: dict[str, str]
    ) -> DeliveryResult:
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._open_session().post(
                    endpoint, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return _result(host, response, self._wall())
        except AddressRefusedError as error:
            return DeliveryResult(DeliveryStatus.REFUSED, str(error))
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            _, sentence = transport_fault(error, host, TIMEOUT)
            return DeliveryResult(DeliveryStatus.RETRY, sentence)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=ssl.create_default_context(),
                    resolver=PolicyResolver(self._may_reach),
                    use_dns_cache=False,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                headers={"User-Agent": f"notifyd/{__version__}"},
            )
        return self._session


def _new_key() -> bytes:
    from py_vapid import Vapid02  # noqa: PLC0415 - only where there are push devices

    key = Vapid02()
    key.generate_keys()
    return bytes(key.private_pem())


def _public_key(pem: bytes) -> str:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        Encoding,
        PublicFormat,
    )
    from py_vapid import Vapid02  # noqa: PLC0415 - as above
    from py_vapid.utils import b64urlencode  # noqa: PLC0415 - as above

    public = Vapid02.from_pem(pem).public_key
    return str(b64urlencode(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)))


def _encrypt(
    address: PushAddress, message: bytes, key: PushKey, claims: dict[str, str | int]
) -> tuple[bytes, str]:
    """Return the encrypted message and the Authorization header."""
    from py_vapid import Vapid02  # noqa: PLC0415 - as above
    from pywebpush import WebPusher  # noqa: PLC0415 - as above

    keys = {"p256dh": address.p256dh, "auth": address.auth}
    pusher = WebPusher({"endpoint": address.endpoint, "keys": keys})
    signed = Vapid02.from_pem(key.private).sign(claims)
    return pusher.encode(message)["body"], signed["Authorization"]


def _result(host: str, response: aiohttp.ClientResponse, wall: float) -> DeliveryResult:
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return DeliveryResult(DeliveryStatus.DONE)
    if status in _GONE:
        return DeliveryResult(DeliveryStatus.GONE, "its push subscription has ended")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        header, date = (response.headers.get(name, "") for name in ("Retry-After", "Date"))
        wait = retry_after_seconds(header, wall, date)
        return DeliveryResult(DeliveryStatus.RETRY, f"{host} answered {status}", wait)
    if status in _FORBIDDEN:
        reason = f"{host} refused the relay's key ({status}); turn the push off and on there"
        return DeliveryResult(DeliveryStatus.REFUSED, reason)
    return DeliveryResult(DeliveryStatus.REFUSED, f"{host} refused the message ({status})")
