"""What the inbox page asks about its own device: to get pushes, which ones, and not for a while."""

import base64
import binascii
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import AfterValidator, Field

from notifyd.http.errors import HttpError, not_found, printable
from notifyd.http.open_connections import RemoteClient
from notifyd.http.public_addresses import AddressPolicy, AddressRefusedError, check_literal
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import HttpRoute
from notifyd.relay import devices, web_push
from notifyd.relay.access import check_inbox_key
from notifyd.relay.devices import DeviceKind, NewDevice, Subscription
from notifyd.relay.inbox_schemas import InboxSchema, ShortText
from notifyd.relay.schemas import Names
from notifyd.relay.store.base import RelayStore
from notifyd.relay.web_push import PushAddress, PushKeys

MOST_DEVICES = 64
"""How many pages may have pushes."""

_POINT, _SECRET = 65, 16
"""Bytes of the two keys of a subscription."""
_LONGEST_MUTE = 7 * 86_400.0


def _check_endpoint(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an https URL")
    if not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise ValueError("must be an https URL")
    return endpoint


def _check_key(length: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != length:
            raise ValueError(f"must be {length} bytes in base64url")
        return text

    return check


class PushParameters(InboxSchema):
    """device: the device_id of the page that asks."""

    device: ShortText = ""


class PushRequest(InboxSchema):
    """A browser's PushSubscription, and what it is to get. mute: seconds without pushes from now.

    Without `mute` a page that is muted stays so.
    """

    endpoint: Annotated[str, Field(max_length=1000), AfterValidator(_check_endpoint)]
    p256dh: Annotated[str, Field(max_length=200), AfterValidator(_check_key(_POINT))]
    auth: Annotated[str, Field(max_length=100), AfterValidator(_check_key(_SECRET))]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    workspaces: Names = Field(default_factory=list)
    channels: Names = Field(default_factory=list)
    mute: Annotated[float, Field(ge=0, le=_LONGEST_MUTE)] | None = None


class PushRoutes:
    """All requests need the key in their address, as the page does.

    may_reach: which addresses an endpoint may have; names are checked when they are used.
    """

    def __init__(
        self,
        store: RelayStore,
        keys: PushKeys,
        may_reach: AddressPolicy,
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._keys = keys
        self._may_reach = may_reach
        self._wall = wall

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [
            HttpRoute("GET", "/inbox/push", self._show),
            HttpRoute("POST", "/inbox/push", self._subscribe),
            HttpRoute("DELETE", "/inbox/push/{device}", self._unsubscribe),
        ]

    async def _show(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        if not web_push.is_installed():
            return success(public_key=None, reason=web_push.MISSING, device=None)
        key = await self._keys.load()
        name = request.query(PushParameters).device
        device = await self._store.read(devices.find, name)
        shown = None if device is None else device.as_json()
        return success(public_key=key.public, device=shown)

    async def _subscribe(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        body = await request.json(PushRequest, any_content_type=True)
        try:
            check_literal(urlsplit(body.endpoint).hostname or "", self._may_reach)
        except AddressRefusedError as error:
            raise HttpError(
                HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error", f"endpoint: {error}"
            ) from None
        address = PushAddress(body.endpoint, body.p256dh, body.auth)
        known = await self._store.read(devices.find, address.device_id)
        if known is None:
            await self._check_room()
        wall = self._wall()
        new = NewDevice(
            address.device_id,
            DeviceKind.WEB_PUSH,
            body.name,
            str(address),
            Subscription(tuple(body.workspaces), tuple(body.channels)),
        )
        muted_until = None if body.mute is None else wall + body.mute if body.mute else 0.0
        device = await self._store.run(devices.add, new, wall, muted_until)
        return success(device=device.as_json())

    async def _check_room(self) -> None:
        if await self._store.read(devices.count, DeviceKind.WEB_PUSH) >= MOST_DEVICES:
            sentence = f"{MOST_DEVICES} devices get pushes; turn it off on one of them"
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_devices", sentence)

    async def _unsubscribe(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        name = request.parameters["device"]
        device = await self._store.read(devices.find, name)
        if device is None or device.kind is not DeviceKind.WEB_PUSH:
            raise not_found(f"no device {printable(name)}")
        await self._store.run(devices.delete, name)
        return success()
