"""Sending, listing, cancelling and retrying notifications."""

import asyncio
from collections.abc import Hashable
from http import HTTPStatus

from aiohttp import web

from notifyd.api.answers import (
    AcceptedAnswer,
    ChangedAnswer,
    DeliveredAnswer,
    NotificationsAnswer,
    RetriedAnswer,
)
from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.schemas import (
    CancelParameters,
    ListParameters,
    NoParameters,
    RetryParameters,
    SendParameters,
    Submission,
)
from notifyd.api.times import success
from notifyd.http.errors import not_found, printable
from notifyd.http.operations import Operation
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.request import Request
from notifyd.http.responses import json_response
from notifyd.http.routing import HttpRoute
from notifyd.model.notifications import Json, Priority, Status
from notifyd.text.limits import RESERVED_KEYS

_NOT_DELIVERED = frozenset({Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.REPLACED})
DECIDED = frozenset({Status.DELIVERED, Status.NO_DEVICE, Status.FAILED})
"""Statuses after which `last_error` is about the notification, not about the daemon."""
NOT_SENT = "it could not be sent so far; `notifyd status` says whether sending is paused"
_REPORTED = ("status", "delivered", "failed", "devices", "errors", "skipped", "reason", "detail")


class NotificationRoutes:
    def __init__(self, control: Control, limiter: RateLimiter[Hashable]) -> None:
        self._control = control
        self._limiter = limiter
        self._waits: set[asyncio.Timeout] = set()

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute(
                "POST",
                "/notifications/send",
                self._send,
                operation=Operation(
                    "Send a notification",
                    query=SendParameters,
                    body=Submission,
                    answers={HTTPStatus.ACCEPTED: AcceptedAnswer, HTTPStatus.OK: DeliveredAnswer},
                    errors=(HTTPStatus.TOO_MANY_REQUESTS,),
                ),
            ),
            HttpRoute(
                "GET",
                "/v1/notifications",
                self._list,
                operation=Operation(
                    "List notifications, newest first",
                    query=ListParameters,
                    answers={HTTPStatus.OK: NotificationsAnswer},
                ),
            ),
            HttpRoute(
                "DELETE",
                "/v1/notifications",
                self._cancel_by_key,
                operation=Operation(
                    "Cancel by key",
                    query=CancelParameters,
                    answers={HTTPStatus.OK: ChangedAnswer},
                    errors=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
                ),
            ),
            HttpRoute(
                "GET",
                "/v1/notifications/{id}",
                self._show,
                operation=Operation(
                    "Show a notification",
                    query=NoParameters,
                    answers={HTTPStatus.OK: NotificationsAnswer},
                    errors=(HTTPStatus.NOT_FOUND,),
                ),
            ),
            HttpRoute(
                "DELETE",
                "/v1/notifications/{id}",
                self._cancel,
                operation=Operation(
                    "Cancel a notification",
                    query=NoParameters,
                    answers={HTTPStatus.OK: ChangedAnswer},
                    errors=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
                ),
            ),
            HttpRoute(
                "POST",
                "/v1/notifications/{id}/retry",
                self._retry,
                operation=Operation(
                    "Send a notification again",
                    query=NoParameters,
                    answers={HTTPStatus.OK: ChangedAnswer},
                    errors=(
                        HTTPStatus.NOT_FOUND,
                        HTTPStatus.CONFLICT,
                        HTTPStatus.TOO_MANY_REQUESTS,
                    ),
                ),
            ),
            HttpRoute(
                "POST",
                "/v1/retry",
                self._retry_all,
                operation=Operation(
                    "End a pause, and send those of one status again",
                    query=RetryParameters,
                    answers={HTTPStatus.OK: RetriedAnswer},
                    errors=(HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS),
                ),
            ),
        ]

    def stop_waiting(self) -> None:
        """Answer at once those who wait for a delivery: the daemon is shutting down."""
        for timeout in self._waits:
            timeout.reschedule(0.0)

    # --- sending

    async def _send(self, request: Request[ApiCaller]) -> web.Response:
        peer = request.client.peer
        await self._limiter.take(request.client.share_key)
        wait = request.query(SendParameters).wait
        submission = await request.json(Submission)
        acceptance = await self._control.submit(
            submission.message,
            submission.priority or Priority.DEFAULT,
            key=submission.key or "",
            delay=submission.delay,
            peer=peer,
        )
        waits = wait and not acceptance.over_budget
        outcome = await self._outcome(acceptance.id, wait) if waits else None
        if outcome is not None:
            outcome = _shown(outcome, request.client)
        warning = _reserved_keys_warning(submission.message.data)
        if outcome is not None:
            return json_response(_report(acceptance.id, outcome) | warning)
        shown = Status.HELD if acceptance.status is Status.HELD else Status.QUEUED
        accepted: Json = {"success": True, "id": acceptance.id, "status": shown}
        if acceptance.over_budget:
            accepted["over_budget"] = True
        return json_response(accepted | warning, HTTPStatus.ACCEPTED)

    async def _outcome(self, notification_id: str, within: float) -> Json | None:
        try:
            async with asyncio.timeout(within) as timeout:
                self._waits.add(timeout)
                try:
                    return await self._control.wait_for_outcome(notification_id, within)
                finally:
                    self._waits.discard(timeout)
        except TimeoutError:
            return None

    # --- listing and cancelling

    async def _list(self, request: Request[ApiCaller]) -> web.Response:
        parameters = request.query(ListParameters)
        rows = await self._control.notifications(
            uid=request.client.visible_uid,
            status=parameters.status,
            limit=parameters.limit,
            trigger=parameters.trigger,
            since=parameters.since,
        )
        return success(notifications=[_shown(row, request.client) for row in rows])

    async def _show(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        notification_id = request.parameters["id"]
        row = await self._control.notification(notification_id, uid=request.client.visible_uid)
        if row is None:
            raise not_found(f"no notification {printable(notification_id)}, or it is not yours")
        return success(notifications=[_shown(row, request.client)])

    async def _cancel(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        return await self._cancel_by(request.client, request.parameters["id"], key="")

    async def _cancel_by_key(self, request: Request[ApiCaller]) -> web.Response:
        return await self._cancel_by(request.client, "", request.query(CancelParameters).key)

    async def _cancel_by(self, caller: ApiCaller, notification_id: str, key: str) -> web.Response:
        row = await self._control.cancel(
            notification_id=notification_id, key=key, peer=caller.peer, everyone=caller.admin
        )
        return success(notifications=[row])

    # --- sending again

    async def _retry(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        caller = request.client
        await self._limiter.take(caller.share_key)
        row = await self._control.retry(
            notification_id=request.parameters["id"], peer=caller.peer, everyone=caller.admin
        )
        return success(notifications=[row])

    async def _retry_all(self, request: Request[ApiCaller]) -> web.Response:
        caller, status = request.client, request.query(RetryParameters).status
        await self._limiter.take(caller.share_key)
        result = await self._control.retry_all(
            status=status, peer=caller.peer, everyone=caller.admin
        )
        return success(**result)


def _shown(row: Json, caller: ApiCaller) -> Json:
    """Hide what an error says of the daemon's settings, such as paths, from all but admins."""
    if caller.admin or not row.get("last_error") or row.get("status") in DECIDED:
        return row
    return row | {"last_error": NOT_SENT}


def _reserved_keys_warning(data: Json) -> Json:
    """Return a warning about entries that notifyd replaces by its own."""
    keys = ", ".join(f"data.{key}" for key in sorted(RESERVED_KEYS & data.keys()))
    return {"warning": f"{keys}: reserved by notifyd; your value was replaced"} if keys else {}


def _report(notification_id: str, row: Json) -> Json:
    """Report the outcome of a notification, with the API's own figures."""
    report: Json = {"success": True, "id": notification_id}
    report |= {name: row[name] for name in _REPORTED if name in row}
    status = row.get("status")
    if status in _NOT_DELIVERED:
        reason = str(row.get("last_error") or f"the notification is {status}")
        report |= {"success": False, "error": f"not delivered: {reason}", "code": str(status)}
    return report
