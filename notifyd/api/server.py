"""The local API on its Unix socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notifyd.api.auth import Authorizer
from notifyd.api.control import Control
from notifyd.api.routes.daemon import DaemonRoutes
from notifyd.api.routes.notifications import NotificationRoutes
from notifyd.api.routes.triggers import TriggerRoutes
from notifyd.api.unix import BACKLOG, UnixListener
from notifyd.config.sections import SocketConfig
from notifyd.http import server
from notifyd.http.open_connections import ConnectionLimits
from notifyd.http.rate_limit import Rate, RateLimiter
from notifyd.http.request import BodyLimits
from notifyd.http.routing import HttpRouter

_LAST_RESPONSES = 1.0
"""Seconds that requests at work get when the daemon shuts down."""

_UNAVAILABLE = ("/v1/events", "/v1/heartbeats/", "/v1/triggers/")
"""Paths of the contract that this version does not serve."""


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
    limiter = RateLimiter[int](
        Rate(settings.rate.max, settings.rate.per),
        subject="uid",
        code="too_many_requests",
        setting="[socket] rate",
    )
    notifications = NotificationRoutes(control, limiter)
    router = HttpRouter(
        notifications.routes() + TriggerRoutes(control).routes() + DaemonRoutes(control).routes(),
        BodyLimits(settings.max_body, limits.body, "[socket] max_body"),
        unavailable=_UNAVAILABLE,
    )
    authorizer = Authorizer(settings.admin_group)
    async with server.serve(
        listener.socket,
        router,
        authorizer.caller,
        limits,
        grace=_LAST_RESPONSES,
        backlog=BACKLOG,
    ):
        try:
            yield
        finally:
            notifications.stop_waiting()
