"""What a request of a coding agent's hook says, and its answer."""

from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field

from notifyd.api.schemas import LocalRequest
from notifyd.http.errors import printable
from notifyd.http.responses import json_response
from notifyd.model.agents import (
    LONGEST_ID,
    TEXT_KEPT,
    AgentAnswer,
    AgentEvent,
    AgentReport,
    QuestionKind,
)
from notifyd.text.limits import clip, strip_control, strip_control_from_title
from notifyd.text.suggestions import did_you_mean
from notifyd.text.visible import visible_text

_LONGEST_PROJECT = 64
_LONGEST_DIRECTORY = 1024
_LONGEST_CAUSE = 64
_MOST_BACKGROUND = 1_000_000
_LATEST = 1e11


def _clip_text(value: str | None) -> str:
    return clip(strip_control(visible_text(value or "")).strip(), TEXT_KEPT)


def _clip_project(value: str | None) -> str:
    return clip(strip_control_from_title(value or ""), _LONGEST_PROJECT)


def _clip_directory(value: str | None) -> str:
    return (value or "")[:_LONGEST_DIRECTORY]


def _clip_cause(value: str | None) -> str:
    return strip_control_from_title(value or "")[:_LONGEST_CAUSE].strip()


def _parse_time(value: object) -> float:
    """Return the epoch seconds of a number, or of a text as in RFC 3339."""
    if value is None:
        return 0.0
    seconds = -1.0
    with suppress(ValueError, OverflowError):
        if isinstance(value, str):
            seconds = datetime.fromisoformat(value).timestamp()
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = float(value)
    if not 0 <= seconds <= _LATEST:
        shown = f" (got {printable(value)!r})" if isinstance(value, str) else ""
        raise ValueError(f"must be a time as in RFC 3339, or epoch seconds{shown}")
    return seconds


_Id = Annotated[str, Field(max_length=LONGEST_ID)]


class AgentReportBody(LocalRequest):
    """An event of a session. Long texts are clipped; time: epoch seconds, 0 for now."""

    agent: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    session: Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
    project: Annotated[str | None, AfterValidator(_clip_project)] = None
    directory: Annotated[str | None, AfterValidator(_clip_directory)] = None
    text: Annotated[str | None, AfterValidator(_clip_text)] = None
    kind: Annotated[QuestionKind, Field(strict=False)] | None = None
    cause: Annotated[str | None, AfterValidator(_clip_cause)] = None
    turn: _Id | None = None
    key: _Id | None = None
    background: Annotated[int, Field(ge=0, le=_MOST_BACKGROUND)] | None = None
    subagent: bool | None = None
    automatic: bool | None = None
    time: Annotated[
        float, BeforeValidator(_parse_time, json_schema_input_type=float | str | None)
    ] = 0.0

    def report(self, event: AgentEvent) -> AgentReport:
        return AgentReport(
            event,
            self.agent,
            self.session,
            project=self.project or "",
            directory=self.directory or "",
            text=self.text or "",
            kind=self.kind or QuestionKind.QUESTION,
            cause=self.cause or "",
            turn=self.turn or "",
            key=self.key or "",
            background=self.background or 0,
            subagent=bool(self.subagent),
            automatic=bool(self.automatic),
            time=self.time,
        )


def parse_event(text: str) -> AgentEvent:
    """Convert the name of an event; ValueError with a sentence for an unknown one."""
    if text in frozenset(AgentEvent):
        return AgentEvent(text)
    hint = did_you_mean(text, list(AgentEvent)) or f"; known are {', '.join(AgentEvent)}"
    raise ValueError(f"event: unknown{hint} (got {printable(text)!r})")


def agent_response(answer: AgentAnswer) -> web.Response:
    """Return the 202 that says what became of an event."""
    return json_response(
        {"success": True, "status": answer.status, "reason": answer.reason}, HTTPStatus.ACCEPTED
    )
