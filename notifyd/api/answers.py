"""The answers of the local API, as the OpenAPI document shows them.

They have further values where `extra` is allowed: what status and history show grows.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from notifyd.model.notifications import Json, Priority, Status


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)

    success: bool


class AcceptedAnswer(_Answer):
    """A notification that is on disk. over_budget: it is counted in a digest."""

    id: str
    status: Literal["queued", "held"]
    over_budget: bool | None = None
    warning: str | None = None


class DeliveredAnswer(_Answer):
    """How a notification ended that was waited for, with the API's own figures."""

    id: str
    status: Status
    delivered: int | None = None
    failed: int | None = None
    devices: int | None = None
    error: str | None = None
    code: str | None = None


class NotificationRow(BaseModel):
    """A notification. Times are seconds since the epoch."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    id: str
    status: Status
    title: str | None
    body: str | None
    priority: Priority
    trigger: str
    count: int
    created: float
    attempts: int
    last_error: str
    data: Json


class NotificationsAnswer(_Answer):
    notifications: list[NotificationRow]


class ChangedNotification(BaseModel):
    id: str
    status: Status


class ChangedAnswer(_Answer):
    notifications: list[ChangedNotification]


class RetriedAnswer(_Answer):
    """paused_for: seconds that the API asked for."""

    retried: int
    more: bool
    waiting: int
    paused_for: float


class StatusAnswer(_Answer):
    version: str


class HealthAnswer(_Answer):
    status: str


class ReloadAnswer(_Answer):
    """problems: why the configuration was refused. restart: sections that need a restart."""

    reloaded: bool
    problems: list[str]
    restart: list[str]


class ExplainAnswer(_Answer):
    triggers: list[Json]


class MuteAnswer(_Answer):
    """until: when the mute ends, in seconds since the epoch; 0 if there is none."""

    trigger: str
    until: float


class PingAnswer(_Answer):
    heartbeat: str
    signal: str


class AgentAnswerBody(_Answer):
    """The result of an event of a coding agent."""


class WebhookAnswer(_Answer):
    """duplicate: whether it was received before."""

    duplicate: bool


class DocumentAnswer(BaseModel):
    """This document."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    openapi: str
