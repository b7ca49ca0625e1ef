"""The daemon itself: status, health, metrics, reload."""

from http import HTTPStatus

from aiohttp import web

from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.schemas import NoParameters
from notifyd.api.times import success
from notifyd.http.request import Request
from notifyd.http.responses import content_response, json_response
from notifyd.http.routing import HttpRoute
from notifyd.model.notifications import Json

_SHARED_STATUS = frozenset(
    {
        *("version", "status", "healthy", "uptime", "gap"),
        *("delivery", "outbox", "muted", "held_back"),
    }
)
"""What the TCP client sees of the status: nothing of triggers, files and settings."""

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class DaemonRoutes:
    def __init__(self, control: Control) -> None:
        self._control = control

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute("GET", "/v1/status", self._status),
            HttpRoute("GET", "/healthz", self._health),
            HttpRoute("GET", "/metrics", self._metrics),
            HttpRoute("POST", "/v1/reload", self._reload),
        ]

    async def _status(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        status = await self._control.status()
        if request.client.is_tcp:
            status = {name: value for name, value in status.items() if name in _SHARED_STATUS}
        return success(**status)

    async def _health(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        healthy, word = self._control.health()
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response({"success": healthy, "status": word}, status)

    async def _metrics(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        return content_response(self._control.metrics(), _PROMETHEUS)

    async def _reload(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        request.client.require_admin("reload")
        result = await self._control.reload()
        if result.get("reloaded"):
            return success(**result)
        error: Json = {
            "success": False,
            "error": "the new configuration is invalid; the old one stays in force (see problems)",
            "code": "bad_config",
        }
        return json_response({**error, **result}, HTTPStatus.UNPROCESSABLE_ENTITY)
