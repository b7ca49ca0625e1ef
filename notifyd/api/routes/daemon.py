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
        return success(**await self._control.status(uid=request.client.visible_uid))

    async def _health(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        healthy, word = self._control.health()
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response({"success": healthy, "status": word}, status)

    async def _metrics(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        metrics = self._control.metrics(uid=request.client.visible_uid)
        return content_response(metrics, _PROMETHEUS)

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
