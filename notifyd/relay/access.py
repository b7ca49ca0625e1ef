"""Who may do what: senders with a send token, pages with the inbox key."""

from hmac import compare_digest
from http import HTTPStatus

from aiohttp import hdrs

from notifyd.http.errors import HttpError
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.relay import credentials, tokens
from notifyd.relay.store.base import RelayStore
from notifyd.relay.tokens import Token, find_refusal


def bearer_token(request: Request[RemoteClient]) -> str:
    """Return the send token of a request in plain text; HttpError (401) if it has none."""
    scheme, _, plain = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not plain:
        raise unauthorized("no send token; add the header 'Authorization: Bearer onp_…'")
    return plain.strip()


async def find_sender(store: RelayStore, request: Request[RemoteClient]) -> Token:
    """Return the token of a request; HttpError (401) if it may not send."""
    token = await store.read(tokens.find, bearer_token(request))
    if (refusal := find_refusal(token)) or token is None:
        raise unauthorized(str(refusal))
    return token


def unauthorized(sentence: str) -> HttpError:
    headers = {"WWW-Authenticate": "Bearer"}
    return HttpError(HTTPStatus.UNAUTHORIZED, "authentication_error", sentence, headers)


async def has_inbox_key(store: RelayStore, request: Request[RemoteClient]) -> bool:
    """Return whether the request's address has the inbox key."""
    key = await store.read(credentials.load_inbox_key)
    given = request.http.query.get("key", "").encode("utf-8", "replace")
    return key is not None and compare_digest(given, key.encode())


async def check_inbox_key(store: RelayStore, request: Request[RemoteClient]) -> None:
    """Raise HttpError (403) unless the request's address has the inbox key."""
    if not await has_inbox_key(store, request):
        sentence = "wrong key in the address; `notifyd relay inbox` shows the right one"
        raise HttpError(HTTPStatus.FORBIDDEN, "forbidden", sentence)
