"""The triggers' keys, by type. What a pattern, template or path must be is checked here too."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from notifyd.config.sections import AbsolutePath, Section
from notifyd.config.units import Duration, Size
from notifyd.model import Json, Priority


def _listed(value: object) -> object:
    """Take one string where a list of them is meant."""
    return [value] if isinstance(value, str) else value


Strings = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
PriorityName = Annotated[Priority, BeforeValidator(lambda v: Priority(v) if v in list(Priority) else v)]


class Shaping(Section):
    """The shaping keys as written; None where the trigger leaves them to [defaults] or its type."""

    group_by: Strings | None = None
    max_groups: Annotated[int, Field(ge=1, le=100_000)] | None = None
    threshold: Annotated[int, Field(ge=1, le=10_000)] | None = None
    window: Annotated[Duration, Field(gt=0)] | None = None
    debounce: Duration | None = None
    max_wait: Duration | None = None
    cooldown: Duration | None = None
    cooldown_max: Duration | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.debounce is not None and self.max_wait is not None and self.max_wait < self.debounce:
            raise ValueError("max_wait is less than debounce: it must be at least as long")
        return self


class Trigger(Shaping):
    title: str | None = None
    body: str | None = None
    priority: PriorityName = Priority.DEFAULT
    data: Json = Field(default_factory=dict)


class LogTrigger(Trigger):
    type: Literal["log"] = "log"
    paths: Strings
    patterns: Strings
    exclude: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    read_from: Literal["end", "beginning"] = "end"
    catch_up: Size = 64 << 20
    max_line: Annotated[Size, Field(ge=80, le=256 << 10)] = 64 << 10
    encoding: str = "utf-8"


class FileTrigger(Trigger):
    type: Literal["file"] = "file"
    paths: Strings
    events: list[Literal["created", "modified", "deleted"]] | None = None
    ignore: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    settle: Duration | None = None


class ProcessTrigger(Trigger):
    type: Literal["process"] = "process"
    name: str | None = None
    cmdline: str | None = None
    pidfile: AbsolutePath | None = None
    pid: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None
    on: list[Literal["exit", "failure", "start"]] = Field(default_factory=lambda: ["exit"])


AnyTrigger = Annotated[LogTrigger | FileTrigger | ProcessTrigger, Field(discriminator="type")]
