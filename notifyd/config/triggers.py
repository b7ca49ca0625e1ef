"""The triggers' keys, by type, and their shaping once all defaults have been applied."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field

from notifyd.config.sections import Count, Positive, Section
from notifyd.config.times import Cron, Duration, Size, Zone
from notifyd.config.values import (
    DISTINCT,
    LISTED,
    SOME,
    AbsolutePath,
    Data,
    Encoding,
    IgnorePatterns,
    Names,
    Pattern,
    Patterns,
    PriorityName,
    ProcessName,
    SomePathPatterns,
    SomePatterns,
    SomeUnitPatterns,
    Template,
    User,
)
from notifyd.model.notifications import Priority

Change = Literal["created", "modified", "deleted"]
Moment = Literal["exit", "failure", "start"]
Lines = Annotated[int, Field(ge=0, le=50)]
T = TypeVar("T")


def _on_exit() -> list[Moment]:
    return ["exit"]


@dataclass(frozen=True, slots=True)
class ResolvedShaping:
    """A trigger's shaping as it is applied; times are seconds."""

    group_by: tuple[str, ...]
    max_groups: int
    threshold: int
    window: float
    debounce: float
    max_wait: float
    cooldown: float
    cooldown_max: float
    mute: tuple[str, ...]
    repeat: tuple[float, ...]
    resolve: bool


class ShapingConfig(Section):
    """The shaping keys as written; None where the trigger leaves them to [defaults] or its type."""

    group_by: Names | None = None
    max_groups: Count | None = None
    threshold: Annotated[int, Field(ge=1, le=10_000)] | None = None
    window: Positive | None = None
    debounce: Duration | None = None
    max_wait: Duration | None = None
    cooldown: Duration | None = None
    cooldown_max: Duration | None = None
    mute: Names | None = None
    repeat: Annotated[list[Positive], LISTED] | None = None
    resolve: bool | None = None


class TriggerConfig(ShapingConfig):
    own_debounce: ClassVar[float] = 2.0
    own_cooldown: ClassVar[float] = 300.0
    own_group_by: ClassVar[tuple[str, ...]] = ()

    title: Template | None = None
    body: Template | None = None
    priority: PriorityName = Priority.DEFAULT
    data: Data = Field(default_factory=dict)

    def shaping(self, defaults: ShapingConfig) -> ResolvedShaping:
        """Apply [defaults], then the type's own."""
        debounce = _first(self.debounce, defaults.debounce, own=self.own_debounce)
        cooldown = _first(self.cooldown, defaults.cooldown, own=self.own_cooldown)
        own_max_wait = max(30.0, 4 * debounce)
        cooldown_max = _first(self.cooldown_max, defaults.cooldown_max, own=3600.0)
        return ResolvedShaping(
            group_by=tuple(_first(self.group_by, defaults.group_by, own=self.own_group_by)),
            max_groups=_first(self.max_groups, defaults.max_groups, own=1000),
            threshold=_first(self.threshold, defaults.threshold, own=1),
            window=_first(self.window, defaults.window, own=60.0),
            debounce=debounce,
            max_wait=_first(self.max_wait, defaults.max_wait, own=own_max_wait),
            cooldown=cooldown,
            cooldown_max=max(cooldown, cooldown_max),
            mute=tuple(_first(self.mute, defaults.mute, own=[])),
            repeat=tuple(_first(self.repeat, defaults.repeat, own=[])),
            resolve=_first(self.resolve, defaults.resolve, own=True),
        )

    @property
    def lasting(self) -> bool:
        """Whether it tells of what lasts, so that `repeat` and `resolve` mean something."""
        return False


class LogTriggerConfig(TriggerConfig):
    type: Literal["log"] = "log"
    paths: SomePathPatterns = Field(default_factory=list)
    journal: SomeUnitPatterns = Field(default_factory=list)
    patterns: SomePatterns = Field(default_factory=list)
    exclude: Patterns = Field(default_factory=list)
    read_from: Literal["end", "beginning"] = "end"
    catch_up: Size = 64 << 20
    max_line: Annotated[Size, Field(ge=80, le=256 << 10)] = 64 << 10
    encoding: Encoding = "utf-8"
    before: Lines = 0
    after: Lines = 0
    multiline: Pattern | None = None
    flush_partial: Positive | None = None
    stale: Positive | None = None
    stale_match: bool = False

    @property
    def lasting(self) -> bool:
        return self.stale is not None


class FileTriggerConfig(TriggerConfig):
    type: Literal["file"] = "file"
    paths: SomePathPatterns
    events: Annotated[list[Change], SOME, DISTINCT, LISTED] | None = None
    ignore: IgnorePatterns = Field(default_factory=list)
    settle: Duration | None = None


class ProcessTriggerConfig(TriggerConfig):
    own_debounce: ClassVar[float] = 0.0
    own_group_by: ClassVar[tuple[str, ...]] = ("name",)

    type: Literal["process"] = "process"
    name: ProcessName | None = None
    cmdline: Pattern | None = None
    pidfile: AbsolutePath | None = None
    pid: Annotated[int, Field(ge=1, le=1 << 22)] | None = None
    user: User | None = None
    on: Annotated[list[Moment], SOME, DISTINCT, LISTED] = Field(default_factory=_on_exit)


class ScheduleTriggerConfig(TriggerConfig):
    own_debounce: ClassVar[float] = 0.0
    own_cooldown: ClassVar[float] = 0.0

    type: Literal["schedule"] = "schedule"
    cron: Cron
    timezone: Zone | None = None


AnyTrigger = Annotated[
    LogTriggerConfig | FileTriggerConfig | ProcessTriggerConfig | ScheduleTriggerConfig,
    Field(discriminator="type"),
]

TYPES: dict[
    str, type[LogTriggerConfig | FileTriggerConfig | ProcessTriggerConfig | ScheduleTriggerConfig]
] = {
    "log": LogTriggerConfig,
    "file": FileTriggerConfig,
    "process": ProcessTriggerConfig,
    "schedule": ScheduleTriggerConfig,
}


def _first(*chosen: T | None, own: T) -> T:
    return next((value for value in chosen if value is not None), own)
