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
    """Named groups of a pattern, or any of `path`, `line`, `pid`, `name`, `unit`. Each distinct
    value is a group with windows of its own. Default: `["name"]` for process triggers."""
    max_groups: Count | None = None
    """Groups kept at once; further values share one group. Default: 1000."""
    threshold: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Nothing happens until this many matches lie within `window`; they then count as one firing.
    Default: 1, at most 10,000."""
    window: Positive | None = None
    """Window of `threshold`. Default: `"1m"`."""
    debounce: Duration | None = None
    """Wait until no match has come for this long, then make one notification of all of them.
    Default: `"2s"` for log and file triggers, else `"0s"`."""
    max_wait: Duration | None = None
    """Longest time from the first match that `debounce` may take. Default: four times `debounce`,
    at least `"30s"`."""
    cooldown: Duration | None = None
    """After a notification, count matches for this long and report them at its end. Doubles while
    matches continue. Default: `"5m"`; schedule triggers `"0s"`."""
    cooldown_max: Duration | None = None
    """Longest `cooldown`. After this long without a match it starts small again.
    Default: `"1h"`."""
    mute: Names | None = None
    """Names of `[mute.…]` tables. What falls inside is held and reported in one digest when the
    window ends; `urgent` passes. Default: none."""
    repeat: Annotated[list[Positive], LISTED] | None = None
    """For conditions that last, such as a silent log: remind after each of these durations; the
    last one repeats. Default: no reminders."""
    resolve: bool | None = None
    """Report the end of a condition. Default: `true`."""


class TriggerConfig(ShapingConfig):
    own_debounce: ClassVar[float] = 2.0
    own_cooldown: ClassVar[float] = 300.0
    own_group_by: ClassVar[tuple[str, ...]] = ()

    title: Template | None = None
    """Template of the title."""
    body: Template | None = None
    """Template of the body."""
    priority: PriorityName = Priority.DEFAULT
    """`min`, `low`, `default`, `high` or `urgent`."""
    data: Data = Field(default_factory=dict)
    """Table merged into the `data` of the notification."""

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
    """Files to read: absolute or beginning with `~`, globs with `**` allowed. They need not exist
    yet. Either `paths` or `journal` is required."""
    journal: SomeUnitPatterns = Field(default_factory=list)
    """Units of the systemd journal to read instead of files: names, globs, or `"*"` for all. A name
    without a suffix means a service."""
    patterns: SomePatterns = Field(default_factory=list)
    """Python regular expressions, searched for in each line. Named groups become fields."""
    exclude: Patterns = Field(default_factory=list)
    """Regular expressions: a line that one of them finds is no match."""
    read_from: Literal["end", "beginning"] = "end"
    """Where to start in files and entries that exist when the trigger first sees them. Files that
    appear later are read from their beginning."""
    catch_up: Size = 64 << 20
    """How much of a file is read at most when reading starts at its beginning."""
    max_line: Annotated[Size, Field(ge=80, le=256 << 10)] = 64 << 10
    """Patterns see this much of a line; between 80 B and 256 KiB."""
    encoding: Encoding = "utf-8"
    """Python codec in which a newline is the single byte LF. Files only."""
    before: Lines = 0
    """Lines before a match that come with it; at most 50."""
    after: Lines = 0
    """Lines after a match that come with it; at most 50."""
    multiline: Pattern | None = None
    """Regular expression of a record's first line. Patterns then see the whole record. A record
    ends where the next begins or after one second without a line."""
    flush_partial: Positive | None = None
    """An unfinished last line counts after this long. Default: never. Files only."""
    stale: Positive | None = None
    """Report when no line has come for this long."""
    stale_match: bool = False
    """With `stale`: only matching lines count."""

    @property
    def lasting(self) -> bool:
        return self.stale is not None


class FileTriggerConfig(TriggerConfig):
    type: Literal["file"] = "file"
    paths: SomePathPatterns
    """Files to watch: globs with `**` allowed. They need not exist yet."""
    events: Annotated[list[Change], SOME, DISTINCT, LISTED] | None = None
    """Any of `created`, `modified`, `deleted`. Default: created and deleted, and modified where
    `settle` is set."""
    ignore: IgnorePatterns = Field(default_factory=list)
    """Globs of paths to leave out. A name without a slash is ignored in every directory."""
    settle: Duration | None = None
    """A file must stay unchanged for this long before it counts."""


class ProcessTriggerConfig(TriggerConfig):
    own_debounce: ClassVar[float] = 0.0
    own_group_by: ClassVar[tuple[str, ...]] = ("name",)

    type: Literal["process"] = "process"
    name: ProcessName | None = None
    """File name of the program. One of `name`, `cmdline`, `pidfile`, `pid` is required."""
    cmdline: Pattern | None = None
    """Regular expression, searched for in the command line."""
    pidfile: AbsolutePath | None = None
    """File that holds the process id."""
    pid: Annotated[int, Field(ge=1, le=1 << 22)] | None = None
    """Process id."""
    user: User | None = None
    """Only processes of this user: a name or a numeric id."""
    on: Annotated[list[Moment], SOME, DISTINCT, LISTED] = Field(default_factory=_on_exit)
    """Any of `exit`, `failure`, `start`."""


class ScheduleTriggerConfig(TriggerConfig):
    own_debounce: ClassVar[float] = 0.0
    own_cooldown: ClassVar[float] = 0.0

    type: Literal["schedule"] = "schedule"
    cron: Cron
    """Five fields: minute, hour, day of the month, month, day of the week. A time that passed while
    the daemon was not running is reported once, late."""
    timezone: Zone | None = None
    """IANA time zone. Default: that of the machine."""


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
