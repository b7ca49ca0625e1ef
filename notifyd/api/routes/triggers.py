"""What triggers did, and muting them."""

from collections.abc import Hashable
from http import HTTPStatus

from aiohttp import web

from notifyd.api.answers import AcceptedAnswer, ExplainAnswer, MuteAnswer
from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.schemas import ExplainParameters, MuteRequest, NoParameters
from notifyd.api.times import success
from notifyd.http.operations import Operation
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.request import Request
from notifyd.http.responses import json_response
from notifyd.http.routing import HttpRoute
from notifyd.model.notifications import Json


class TriggerRoutes:
    def __init__(self, control: Control, limiter: RateLimiter[Hashable]) -> None:
        self._control, self._limiter = control, limiter

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute(
                "GET",
                "/v1/explain",
                self._explain,
                operation=Operation(
                    "Explain why there was or was no notification",
                    query=ExplainParameters,
                    answers={HTTPStatus.OK: ExplainAnswer},
                    errors=(HTTPStatus.FORBIDDEN,),
                ),
            ),
            HttpRoute(
                "POST",
                "/v1/mute",
                self._mute,
                operation=Operation(
                    "Hold back notifications for a while",
                    query=NoParameters,
                    body=MuteRequest,
                    answers={HTTPStatus.OK: MuteAnswer},
                    errors=(HTTPStatus.FORBIDDEN,),
                ),
            ),
            HttpRoute(
                "POST",
                "/v1/triggers/{name}/test",
                self._test,
                operation=Operation(
                    "Send what a trigger would send",
                    query=NoParameters,
                    answers={HTTPStatus.ACCEPTED: AcceptedAnswer},
                    errors=(HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS),
                ),
            ),
        ]

    async def _explain(self, request: Request[ApiCaller]) -> web.Response:
        trigger = request.query(ExplainParameters).trigger
        request.client.require_admin("see what triggers matched")
        return success(triggers=await self._control.explain(trigger))

    async def _mute(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        request.client.require_admin("mute")
        mute = await request.json(MuteRequest)
        return success(**await self._control.mute(mute.trigger or "", mute.seconds))

    async def _test(self, request: Request[ApiCaller]) -> web.Response:
        request.query(NoParameters)
        request.client.require_admin("test a trigger")
        await self._limiter.take(request.client.share_key)
        accepted = await self._control.test_trigger(request.parameters["name"], request.client.peer)
        answer: Json = {"success": True, "id": accepted.id, "status": accepted.status}
        return json_response(answer, HTTPStatus.ACCEPTED)
