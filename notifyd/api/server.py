"""The local API on its listeners: the Unix socket, and a TCP address."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from aiohttp import web

from notifyd import __version__
from notifyd.api.auth import ApiCaller, Authorizer
from notifyd.api.compat.healthchecks import LARGEST_BODY, PREFIX, HealthchecksRoutes
from notifyd.api.compat.publishing import closed_routes, publishing_routes, refusal
from notifyd.api.control import Control
from notifyd.api.routes.agents import AgentRoutes
from notifyd.api.routes.daemon import DaemonRoutes
from notifyd.api.routes.events import EventRoutes
from notifyd.api.routes.heartbeats import HeartbeatRoutes
from notifyd.api.routes.mindwire import MindwireRoutes
from notifyd.api.routes.notifications import NotificationRoutes
from notifyd.api.routes.triggers import TriggerRoutes
from notifyd.api.routes.webhooks import WebhookRoutes
from notifyd.api.tcp import REFUSALS, SECURITY, TOKEN_PARAMETERS, TcpAuthorizer, TcpListener
from notifyd.api.unix import BACKLOG, UnixListener
from notifyd.config.sections import SocketConfig
from notifyd.http import server
from notifyd.http.errors import HttpError
from notifyd.http.open_connections import ConnectionLimits, RemoteClient
from notifyd.http.rate_limit import Rate, RateLimiter
from notifyd.http.request import BodyLimits
from notifyd.http.routing import HttpRoute, HttpRouter
from notifyd.model.notifications import Json

_LAST_RESPONSES = 1.0
"""Seconds that requests at work get when the daemon shuts down."""

_SIGNED = "/webhooks/"
"""Prefix of the paths that may have a signature instead of the token, for any Host."""


@asynccontextmanager
async def serve(
    control: Control,
    settings: SocketConfig,
    listener: UnixListener,
    *,
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[None]:
    """Answer on `listener` while inside; the listener stays its owner's to close."""
    limits = limits or ConnectionLimits()
    api = _LocalApi(control, settings, limits, subject="uid", compat=settings.compat)
    authorizer = Authorizer(settings.admin_group)
    async with server.serve(
        listener.socket,
        api.router,
        authorizer.caller,
        limits,
        grace=_LAST_RESPONSES,
        backlog=BACKLOG,
    ):
        try:
            yield
        finally:
            api.stop_waiting()


@asynccontextmanager
async def serve_tcp(
    control: Control,
    settings: SocketConfig,
    listener: TcpListener,
    *,
    limits: ConnectionLimits | None = None,
) -> AsyncIterator[None]:
    """Answer on `listener` while inside; its socket stays its owner's to close."""
    limits = limits or ConnectionLimits()
    api = _LocalApi(
        control, settings, limits, subject="client", compat=True, ignored=TOKEN_PARAMETERS
    )
    authorizer = TcpAuthorizer(listener)
    webhooks = WebhookRoutes(control, lambda: listener.read_secrets().webhook_secret)
    mindwire = MindwireRoutes(
        control, api.limiter, authorizer, lambda: listener.read_secrets().webhook_secret
    )
    signed = HttpRouter(
        webhooks.routes() + mindwire.routes(), BodyLimits(settings.max_body, limits.body)
    )
    pings = HealthchecksRoutes(control, api.limiter, lambda: listener.read_secrets().ping_key)
    keyed = HttpRouter(pings.routes(), BodyLimits(LARGEST_BODY, limits.body))
    api.described = [*api.router.routes, *signed.routes, *keyed.routes]

    async def respond(request: web.BaseRequest, remote: RemoteClient) -> web.StreamResponse:
        if request.path.startswith(_SIGNED):
            return await signed(request, remote)
        if request.path.startswith(PREFIX):
            return await keyed(request, remote)
        try:
            caller = authorizer.caller(request)
        except HttpError as error:
            return refusal(request, error)
        return await api.router(request, caller)

    async with server.serve(
        listener.socket, respond, RemoteClient.of, limits, grace=_LAST_RESPONSES
    ):
        try:
            yield
        finally:
            api.stop_waiting()


class _LocalApi:
    """The routes of one listener, with its own rate limit.

    subject: what errors call a client. compat: whether clients of ntfy and gotify may send.
    ignored: query parameters that routes do not see.
    """

    def __init__(
        self,
        control: Control,
        settings: SocketConfig,
        limits: ConnectionLimits,
        *,
        subject: str,
        compat: bool,
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        self.limiter = limiter = RateLimiter[Hashable](
            Rate(settings.rate.max, settings.rate.per),
            subject=subject,
            code="too_many_requests",
            setting="[socket] rate",
        )
        self._is_remote = bool(ignored)
        notifications = NotificationRoutes(control, limiter)
        self._events, self._notifications = EventRoutes(control), notifications
        self.router = HttpRouter[ApiCaller](
            notifications.routes()
            + TriggerRoutes(control, limiter).routes()
            + HeartbeatRoutes(control, limiter).routes()
            + AgentRoutes(control, limiter).routes()
            + self._events.routes()
            + DaemonRoutes(control, self._document).routes()
            + (publishing_routes(control, limiter) if compat else closed_routes()),
            BodyLimits(settings.max_body, limits.body, "[socket] max_body"),
            ignored=ignored,
        )
        self.described: list[HttpRoute[Any]] = self.router.routes

    @cached_property
    def _openapi(self) -> Json:
        from notifyd.http.openapi import build_document  # noqa: PLC0415 - rarely asked for

        return build_document(
            self.described,
            title="notifyd",
            version=__version__,
            security=dict(SECURITY) if self._is_remote else {},
            refusals=REFUSALS if self._is_remote else (),
        )

    def _document(self) -> Json:
        return self._openapi

    def stop_waiting(self) -> None:
        """Answer those who wait, and end what has no end of its own: the daemon shuts down."""
        self._notifications.stop_waiting()
        self._events.stop()
