"""What a route takes and answers, for the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import BaseModel

from notifyd.http.schemas import RequestSchema

TEXT = "text/plain"
EVENTS = "text/event-stream"

Content = type[BaseModel] | str
"""A schema of JSON, or a media type of text."""


@dataclass(frozen=True, slots=True)
class Operation:
    """query, body: what is accepted; None for nothing. answers: by status. errors: other statuses.

    source: the documentation of the service whose form this is, which describes the answers.
    """

    summary: str
    query: type[RequestSchema] | None = None
    body: Content | None = None
    answers: Mapping[HTTPStatus, Content] = field(default_factory=dict)
    errors: tuple[HTTPStatus, ...] = ()
    source: str = ""
