"""The Notifications API: tokens and devices for the client, sending for whoever has a token."""

from collections.abc import Callable

from aiohttp import hdrs, web

from notifyd.model.notifications import Json
from notifyd.relay import devices, notifications, tokens
from notifyd.relay.credentials import StoredClient
from notifyd.relay.devices import Device
from notifyd.relay.errors import Handler, RequestError, not_found, too_often, unauthorized
from notifyd.relay.inbox import InboxConnections
from notifyd.relay.notifications import IncomingNotification
from notifyd.relay.rate_limit import WorkspaceRateLimiter
from notifyd.relay.schemas import AnyRequest, DeviceRequest, SendRequest, TokenRequest, read
from notifyd.relay.store import RelayStore
from notifyd.relay.tokens import Token

_KEY_LENGTH = 255


class RelayRoutes:
    """The handlers. `wall` gives seconds since the epoch, `mono` seconds that never go back."""

    def __init__(
        self,
        store: RelayStore,
        client: StoredClient,
        limit: WorkspaceRateLimiter,
        pages: InboxConnections,
        *,
        wall: Callable[[], float],
        mono: Callable[[], float],
    ) -> None:
        self._store = store
        self._client = client
        self._limit = limit
        self._pages = pages
        self._wall = wall
        self._mono = mono

    def routes(self) -> list[web.RouteDef]:
        client = self._for_client
        return [
            web.post("/notifications/tokens", client(self._mint)),
            web.get("/notifications/tokens", client(self._tokens)),
            web.post("/notifications/tokens/{id}/revoke", client(self._revoke)),
            web.delete("/notifications/tokens/{id}", client(self._delete_token)),
            web.post("/notifications/devices", client(self._register)),
            web.get("/notifications/devices", client(self._devices)),
            web.delete("/notifications/devices/{id}", client(self._delete_device)),
            web.post("/notifications/send", self._send),
        ]

    def _for_client(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            client_id = request.headers.get("X-Client-ID", "")
            if not self._client.is_client(client_id, request.headers.get("X-Client-Secret", "")):
                raise unauthorized("X-Client-ID and X-Client-Secret are not this relay's client")
            return await handler(request)

        return handle

    # --- tokens

    async def _mint(self, request: web.Request) -> web.Response:
        form = await _form(request, TokenRequest)
        token, plain = await self._store.run(
            tokens.mint, form.workspace_id, form.name, dict(form.metadata), self._wall()
        )
        return _success(token={**token.as_json(), "token": plain})

    async def _tokens(self, request: web.Request) -> web.Response:
        found = await self._store.run(tokens.every, request.query.get("workspace_id"))
        return _success(tokens=[token.as_json() for token in found])

    async def _revoke(self, request: web.Request) -> web.Response:
        token_id = request.match_info["id"]
        token = await self._store.run(tokens.revoke, token_id, self._wall())
        if token is None:
            raise not_found(f"there is no token {token_id}")
        return _success(token=token.as_json())

    async def _delete_token(self, request: web.Request) -> web.Response:
        token_id = request.match_info["id"]
        if not await self._store.run(tokens.delete, token_id):
            raise not_found(f"there is no token {token_id}")
        return _success()

    # --- devices

    async def _register(self, request: web.Request) -> web.Response:
        form, now = await _form(request, DeviceRequest), self._wall()
        device = Device(form.device_id, form.fcm_token, form.platform, form.device_info, now, now)
        kept = await self._store.run(devices.register, device)
        return _success(device=kept.as_json())

    async def _devices(self, _request: web.Request) -> web.Response:
        found = await self._store.run(devices.every)
        return _success(devices=[device.as_json() for device in found])

    async def _delete_device(self, request: web.Request) -> web.Response:
        device_id = request.match_info["id"]
        if not await self._store.run(devices.delete, device_id):
            raise not_found(f"there is no device {device_id}")
        return _success()

    # --- sending

    async def _send(self, request: web.Request) -> web.Response:
        token = await self._sender(request)
        if wait := self._limit.take(token.workspace_id, self._mono()):
            raise too_often(token.workspace_id, wait)
        form = await _form(request, SendRequest)
        note = IncomingNotification(
            form.title, form.body, {**(form.data or {}), **token.routing()}, _key(request)
        )
        receipt = await self._store.run(
            notifications.accept, token, note, pages=self._pages.open, wall=self._wall()
        )
        if not receipt.repeated:
            self._pages.wake()
        return _success(delivered=receipt.devices, failed=0, devices=receipt.devices)

    async def _sender(self, request: web.Request) -> Token:
        scheme, _, plain = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not plain:
            raise unauthorized("the send token is missing: Authorization: Bearer onp_…")
        token = await self._store.run(tokens.by_plain, plain.strip())
        if token is None:
            raise unauthorized("this relay has no such send token")
        if not token.active:
            raise unauthorized("the send token was revoked")
        return token


async def _form(request: web.Request, form: type[AnyRequest]) -> AnyRequest:
    return read(form, await request.read())


def _key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key") or None
    if key is not None and len(key) > _KEY_LENGTH:
        sentence = f"Idempotency-Key: must be at most {_KEY_LENGTH} characters"
        raise RequestError(422, "validation_error", sentence)
    return key


def _success(**fields: object) -> web.Response:
    answer: Json = {"success": True, **fields}
    return web.json_response(answer, headers={hdrs.CACHE_CONTROL: "no-store"})
