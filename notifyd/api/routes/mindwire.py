"""Notifications of mindwire, the platform's runtime for agents, as events of their sessions.

Source: daemon/NOTIFICATIONS.md and daemon/internal/agent/notification.go in
https://github.com/oblien/mindwire.
"""

import re
from collections.abc import Callable, Hashable
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, SecretStr

from notifyd.api.agent_reports import AgentReportBody, agent_response
from notifyd.api.control import Control
from notifyd.api.routes.webhooks import is_signed
from notifyd.api.tcp import TcpAuthorizer
from notifyd.http.open_connections import RemoteClient
from notifyd.http.operations import Operation
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.request import Request
from notifyd.http.routing import HttpRoute
from notifyd.http.schemas import RequestSchema, parse_json
from notifyd.model.agents import LONGEST_ID, AgentEvent, AgentReport, QuestionKind
from notifyd.model.notifications import TCP_PEER

_SIGNATURE = "X-Mindwire-Signature"
_CHANNEL = "X-Mindwire-Channel"
_AGENT = "mindwire"
"""The agent of a notification that names none."""
_LONGEST_AGENT = 32
_EVENTS = {
    "finished": AgentEvent.DONE,
    "error": AgentEvent.FAILED,
    "waiting_approval": AgentEvent.QUESTION,
    "waiting_feedback": AgentEvent.QUESTION,
    "waiting_input": AgentEvent.QUESTION,
}
_KINDS = {"waiting_approval": QuestionKind.PERMISSION, "waiting_input": QuestionKind.INPUT}


class _Notification(RequestSchema):
    """chatId: of the session. runId: of the turn. Other fields are ignored."""

    condition: Literal["finished", "error", "waiting_approval", "waiting_feedback", "waiting_input"]
    title: str = ""
    body: str = ""
    agent: str = ""
    chat_id: Annotated[str, Field(alias="chatId")] = ""
    run_id: Annotated[str, Field(alias="runId")] = ""

    def report(self, project: str) -> AgentReport:
        agent = re.sub(r"[^a-z0-9]+", "-", self.agent.lower()).strip("-")[:_LONGEST_AGENT]
        run = self.run_id[:LONGEST_ID]
        is_question = self.condition.startswith("waiting_")
        body = AgentReportBody(
            agent=agent or _AGENT,
            session=self.chat_id[:LONGEST_ID] or run or _AGENT,
            project=project,
            text=self.body or self.title,
            kind=_KINDS.get(self.condition),
            turn=run,
            key=run if is_question else "",
        )
        return body.report(_EVENTS[self.condition])


_RECEIVE = Operation("Receive an event of mindwire", source="https://github.com/oblien/mindwire")


class MindwireRoutes:
    """Admits what carries the token of the TCP clients, or the signature of the webhooks' secret.

    read_secret: returns the secret in force; None without `[webhooks] secret_file`.
    """

    def __init__(
        self,
        control: Control,
        limiter: RateLimiter[Hashable],
        authorizer: TcpAuthorizer,
        read_secret: Callable[[], SecretStr | None],
    ) -> None:
        self._control, self._limiter, self._authorizer = control, limiter, authorizer
        self._read_secret = read_secret

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [HttpRoute("POST", "/webhooks/mindwire", self._receive, operation=_RECEIVE)]

    async def _receive(self, request: Request[RemoteClient]) -> web.Response:
        signature, secret = request.headers.get(_SIGNATURE, ""), self._read_secret()
        is_announced = bool(signature) and secret is not None
        if not is_announced:
            self._authorizer.caller(request.http)
        raw = await request.body()
        if secret and is_announced and not is_signed(raw, signature, secret.get_secret_value()):
            self._authorizer.caller(request.http)  # it may carry the token, too
        await self._limiter.take(("agents", "tcp"))
        report = parse_json(_Notification, raw).report(request.headers.get(_CHANNEL, ""))
        return agent_response(await self._control.report_agent(report, TCP_PEER))
