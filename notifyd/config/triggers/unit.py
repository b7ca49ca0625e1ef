"""The keys of triggers on units of systemd."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from notifyd.config.sections import LineCount
from notifyd.config.triggers.base import TriggerConfig
from notifyd.config.values.lists import NON_EMPTY, STRING_OR_LIST, UNIQUE
from notifyd.config.values.system import NonEmptyUnitPatterns
from notifyd.model.notifications import Priority

UnitEventName = Literal["failed", "started", "stopped"]


def _on_failed() -> list[UnitEventName]:
    return ["failed"]


class UnitTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_failure_priority: ClassVar[Priority] = Priority.HIGH
    default_group_by: ClassVar[tuple[str, ...]] = ("unit",)

    type: Literal["unit"] = "unit"
    units: NonEmptyUnitPatterns
    """Units of systemd to watch: names, or globs such as `worker@*.service`. A name without a
    suffix means a service. They need not exist yet."""
    on: Annotated[list[UnitEventName], NON_EMPTY, UNIQUE, STRING_OR_LIST] = Field(
        default_factory=_on_failed
    )
    """Any of `failed`, `started`, `stopped`. `failed` is a condition: `repeat`, `resolve`, `for`
    and `clear` apply. A restart loop is one failure with a count."""
    tail_lines: LineCount = 5
    """How many of the last lines in the unit's journal to show with a failure; at most 50."""
    bus: Literal["system", "user"] | None = None
    """Whose units: those of the machine, or those of the daemon's user (`systemctl --user`).
    Default: `"user"` for a daemon in a user's own session, else `"system"`."""

    @property
    def has_conditions(self) -> bool:
        return "failed" in self.on
