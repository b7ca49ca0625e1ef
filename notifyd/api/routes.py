"""What each path of the local API does."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web

from notifyd.api.auth import Caller
from notifyd.api.control import Control
from notifyd.api.errors import ApiError, ended, printable, wrong_field
from notifyd.api.rate_limit import UserRateLimiter
from notifyd.api.request import json_body
from notifyd.api.submission import duration, mute_wish, submission
from notifyd.model.notifications import Json, Status
from notifyd.text.suggestions import did_you_mean

LONGEST_WAIT = 60.0
DEFAULT_LISTED = 100
MOST_LISTED = 1000

_NOTIFICATION = "/v1/notifications/"
_RETRY = "/v1/notifications/ID/retry"
_RETRIED = (Status.FAILED, Status.EXPIRED, Status.NO_DEVICE)
_SETTLED_BADLY = frozenset({Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.REPLACED})
_FIGURES = ("status", "delivered", "failed", "devices", "errors", "skipped", "reason", "detail")
_LATER = ("/v1/events", "/v1/heartbeats/", "/v1/triggers/")
_SAFE = {"HEAD": "GET"}


class Answer(NamedTuple):
    """body: JSON, or Prometheus' text."""

    status: HTTPStatus
    body: Json | bytes


class Call(NamedTuple):
    """A request whose path is known. id: the path's last part, where it has one."""

    request: web.BaseRequest
    caller: Caller
    id: str = ""

    @property
    def uid(self) -> int | None:
        """Whose notifications the caller may see; None for everyone's."""
        return None if self.caller.admin else self.caller.peer.uid

    def query(self, *known: str) -> dict[str, str]:
        """Read the query; a name that is not known here is refused."""
        given = dict(self.request.query)
        for name in given:
            if name not in known:
                reason = "is no parameter here" + did_you_mean(name, known)
                raise wrong_field(printable(name), reason, "unknown_field")
        return given

    def require_admin(self, deed: str) -> None:
        """Refuse whoever may not do this; `deed` is what, in words."""
        if not self.caller.admin:
            who = "root, the daemon's own user and members of [socket] admin_group"
            raise ApiError(HTTPStatus.FORBIDDEN, "forbidden", f"Only {who} may {deed}.")


