"""What the inbox page's requests may carry."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from notifyd.http.schemas import RequestSchema
from notifyd.relay.changes import Action
from notifyd.relay.inbox_queries import InboxFilter, View

_LARGEST = 2**53 - 1
"""The largest number that the page's script holds exactly."""

Number = Annotated[int, Field(ge=0, le=_LARGEST)]
ShortText = Annotated[str, Field(max_length=200)]


class InboxSchema(RequestSchema):
    """Not strict: the values of a query are text."""

    model_config = ConfigDict(strict=False)


class PageParameters(InboxSchema):
    """Which part of the inbox to list. before: only older than the notification of this number."""

    view: View = View.INBOX
    workspace: ShortText = ""
    source: ShortText = ""
    channel: ShortText = ""
    priority: ShortText = ""
    outcome: ShortText = ""
    q: ShortText = ""
    before: Number | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    def filter(self) -> InboxFilter:
        return InboxFilter(
            self.view,
            self.workspace,
            self.source,
            self.channel,
            self.priority,
            self.outcome,
            self.q,
        )


class SummaryParameters(InboxSchema):
    period: Literal["day", "month"] = "day"


class ChangeRequest(InboxSchema):
    """What to do, and with which notifications: exactly one of the other fields.

    seqs: their numbers. up_to: all in the inbox up to this number, to be marked as read. revision:
    those that the change of this number met, to undo it with the opposite action.
    """

    action: Action
    seqs: Annotated[list[Number], Field(max_length=1000)] | None = None
    up_to: Number | None = None
    revision: Annotated[Number, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        given = [self.seqs, self.up_to, self.revision]
        if sum(each is not None for each in given) != 1:
            raise ValueError("seqs, up_to, revision: give exactly one of them")
        if self.up_to is not None and self.action is not Action.READ:
            raise ValueError("up_to: only for the action read")
        return self


class AnswerRequest(InboxSchema):
    """An answer to a question of a workspace.

    workspace_seq: of the notification that asks it. Its key may be another question's by now.
    """

    workspace_id: ShortText
    answer: ShortText
    workspace_seq: Number | None = None


class WaitParameters(InboxSchema):
    """wait: seconds to wait for an answer, or such a time with its unit, as `60s`."""

    wait: Annotated[
        float, BeforeValidator(lambda text: str(text).removesuffix("s")), Field(ge=0, le=60)
    ] = 0.0
