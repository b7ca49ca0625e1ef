"""What a daemon's report and the page's requests about the fleet may carry."""

import json
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from notifyd.http.schemas import RequestSchema
from notifyd.relay.fleet_state import INTERVAL, Announcement, FleetReport, WorstTrigger
from notifyd.relay.inbox_schemas import InboxSchema, ShortText

Seconds = Annotated[float, Field(ge=0, le=1e12)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]

_LONGEST_PAUSE = 365 * 86_400.0


class WorstTriggerSchema(RequestSchema):
    trigger: ShortText
    since: Seconds = 0.0
    outcome: ShortText = ""


class ReportRequest(InboxSchema):
    """A daemon's report; all that it leaves out has a default. Unknown fields are ignored.

    ephemeral: the workspace comes and goes, and is never missing.
    """

    version: ShortText = ""
    host: ShortText = ""
    state: ShortText = "ok"
    announcement: Announcement = Announcement.NONE
    interval: Annotated[float, Field(ge=5, le=86_400)] = INTERVAL
    waiting: Count = 0
    oldest_age: Seconds = 0.0
    token: ShortText = "ok"  # noqa: S105 - its state
    worst: WorstTriggerSchema | None = None
    problems: Count = 0
    slept: Seconds = 0.0
    ephemeral: bool = False

    def report(self) -> FleetReport:
        fields = self.model_dump(exclude={"worst", "ephemeral"})
        worst = self.worst
        return FleetReport(
            **fields,
            worst=None
            if worst is None
            else WorstTrigger(worst.trigger, worst.since, worst.outcome),
        )


class FleetParameters(InboxSchema):
    """since: only workspaces that changed at this time of the relay's clock or later."""

    since: Seconds = 0.0


class WatchRequest(InboxSchema):
    """What to do with a workspace. seconds: of a pause; without them it lasts until `resume`."""

    workspace_id: ShortText
    action: Literal["pause", "resume", "ephemeral", "permanent", "forget"]
    seconds: Annotated[float, Field(gt=0, le=_LONGEST_PAUSE)] | None = None


def format_report(report: FleetReport) -> str:
    """Return a report as it is stored."""
    return json.dumps({**asdict(report), "worst": report.worst and report.worst._asdict()})


def parse_report(stored: str) -> FleetReport:
    """Read a stored report, without what this version does not know."""
    try:
        return ReportRequest.model_validate_json(stored).report()
    except ValidationError:
        return FleetReport()
