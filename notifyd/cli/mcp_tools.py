"""The tools of `notifyd mcp`: what an agent reads about them, and what each does.

A tool takes its arguments as a model, whose JSON schema the agent gets, and returns a ToolAnswer.
Its errors are NotifydErrors of one sentence.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from notifyd.cli.status import format_status
from notifyd.client.http import send_request
from notifyd.client.sending import SentNotification, send
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Status
from notifyd.text.suggestions import did_you_mean

INSTRUCTIONS = (
    "notifyd sends push notifications to the phone of the person who runs this workspace. Use "
    "`notify` when something happened that they want to know while they are away: long work has "
    "ended, it failed, or you cannot go on without them. One notification says it; do not report "
    "single steps, and put no secrets in. notifyd stores each notification before it answers, "
    "sends it once, and repeats the attempt if the network is down: do not send it again."
)

_LONGEST_TITLE = 200
_LONGEST_BODY = 2_000
_LONGEST_WAIT = 60
_LONGEST_LIST = 100
_NO_DEVICE = "accepted, but no device is registered: the person has to install the app and sign in"

Json = dict[str, object]


class ToolArguments(BaseModel):
    """Arguments of a tool; unknown ones are mistakes."""

    model_config = ConfigDict(extra="forbid")


class NotifyArguments(ToolArguments):
    title: Annotated[
        str,
        Field(
            description='What happened, in a few words: "Tests failed: 3 of 512". Phones show '
            f"little more; {_LONGEST_TITLE} characters are kept.",
        ),
    ] = ""
    body: Annotated[
        str,
        Field(
            description="Details: the cause, the last lines of output, what you need from the "
            f"person. Plain text; about {_LONGEST_BODY} characters are kept.",
        ),
    ] = ""
    priority: Annotated[
        Literal["min", "low", "default", "high", "urgent"],
        Field(
            description="default: for news. high: you wait for the person. urgent: also while "
            "notifications are muted, only for what cannot wait. low and min: may be read later."
        ),
    ] = "default"
    url: Annotated[str, Field(description="A link that the notification opens.")] = ""
    key: Annotated[
        str,
        Field(
            description="Names what the notification is about, such as `build`. It replaces an "
            "earlier one with the same key that was not sent yet, and `cancel` takes it."
        ),
    ] = ""
    wait: Annotated[
        float,
        Field(
            ge=0,
            le=_LONGEST_WAIT,
            description="Seconds to wait for the delivery, to learn whether it reached a device. "
            "0, the default, returns as soon as it is stored; that is enough almost always.",
        ),
    ] = 0

    @model_validator(mode="after")
    def _has_text(self) -> "NotifyArguments":
        if not (self.title.strip() or self.body.strip()):
            raise ValueError("give a title, a body or both")
        return self


class CancelArguments(ToolArguments):
    id: Annotated[str, Field(description="The id that `notify` returned.")] = ""
    key: Annotated[str, Field(description="The key that it was sent with, in place of its id.")] = (
        ""
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "CancelArguments":
        if bool(self.id) == bool(self.key):
            raise ValueError("give either the id or the key of a notification")
        return self


class HistoryArguments(ToolArguments):
    limit: Annotated[
        int, Field(ge=1, le=_LONGEST_LIST, description="How many, the newest first.")
    ] = 10
    status: Annotated[
        Status | None,
        Field(
            description="Only those with this status. held and queued: not sent yet. no_device: "
            "accepted, but no phone is registered. merged: counted in a digest. expired, failed: "
            "never delivered."
        ),
    ] = None
    trigger: Annotated[
        str,
        Field(
            description="Only those of this trigger of notifyd's configuration; `socket` for what "
            "programs and this tool sent."
        ),
    ] = ""
    since: Annotated[
        str, Field(description='Only the last so long, such as "30m", "2h" or "7d".')
    ] = ""


class StatusArguments(ToolArguments):
    pass


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """text: for the agent to read. content: the same as JSON, if the tool declares its shape."""

    text: str
    content: Json | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """call: takes the validated arguments and the socket that was named; it may block.

    output: the JSON schema of ToolAnswer.content. read_only, destructive, idempotent: the hints of
    the protocol.
    """

    name: str
    title: str
    description: str
    arguments: type[ToolArguments]
    call: Callable[..., ToolAnswer]
    output: Json | None
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False


class ToolArgumentsError(NotifydError):
    """The arguments of a call are wrong."""


def call_tool(tool: Tool, arguments: Json, socket_path: str | None) -> ToolAnswer:
    """Check the arguments and call a tool. NotifydError: a sentence for the agent."""
    try:
        checked = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        raise ToolArgumentsError(_explain(tool, error)) from None
    return tool.call(checked, socket_path)


def _explain(tool: Tool, error: ValidationError) -> str:
    """Say in one sentence what is wrong with the arguments."""
    mistakes = []
    for each in error.errors(include_url=False, include_input=False):
        name = ".".join(map(str, each["loc"]))
        if each["type"] == "extra_forbidden":
            known = list(tool.arguments.model_fields)
            hint = did_you_mean(name, known) or (
                f"; it takes {', '.join(known)}" if known else "; it takes none"
            )
            mistakes.append(f"unknown argument {name!r}{hint}")
            continue
        reason = each["msg"].removeprefix("Value error, ")
        mistakes.append(f"{name}: {reason[:1].lower()}{reason[1:]}" if name else reason)
    return f"{tool.name}: {'; '.join(mistakes)}"


def _notify(arguments: NotifyArguments, socket_path: str | None) -> ToolAnswer:
    sent = send(
        arguments.body,
        title=arguments.title,
        priority=arguments.priority,
        url=arguments.url,
        key=arguments.key,
        wait=arguments.wait,
        socket=socket_path,
    )
    status, sentence = _outcome(sent, waited=arguments.wait > 0)
    return ToolAnswer(
        f"{sentence} (id {sent.id})", {"id": sent.id, "status": status, "message": sentence}
    )


def _outcome(sent: SentNotification, *, waited: bool) -> tuple[str, str]:
    """Return the status of a notification, and a sentence that says what it means."""
    answer = sent.answer
    if sent.status == "spooled":
        return sent.status, (
            "no notifyd daemon answers; the notification is kept on disk and is sent if the daemon "
            "starts within a day (`notifyd run`)"
        )
    if answer.get("over_budget"):
        return sent.status, "the budget is used up; it will arrive in a digest, counted with others"
    if "devices" in answer:
        devices = answer["devices"]
        if not devices:
            return "no_device", str(answer.get("detail") or _NO_DEVICE)
        return "delivered", f"delivered to {devices} {'device' if devices == 1 else 'devices'}"
    if waited:
        return sent.status, "stored, but not delivered in time; notifyd goes on trying"
    return sent.status, "stored; notifyd sends it now"


def _cancel(arguments: CancelArguments, socket_path: str | None) -> ToolAnswer:
    which = (
        f"/{quote(arguments.id, safe='')}"
        if arguments.id
        else f"?key={quote(arguments.key, safe='')}"
    )
    _, answer = send_request("DELETE", f"/v1/notifications{which}", socket_path=socket_path)
    cancelled = [str(row.get("id", "")) for row in _rows(answer)]
    return ToolAnswer(f"cancelled {', '.join(cancelled)}", {"cancelled": cancelled})


def _history(arguments: HistoryArguments, socket_path: str | None) -> ToolAnswer:
    query = {
        name: value
        for name, value in arguments.model_dump(mode="json").items()
        if value is not None
    }
    target = f"/v1/notifications?{urlencode({k: v for k, v in query.items() if v != ''})}"
    _, answer = send_request("GET", target, socket_path=socket_path)
    content: Json = {"notifications": [_listed(row) for row in _rows(answer)]}
    return ToolAnswer(json.dumps(content, ensure_ascii=False), content)


def _listed(row: Json) -> Json:
    """Return what an agent wants to know of a notification."""
    created = row.get("created")
    listed: Json = {
        name: row[name]
        for name in ("id", "status", "priority", "trigger", "title", "body", "count", "last_error")
        if row.get(name) not in (None, "")
    }
    if isinstance(created, (int, float)):
        listed["created"] = datetime.fromtimestamp(created).astimezone().isoformat("T", "seconds")
    return listed


def _status(_arguments: StatusArguments, socket_path: str | None) -> ToolAnswer:
    _, status = send_request("GET", "/v1/status", socket_path=socket_path)
    return ToolAnswer(format_status(status))


def _rows(answer: Json) -> list[Json]:
    rows = answer.get("notifications")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _object(properties: Json, required: list[str]) -> Json:
    return {"type": "object", "properties": properties, "required": required}


_TEXT: Json = {"type": "string"}

TOOLS = (
    Tool(
        "notify",
        "Send a push notification",
        "Send a push notification to the phone of the person who runs this workspace. Returns once "
        "it is stored: notifyd then delivers it, also over an outage of the network, so do not "
        "send it twice.",
        NotifyArguments,
        _notify,
        _object(
            {
                "id": _TEXT,
                "status": {
                    **_TEXT,
                    "description": "queued; spooled if no daemon runs; with `wait` delivered or "
                    "no_device",
                },
                "message": {**_TEXT, "description": "What the status means."},
            },
            ["id", "status", "message"],
        ),
        open_world=True,
    ),
    Tool(
        "cancel",
        "Cancel a notification",
        "Cancel a notification of yours that was not sent yet, because it is no longer true. One "
        "that was sent already cannot be taken back, and the error says so.",
        CancelArguments,
        _cancel,
        _object({"cancelled": {"type": "array", "items": _TEXT}}, ["cancelled"]),
        destructive=True,
        idempotent=True,
    ),
    Tool(
        "history",
        "List notifications",
        "List the notifications of this workspace with their status, the newest first: what the "
        "person was told, also by triggers that watch logs, files and processes.",
        HistoryArguments,
        _history,
        _object(
            {"notifications": {"type": "array", "items": {"type": "object"}}}, ["notifications"]
        ),
        read_only=True,
        idempotent=True,
    ),
    Tool(
        "status",
        "Show the state of notifyd",
        "Show whether notifyd can deliver notifications, what is wrong and how to fix it, and what "
        "its triggers have counted. Use it if a notification did not arrive.",
        StatusArguments,
        _status,
        None,
        read_only=True,
        idempotent=True,
    ),
)
