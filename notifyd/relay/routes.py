"""The Notifications API: the client manages tokens and devices, holders of a token send."""

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

from notifyd.http.errors import HttpError, not_found, printable, rate_limited
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import Handler, HttpRoute
from notifyd.http.schemas import Schema
from notifyd.model.attempts import KEPT_IN_INBOX
from notifyd.relay import credentials, devices, tokens
from notifyd.relay.access import bearer_token, find_sender, unauthorized
from notifyd.relay.credentials import StoredClient
from notifyd.relay.schemas import DeviceRequest, SendRequest, TokenRequest
from notifyd.relay.send_queue import SendQueue
from notifyd.relay.sends import DeliveryReport, RateRefusal, Send
from notifyd.relay.store.base import RelayStore
from notifyd.relay.tokens import TokenRefusal
from notifyd.text.limits import replace_surrogates

_LONGEST_KEY = 255
_DOT_SEGMENTS = frozenset({".", ".."})
"""Browsers remove these from a path, also where they are escaped."""
_KEPT = f"{KEPT_IN_INBOX}; open the inbox page to see it"
"""The answer to senders while there is no device."""


class RelayRoutes:
    def __init__(
        self,
        store: RelayStore,
        client: StoredClient | None,
        sends: SendQueue,
        wall: Callable[[], float],
    ) -> None:
        """client: the one that counts; None for the one in the store."""
        self._store = store
        self._client = client
        self._sends = sends
        self._wall = wall

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        client = self._require_client
        return [
            HttpRoute("POST", "/notifications/tokens", client(self._mint_token)),
            HttpRoute("GET", "/notifications/tokens", client(self._list_tokens)),
            HttpRoute("POST", "/notifications/tokens/{id}/revoke", client(self._revoke_token)),
            HttpRoute("DELETE", "/notifications/tokens/{id}", client(self._delete_token)),
            HttpRoute("POST", "/notifications/devices", client(self._register_device)),
            HttpRoute("GET", "/notifications/devices", client(self._list_devices)),
            HttpRoute("DELETE", "/notifications/devices/{id}", client(self._delete_device)),
            HttpRoute("POST", "/notifications/send", self._send),
        ]

    def _require_client(self, handler: Handler[RemoteClient]) -> Handler[RemoteClient]:
        async def handle(request: Request[RemoteClient]) -> web.StreamResponse:
            client = self._client or await self._store.read(credentials.load_client)
            given = (request.headers.get(name, "") for name in ("X-Client-ID", "X-Client-Secret"))
            if client is None or not client.has_credentials(*given):
                raise unauthorized("wrong client credentials in X-Client-ID and X-Client-Secret")
            return await handler(request)

        return handle

    # --- tokens

    async def _mint_token(self, request: Request[RemoteClient]) -> web.Response:
        body = await _read(request, TokenRequest)
        token, plain = await self._store.run(
            tokens.mint, body.workspace_id, body.name, dict(body.metadata), self._wall()
        )
        return success(token={**token.as_json(), "token": plain})

    async def _list_tokens(self, request: Request[RemoteClient]) -> web.Response:
        found = await self._store.read(tokens.list_all, request.http.query.get("workspace_id"))
        return success(tokens=[token.as_json() for token in found])

    async def _revoke_token(self, request: Request[RemoteClient]) -> web.Response:
        token_id = request.parameters["id"]
        token = await self._store.run(tokens.revoke, token_id, self._wall())
        if token is None:
            raise not_found(f"no token {printable(token_id)}")
        return success(token=token.as_json())

    async def _delete_token(self, request: Request[RemoteClient]) -> web.Response:
        token_id = request.parameters["id"]
        if not await self._store.run(tokens.delete, token_id):
            raise not_found(f"no token {printable(token_id)}")
        return success()

    # --- devices

    async def _register_device(self, request: Request[RemoteClient]) -> web.Response:
        body = await _read(request, DeviceRequest)
        stored = await self._store.run(devices.register, body, self._wall())
        if stored is None:
            raise _invalid("device_id: must not consist of digits alone, as a device's number does")
        return success(device=stored.as_json())

    async def _list_devices(self, _request: Request[RemoteClient]) -> web.Response:
        found = await self._store.read(devices.list_all)
        return success(devices=[device.as_json() for device in found])

    async def _delete_device(self, request: Request[RemoteClient]) -> web.Response:
        device_id = request.parameters["id"]
        if not await self._store.run(devices.delete, device_id):
            raise not_found(f"no device {printable(device_id)}")
        return success()

    # --- sending

    async def _send(self, request: Request[RemoteClient]) -> web.Response:
        token = bearer_token(request)
        try:
            body = await _read(request, SendRequest)
            key = _idempotency_key(request)
            if body.options and key is None:
                raise _invalid("Idempotency-Key: required with options, to ask for the answer")
            if body.options and key in _DOT_SEGMENTS:
                raise _invalid(f"Idempotency-Key: {key} cannot stand in the path of a question")
        except HttpError:
            # Whoever has no token learns that first, whatever else is wrong with the request.
            await find_sender(self._store, request)
            raise
        send = Send(
            token, body.title, body.body, body.full_data(), key, body.options, body.answer_within
        )
        result = await self._sends.submit(send)
        match result:
            case TokenRefusal():
                raise unauthorized(result)
            case RateRefusal(workspace_id, wait):
                sentence = f"workspace {workspace_id} sends too fast"
                raise rate_limited("rate_limited", sentence, wait)
            case DeliveryReport(devices_reached):
                note = {} if devices_reached else {"reason": "no_device", "detail": _KEPT}
                return success(delivered=devices_reached, failed=0, devices=devices_reached, **note)


async def _read(request: Request[RemoteClient], schema: type[Schema]) -> Schema:
    # The platform takes JSON whatever its Content-Type says, and curl's default is a form.
    return await request.json(schema, any_content_type=True)


def _idempotency_key(request: Request[RemoteClient]) -> str | None:
    key = request.headers.get("Idempotency-Key") or None
    if key is not None and len(key) > _LONGEST_KEY:
        raise _invalid(f"Idempotency-Key: must have at most {_LONGEST_KEY} characters")
    if key is not None and replace_surrogates(key) != key:
        raise _invalid("Idempotency-Key: must be UTF-8")
    return key


def _invalid(sentence: str) -> HttpError:
    return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error", sentence)
