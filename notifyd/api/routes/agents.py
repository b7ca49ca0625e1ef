"""Events of coding agents, as their hooks report them."""

from collections.abc import Hashable
from http import HTTPStatus

from aiohttp import web

from notifyd.api.agent_reports import AgentReportBody, agent_response, parse_event
from notifyd.api.answers import AgentAnswerBody
from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.schemas import NoParameters
from notifyd.http.errors import HttpError
from notifyd.http.operations import Operation
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.request import Request
from notifyd.http.routing import HttpRoute
from notifyd.model.agents import AgentEvent


class AgentRoutes:
    """Events have a rate of their own, so that a busy agent does not hold up messages.

    Activity, of which there is most, has another one, so that it does not hold up questions.
    """

    def __init__(self, control: Control, limiter: RateLimiter[Hashable]) -> None:
        self._control, self._limiter = control, limiter

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute(
                "POST",
                "/v1/agents/{event}",
                self._receive,
                operation=Operation(
                    "Report an event of a coding agent",
                    query=NoParameters,
                    body=AgentReportBody,
                    answers={HTTPStatus.ACCEPTED: AgentAnswerBody},
                    errors=(HTTPStatus.TOO_MANY_REQUESTS,),
                ),
            )
        ]

    async def _receive(self, request: Request[ApiCaller]) -> web.Response:
        name = request.parameters["event"]
        share = AgentEvent.ACTIVITY.value if name == AgentEvent.ACTIVITY else "agents"
        await self._limiter.take((share, request.client.share_key))
        request.query(NoParameters)
        try:
            event = parse_event(name)
        except ValueError as error:
            raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_field", str(error)) from None
        body = await request.json(AgentReportBody)
        answer = await self._control.report_agent(body.report(event), request.client.peer)
        return agent_response(answer)
