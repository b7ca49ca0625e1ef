"""The daemon itself: status, health, metrics, reload."""

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

from notifyd.api.answers import DocumentAnswer, HealthAnswer, ReloadAnswer, StatusAnswer
from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.schemas import NoParameters
from notifyd.api.times import success
from notifyd.http.operations import TEXT, Operation
from notifyd.http.request import Request
from notifyd.http.responses import content_response, json_response
from notifyd.http.routing import HttpRoute
from notifyd.model.notifications import Json

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class DaemonRoutes:
    """document: returns the OpenAPI document of the listener."""

    def __init__(self, control: Control, document: Callable[[], Json]) -> None:
        self._control, self._document = control, document

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute(
                "GET",
                "/v1/status",
                self._status,
                operation=Operation(
                    "Show the status",
                    query=NoParameters,
                    answers={HTTPStatus.OK: StatusAnswer},
                ),
            ),
            HttpRoute(
                "GET",
                "/openapi.json",
                self._describe,
                operation=Operation(
                    "Describe this API", query=NoParameters, answers={HTTPStatus.OK: DocumentAnswer}
                ),
            ),
            HttpRoute(
                "GET",
                "/healthz",
                self._health,
                operation=Operation(
                    "Say whether all is well",
                    query=NoParameters,
                    answers={
                        HTTPStatus.OK: HealthAnswer,
                        HTTPStatus.SERVICE_UNAVAILABLE: HealthAnswer,
                    },
                ),
            ),
            HttpRoute(
                "GET",
                "/metrics",
                self._metrics,
                operation=Operation(
                    "Show metrics for Prometheus",
                    query=NoParameters,
                    answers={HTTPStatus.OK: TEXT},
                ),
            ),
            HttpRoute(
                "POST",
                "/v1/reload",
                self._reload,
                operation=Operation(
                    "Read the configuration again",
                    query=NoParameters,
                    answers={HTTPStatus.OK: ReloadAnswer},
                    errors=(HTTPStatus.FORBIDDEN,),
                ),
            ),
        ]

    async def _describe(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        return json_response(self._document())

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
