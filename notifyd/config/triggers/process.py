"""The keys of triggers on processes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from notifyd.config.sections import LineCount
from notifyd.config.triggers.base import TriggerConfig
from notifyd.config.values.lists import NON_EMPTY, STRING_OR_LIST, UNIQUE
from notifyd.config.values.paths import AbsolutePath
from notifyd.config.values.system import ProcessName, User
from notifyd.config.values.text import Pattern
from notifyd.model.notifications import Priority

ProcessEventName = Literal["exit", "failure", "start"]


def _on_exit() -> list[ProcessEventName]:
    return ["exit"]


class ProcessTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_failure_priority: ClassVar[Priority] = Priority.HIGH
    default_group_by: ClassVar[tuple[str, ...]] = ("name", "outcome")

    type: Literal["process"] = "process"
    name: ProcessName | None = None
    """File name of the program. One of `name`, `cmdline`, `pidfile`, `pid` is required; `name` and
    `cmdline` together select processes that match both."""
    cmdline: Pattern | None = None
    """Regular expression, searched for in the command line."""
    pidfile: AbsolutePath | None = None
    """File that holds the process id."""
    pid: Annotated[int, Field(ge=1, le=1 << 22)] | None = None
    """Process id."""
    user: User | None = None
    """Only processes of this user: a name or a numeric id."""
    on: Annotated[list[ProcessEventName], NON_EMPTY, UNIQUE, STRING_OR_LIST] = Field(
        default_factory=_on_exit
    )
    """Any of `exit`, `failure`, `start`."""
    tail: AbsolutePath | None = None
    """File, such as the log of the job, whose last lines are shown with the exit."""
    tail_lines: LineCount = 5
    """How many lines of `tail` to show; at most 50."""
