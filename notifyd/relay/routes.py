"""The Notifications API: tokens and devices for the client, sending for whoever has a token."""

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import hdrs, web

from notifyd.http.errors import HttpError, not_found, rate_limited
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import Handler, Route
from notifyd.http.schemas import Schema
from notifyd.relay import devices, notifications, tokens
from notifyd.relay.credentials import StoredClient
from notifyd.relay.devices import Device
from notifyd.relay.inbox import InboxConnections
from notifyd.relay.notifications import IncomingNotification
from notifyd.relay.rate_limit import WorkspaceRateLimiter
from notifyd.relay.schemas import DeviceRequest, SendRequest, TokenRequest
from notifyd.relay.store import RelayStore
from notifyd.relay.tokens import Token

_KEY_LENGTH = 255


class RelayRoutes:
    """The handlers. `wall` gives seconds since the epoch, `mono` seconds that never go back."""

    def __init__(
        self,
        store: RelayStore,
        client: StoredClient,
        limiter: WorkspaceRateLimiter,
        pages: InboxConnections,
        *,
        wall: Callable[[], float],
        mono: Callable[[], float],
    ) -> None:
        self._store = store
        self._client = client
        self._limiter = limiter
        self._pages = pages
        self._wall = wall
        self._mono = mono

    def routes(self) -> list[Route[RemoteClient]]:
        client = self._for_client
        return [
            Route("POST", "/notifications/tokens", client(self._mint)),
            Route("GET", "/notifications/tokens", client(self._tokens)),
            Route("POST", "/notifications/tokens/{id}/revoke", client(self._revoke)),
            Route("DELETE", "/notifications/tokens/{id}", client(self._delete_token)),
            Route("POST", "/notifications/devices", client(self._register)),
            Route("GET", "/notifications/devices", client(self._devices)),
            Route("DELETE", "/notifications/devices/{id}", client(self._delete_device)),
            Route("POST", "/notifications/send", self._send),
        ]

    def _for_client(self, handler: Handler[RemoteClient]) -> Handler[RemoteClient]:
        async def handle(request: Request[RemoteClient]) -> web.StreamResponse:
            client_id = request.headers.get("X-Client-ID", "")
            if not self._client.is_client(client_id, request.headers.get("X-Client-Secret", "")):
                raise _unauthorized("X-Client-ID and X-Client-Secret are not this relay's client")
            return await handler(request)

        return handle

    # --- tokens

    async def _mint(self, request: Request[RemoteClient]) -> web.Response:
        form = await _read(request, TokenRequest)
        token, plain = await self._store.run(
            tokens.mint, form.workspace_id, form.name, dict(form.metadata), self._wall()
        )
        return success(token={**token.as_json(), "token": plain})

    async def _tokens(self, request: Request[RemoteClient]) -> web.Response:
        found = await self._store.run(tokens.every, request.http.query.get("workspace_id"))
        return success(tokens=[token.as_json() for token in found])

    async def _revoke(self, request: Request[RemoteClient]) -> web.Response:
        token_id = request.parameters["id"]
        token = await self._store.run(tokens.revoke, token_id, self._wall())
        if token is None:
            raise not_found(f"there is no token {token_id}")
        return success(token=token.as_json())

    async def _delete_token(self, request: Request[RemoteClient]) -> web.Response:
        token_id = request.parameters["id"]
        if not await self._store.run(tokens.delete, token_id):
            raise not_found(f"there is no token {token_id}")
        return success()

    # --- devices

    async def _register(self, request: Request[RemoteClient]) -> web.Response:
        form, now = await _read(request, DeviceRequest), self._wall()
        device = Device(form.device_id, form.fcm_token, form.platform, form.device_info, now, now)
        kept = await self._store.run(devices.register, device)
        return success(device=kept.as_json())

    async def _devices(self, _request: Request[RemoteClient]) -> web.Response:
        found = await self._store.run(devices.every)
        return success(devices=[device.as_json() for device in found])

    async def _delete_device(self, request: Request[RemoteClient]) -> web.Response:
        device_id = request.parameters["id"]
        if not await self._store.run(devices.delete, device_id):
            raise not_found(f"there is no device {device_id}")
        return success()

    # --- sending

    async def _send(self, request: Request[RemoteClient]) -> web.Response:
        token = await self._sender(request)
        if wait := self._limiter.take(token.workspace_id, self._mono()):
            sentence = f"workspace {token.workspace_id} sends too fast"
            raise rate_limited("rate_limited", sentence, wait)
        form = await _read(request, SendRequest)
        note = IncomingNotification(
            form.title, form.body, {**(form.data or {}), **token.routing()}, _key(request)
        )
        receipt = await self._store.run(
            notifications.accept, token, note, pages=self._pages.open, wall=self._wall()
        )
        if not receipt.repeated:
            self._pages.wake()
        return success(delivered=receipt.devices, failed=0, devices=receipt.devices)

    async def _sender(self, request: Request[RemoteClient]) -> Token:
        scheme, _, plain = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not plain:
            raise _unauthorized("the send token is missing: Authorization: Bearer onp_…")
        token = await self._store.run(tokens.by_plain, plain.strip())
        if token is None:
            raise _unauthorized("this relay has no such send token")
        if not token.active:
            raise _unauthorized("the send token was revoked")
        return token


async def _read(request: Request[RemoteClient], schema: type[Schema]) -> Schema:
    # The platform takes JSON whatever its Content-Type says, and curl says it is a form.
    return await request.json(schema, any_content_type=True)


def _key(request: Request[RemoteClient]) -> str | None:
    key = request.headers.get("Idempotency-Key") or None
    if key is not None and len(key) > _KEY_LENGTH:
        sentence = f"Idempotency-Key: must have at most {_KEY_LENGTH} characters"
        raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error", sentence)
    return key


def _unauthorized(sentence: str) -> HttpError:
    headers = {"WWW-Authenticate": "Bearer"}
    return HttpError(HTTPStatus.UNAUTHORIZED, "authentication_error", sentence, headers)
