"""What triggers did, and muting them."""

from aiohttp import web

from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.schemas import ExplainParameters, MuteRequest, NoParameters
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import HttpRoute


class TriggerRoutes:
    def __init__(self, control: Control) -> None:
        self._control = control

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute("GET", "/v1/explain", self._explain),
            HttpRoute("POST", "/v1/mute", self._mute),
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