class Routes:
    """Answers requests through the daemon's Control. max_body: bytes. body_time: seconds."""

    def __init__(
        self, control: Control, rates: UserRateLimiter, *, max_body: int, body_time: float
    ) -> None:
        self._control = control
        self._rates = rates
        self._max_body = max_body
        self._body_time = body_time
        self._waiting: set[asyncio.Timeout] = set()
        self._paths: dict[str, dict[str, Callable[[Call], Awaitable[Answer]]]] = {
            "/notifications/send": {"POST": self._send},
            "/v1/notifications": {"GET": self._list, "DELETE": self._cancel_by_key},
            _NOTIFICATION: {"GET": self._show, "DELETE": self._cancel},
            _RETRY: {"POST": self._retry},
            "/v1/retry": {"POST": self._retry_all},
            "/v1/status": {"GET": self._status},
            "/v1/explain": {"GET": self._explain},
            "/v1/mute": {"POST": self._mute},
            "/v1/reload": {"POST": self._reload},
            "/healthz": {"GET": self._health},
            "/metrics": {"GET": self._metrics},
        }

    async def __call__(self, request: web.BaseRequest, caller: Caller) -> Answer:
        """Answer a request; every other outcome is a NotifydError."""
        path, wanted = request.path, ""
        if path.startswith(_NOTIFICATION) and path != _NOTIFICATION:
            wanted, verb = _parted(path.removeprefix(_NOTIFICATION))
            path = _RETRY if verb else _NOTIFICATION
        methods = self._paths.get(path)
        if methods is None or (path in (_NOTIFICATION, _RETRY) and not wanted):
            raise self._unknown(request.path)
        handler = methods.get(_SAFE.get(request.method, request.method))
        if handler is None:
            allowed = ", ".join(methods)
            raise ApiError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                f"{printable(request.method)} is not possible here: use {allowed}.",
                {"Allow": allowed},
            )
        return await handler(Call(request, caller, wanted))

    def stop_waiting(self) -> None:
        """Answer at once whoever waits for a delivery: the daemon is going down."""
        for patience in self._waiting:
            patience.reschedule(0.0)

    def _unknown(self, path: str) -> ApiError:
        if path.startswith(_LATER):
            return ApiError(
                HTTPStatus.NOT_FOUND,
                "not_available",
                f"{printable(path)} is not available in this version of notifyd.",
            )
        return ApiError(
            HTTPStatus.NOT_FOUND,
            "not_found",
            ended(f"There is nothing at {printable(path)}{did_you_mean(path, self._paths)}"),
        )

    # --- sending

    async def _send(self, call: Call) -> Answer:
        await self._rates.take(call.caller.peer.uid)
        wait = duration("wait", call.query("wait").get("wait", ""), LONGEST_WAIT)
        raw = await json_body(call.request, largest=self._max_body, within=self._body_time)
        asked = submission(raw)
        notification_id, status = await self._control.submit(
            asked.message, asked.priority, key=asked.key, delay=asked.delay, peer=call.caller.peer
        )
        result = await self._settled(notification_id, wait) if wait else None
        if result is not None:
            return Answer(HTTPStatus.OK, _told(notification_id, result))
        shown = Status.HELD if status is Status.HELD else Status.QUEUED
        return Answer(
            HTTPStatus.ACCEPTED, {"success": True, "id": notification_id, "status": shown}
        )

    async def _settled(self, notification_id: str, within: float) -> Json | None:
        try:
            async with asyncio.timeout(within) as patience:
                self._waiting.add(patience)
                try:
                    return await self._control.settled(notification_id, within)
                finally:
                    self._waiting.discard(patience)
        except TimeoutError:
            return None

    # --- looking and cancelling

    async def _list(self, call: Call) -> Answer:
        query = call.query("limit", "status")
        rows = await self._control.notifications(
            uid=call.uid, status=_status(query.get("status")), limit=_limit(query.get("limit"))
        )
        return _notifications(rows)

    async def _show(self, call: Call) -> Answer:
        call.query()
        row = await self._control.notification(call.id, uid=call.uid)
        if row is None:
            raise ApiError(
                HTTPStatus.NOT_FOUND,
                "not_found",
                f"There is no notification {printable(call.id)}, or it is not yours.",
            )
        return _notifications([row])

    async def _cancel(self, call: Call) -> Answer:
        call.query()
        return await self._cancelled(call, notification_id=call.id, key="")

    async def _cancel_by_key(self, call: Call) -> Answer:
        key = call.query("key").get("key", "")
        if not key:
            raise wrong_field("key", "is missing: name what to cancel, by ?key= or by its id")
        return await self._cancelled(call, notification_id="", key=key)

    async def _cancelled(self, call: Call, *, notification_id: str, key: str) -> Answer:
        row = await self._control.cancel(
            notification_id=notification_id,
            key=key,
            peer=call.caller.peer,
            everyone=call.caller.admin,
        )
        return _notifications([row])

    # --- sending again

    async def _retry(self, call: Call) -> Answer:
        call.query()
        await self._rates.take(call.caller.peer.uid)
        row = await self._control.retry(
            notification_id=call.id, peer=call.caller.peer, everyone=call.caller.admin
        )
        return _notifications([row])

    async def _retry_all(self, call: Call) -> Answer:
        asked = call.query("status").get("status")
        status = _status(asked)
        if status not in (None, *_RETRIED):
            known = ", ".join(_RETRIED)
            raise wrong_field("status", f"must be one of {known} (got {printable(asked or '')!r})")
        await self._rates.take(call.caller.peer.uid)
        result = await self._control.retry_all(
            status=status, peer=call.caller.peer, everyone=call.caller.admin
        )
        return Answer(HTTPStatus.OK, {"success": True, **result})

    # --- the daemon itself

    async def _status(self, call: Call) -> Answer:
        call.query()
        return Answer(HTTPStatus.OK, {"success": True, **await self._control.status()})

    async def _health(self, call: Call) -> Answer:
        call.query()
        well, word = self._control.health()
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(status, {"success": well, "status": word})

    async def _explain(self, call: Call) -> Answer:
        trigger = call.query("trigger").get("trigger", "")
        call.require_admin("see what triggers matched")
        explanations = await self._control.explain(trigger)
        return Answer(HTTPStatus.OK, {"success": True, "triggers": explanations})

    async def _mute(self, call: Call) -> Answer:
        call.query()
        call.require_admin("mute")
        raw = await json_body(call.request, largest=self._max_body, within=self._body_time)
        trigger, seconds = mute_wish(raw)
        result = await self._control.mute(trigger, seconds)
        return Answer(HTTPStatus.OK, {"success": True, **result})

    async def _metrics(self, call: Call) -> Answer:
        call.query()
        return Answer(HTTPStatus.OK, self._control.metrics())

    async def _reload(self, call: Call) -> Answer:
        call.query()
        call.require_admin("reload")
        result = await self._control.reload()
        if result.get("reloaded"):
            return Answer(HTTPStatus.OK, {"success": True, **result})
        wrong: Json = {
            "success": False,
            "error": "The new configuration is wrong, so the old one goes on: see problems.",
            "code": "bad_config",
        }
        return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, {**wrong, **result})


def _parted(rest: str) -> tuple[str, bool]:
    """Part ID/retry into the id and whether to retry it."""
    notification_id, found, last = rest.rpartition("/")
    return (notification_id, True) if found and last == "retry" else (rest, False)


def _told(notification_id: str, row: Json) -> Json:
    """Tell what became of a notification, with the API's own figures."""
    answer: Json = {"success": True, "id": notification_id}
    answer |= {name: row[name] for name in _FIGURES if name in row}
    status = row.get("status")
    if status in _SETTLED_BADLY:
        reason = str(row.get("last_error") or f"the notification is {status}")
        answer |= {"success": False, "error": f"Not delivered: {reason}.", "code": str(status)}
    return answer


def _notifications(rows: list[Json]) -> Answer:
    return Answer(HTTPStatus.OK, {"success": True, "notifications": rows})


def _status(text: str | None) -> Status | None:
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError:
        known = ", ".join(Status)
        raise wrong_field("status", f"must be one of {known} (got {printable(text)!r})") from None


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LISTED
    short = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_LISTED))
    if not short or not 1 <= int(text) <= MOST_LISTED:
        raise wrong_field("limit", f"must be between 1 and {MOST_LISTED} (got {printable(text)!r})")
    return int(text)
