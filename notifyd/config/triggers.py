"""The keys of each trigger type, and shaping with all defaults applied."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from notifyd.config.comparison import CHANGED
from notifyd.config.cron import CronSchedule
from notifyd.config.resource_limits import (
    ResourceLimit,
    ResourceName,
    default_limits,
    parse_clear,
    parse_limit,
)
from notifyd.config.sections import Count, Positive, Section
from notifyd.config.times import Cron, Duration, PersistenceValue, Size, Zone
from notifyd.config.values import (
    NON_EMPTY,
    STRING_OR_LIST,
    UNIQUE,
    AbsolutePath,
    ApiPath,
    Command,
    ComparisonText,
    Data,
    Encoding,
    EnvironmentTable,
    EventPattern,
    FormatName,
    Formats,
    IgnorePatterns,
    JmesPath,
    Names,
    NonEmptyPathPatterns,
    NonEmptyPatterns,
    NonEmptyUnitPatterns,
    Pattern,
    Patterns,
    PriorityName,
    ProcessName,
    RecordStart,
    Template,
    User,
    When,
)
from notifyd.model.notifications import SOCKET, Priority
from notifyd.model.persistence import AT_ONCE, Persistence

FileChangeName = Literal["created", "modified", "deleted"]
CheckKind = Literal["exit", "nagios", "value", "changed"]
ProcessEventName = Literal["exit", "failure", "start"]
UnitEventName = Literal["failed", "started", "stopped"]
LineCount = Annotated[int, Field(ge=0, le=50)]
T = TypeVar("T")


def _text_format() -> list[FormatName]:
    return ["text"]


def _on_exit() -> list[ProcessEventName]:
    return ["exit"]


def _on_failed() -> list[UnitEventName]:
    return ["failed"]


@dataclass(frozen=True, slots=True)
class ResolvedShaping:
    """The shaping of one trigger with all defaults applied. Times are in seconds."""

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
    begin_after: Persistence
    end_after: Persistence


class ShapingConfig(Section):
    """The shaping keys as written. None: use the value of [defaults], then that of the type."""

    group_by: Names | None = None
    """Named groups of a pattern, or any of `path`, `line`, `pid`, `name`, `unit`, `outcome`. Each
    distinct value is a group with windows of its own. Default for process triggers:
    `["name", "outcome"]`; for unit triggers: `["unit"]`."""
    max_groups: Count | None = None
    """Groups kept at once; further values share one group, whose notifications say so and name
    none of them. Default: 1000."""
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
    matches continue. A worse outcome than the reported one, such as a failure after a success, does
    not wait for its end. Default: `"5m"`; schedule and heartbeat
    triggers `"0s"`."""
    cooldown_max: Duration | None = None
    """Longest `cooldown`. After this long without a match it starts small again.
    Default: `"1h"`."""
    mute: Names | None = None
    """Names of `[mute.…]` tables. What falls inside is held and reported in one digest when the
    window ends; `urgent` passes. Default: none."""
    repeat: Annotated[list[Positive], STRING_OR_LIST] | None = None
    """For conditions that last, such as a silent log: remind after each of these durations; the
    last one repeats. Default: no reminders."""
    resolve: bool | None = None
    """Report the end of a condition. Default: `true`."""
    for_: Annotated[PersistenceValue | None, Field(alias="for")] = None
    """A condition begins once it has held for this long (`"10m"`) or this often in a row
    (`"3 times"`). The wait starts again at each start of the daemon and after a gap in time.
    Not for heartbeats. Default: at once."""
    clear: PersistenceValue | None = None
    """A condition ends once the opposite has held for this long, or this often in a row.
    Default: at once."""


class TriggerConfig(ShapingConfig):
    """The keys that all types share. The class variables are the type's own shaping defaults."""

    default_debounce: ClassVar[float] = 2.0
    default_cooldown: ClassVar[float] = 300.0
    default_group_by: ClassVar[tuple[str, ...]] = ()

    title: Template | None = None
    """Template of the title."""
    body: Template | None = None
    """Template of the body."""
    priority: PriorityName = Priority.DEFAULT
    """`min`, `low`, `default`, `high` or `urgent`. Default for failures of processes, units and
    commands: `high`."""
    data: Data = Field(default_factory=dict)
    """Table merged into the `data` of the notification."""

    @property
    def failure_priority(self) -> Priority:
        """The priority if the matches include the outcome `failure` or `critical`."""
        return self.priority

    def shaping(self, defaults: ShapingConfig) -> ResolvedShaping:
        """Resolve each key: the trigger's own value, then `defaults`, then that of the type."""
        debounce = _first_set(self.debounce, defaults.debounce, self.default_debounce)
        cooldown = _first_set(self.cooldown, defaults.cooldown, self.default_cooldown)
        cooldown_max = _first_set(self.cooldown_max, defaults.cooldown_max, 3600.0)
        return ResolvedShaping(
            group_by=tuple(_first_set(self.group_by, defaults.group_by, self.default_group_by)),
            max_groups=_first_set(self.max_groups, defaults.max_groups, 1000),
            threshold=_first_set(self.threshold, defaults.threshold, 1),
            window=_first_set(self.window, defaults.window, 60.0),
            debounce=debounce,
            max_wait=_first_set(self.max_wait, defaults.max_wait, max(30.0, 4 * debounce)),
            cooldown=cooldown,
            cooldown_max=max(cooldown, cooldown_max),
            mute=tuple(_first_set(self.mute, defaults.mute, [])),
            repeat=tuple(_first_set(self.repeat, defaults.repeat, [])),
            resolve=_first_set(self.resolve, defaults.resolve, default=True),
            begin_after=_first_set(self.for_, defaults.for_, AT_ONCE),
            end_after=_first_set(self.clear, defaults.clear, AT_ONCE),
        )

    @property
    def has_conditions(self) -> bool:
        """Whether the trigger reports lasting conditions: `repeat` and `resolve` apply to these."""
        return False


class LogTriggerConfig(TriggerConfig):
    type: Literal["log"] = "log"
    paths: NonEmptyPathPatterns = Field(default_factory=list)
    """Files to read: absolute or beginning with `~`, globs with `**` allowed. They need not exist
    yet. Either `paths` or `journal` is required."""
    journal: NonEmptyUnitPatterns = Field(default_factory=list)
    """Units of the systemd journal to read instead of files: names, globs, or `"*"` for all. A name
    without a suffix means a service."""
    patterns: NonEmptyPatterns = Field(default_factory=list)
    """Python regular expressions, searched for in each line. Named groups become fields."""
    exclude: Patterns = Field(default_factory=list)
    """Regular expressions. A line that matches one of them does not count."""
    read_from: Literal["end", "beginning"] = "end"
    """Where to start in files and entries that exist when the trigger first sees them. Files that
    appear later are read from their beginning."""
    catch_up: Size = 64 << 20
    """How much of a file is read at most when reading starts at its beginning."""
    max_line: Annotated[Size, Field(ge=80, le=256 << 10)] = 64 << 10
    """Patterns see this much of a line's visible text; between 80 B and 256 KiB."""
    encoding: Encoding = "utf-8"
    """Python codec in which a newline is the single byte LF. Files only."""
    format: Formats = Field(default_factory=_text_format)
    """What wraps the lines: `json` for loggers that write JSON, `docker` for Docker's json-file
    logs, `cri` for those of containerd, CRI-O and Podman, `["docker", "json"]` or `["cri", "json"]`
    for containers that write JSON. Messages are unwrapped, and joined where the runtime split them,
    before patterns see them. The message of a JSON line is its `msg`, `message`, `event` or `log`;
    all keys are fields, nested ones as `http.status`, and `level` is one whatever the logger calls
    it. A line in another format counts as it is. Files only."""
    levels: Names = Field(default_factory=list)
    """With `format = "json"`: only lines with one of these levels count, such as
    `["error", "fatal"]`. Default: all lines."""
    raw: bool = False
    """Match the lines as they are in the file. Default: patterns, `multiline`, fields and
    notifications see what a terminal shows: without escape sequences, and of a line that carriage
    returns overwrite only the last text."""
    before: LineCount = 0
    """Lines before a match that come with it; at most 50."""
    after: LineCount = 0
    """Lines after a match that come with it; at most 50."""
    multiline: RecordStart | None = None
    """Regular expression of a record's first line, or a ready-made one: `python`, `java` and `go`
    keep the lines of a trace together, `timestamp` begins a record at each line that begins with a
    date or time. Patterns then see the whole record. A record ends where the next begins or after
    one second without a line."""
    flush_partial: Positive | None = None
    """An unfinished last line counts after this long. Default: never. Files only."""
    stale: Positive | None = None
    """Report when no line has come for this long."""
    stale_match: bool = False
    """With `stale`: only matching lines count."""
    stalled: Positive | None = None
    """Report when the number in the group `progress` of a pattern has stood still for this long,
    also in a progress bar or an unfinished line. Lines with a number are watched and not reported
    themselves. A number is watched from when it first moves until it is complete: `100%`, `7/7`,
    equal to the group `total`, or until a line has the group `done`."""

    @property
    def has_conditions(self) -> bool:
        return self.stale is not None or self.stalled is not None

    @property
    def wrappers(self) -> tuple[str, ...]:
        """The formats that wrap the lines, the outer one first; empty for plain text."""
        return () if self.format == _text_format() else tuple(self.format)

    @property
    def has_json_fields(self) -> bool:
        """Whether keys of JSON lines are fields, so that not all fields are known."""
        return "json" in self.format


class FileTriggerConfig(TriggerConfig):
    type: Literal["file"] = "file"
    paths: NonEmptyPathPatterns
    """Files to watch: globs with `**` allowed. They need not exist yet. A path that ends in a
    slash, such as `/data/runs/*/`, means directories; all others mean files."""
    events: Annotated[list[FileChangeName], UNIQUE, STRING_OR_LIST] | None = None
    """Any of `created`, `modified`, `deleted`; none, `[]`, only with `stale`. Default: created and
    deleted, and modified where `settle` is set."""
    ignore: IgnorePatterns = Field(default_factory=list)
    """Globs of paths to leave out. A name without a slash is ignored in every directory."""
    gitignore: bool = False
    """Leave out what the `.gitignore` files below the watched directory leave out, and those above
    it in the same repository; also `.git` itself."""
    settle: Duration | None = None
    """A file must stay unchanged for this long, and nobody may have it open for writing, before it
    counts. Of other users' files only root knows who has them open."""
    stale: Positive | None = None
    """Report when nothing has changed for this long: no file was created, modified or deleted."""

    @property
    def has_conditions(self) -> bool:
        return self.stale is not None


class ProcessTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
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

    @property
    def failure_priority(self) -> Priority:
        return self.priority if "priority" in self.model_fields_set else Priority.HIGH


class UnitTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
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

    @property
    def failure_priority(self) -> Priority:
        return self.priority if "priority" in self.model_fields_set else Priority.HIGH


class ScheduleTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_cooldown: ClassVar[float] = 0.0

    type: Literal["schedule"] = "schedule"
    cron: Cron
    """Five fields: minute, hour, day of the month, month, day of the week. A time that passed while
    the daemon was not running is reported once, late."""
    timezone: Zone | None = None
    """IANA time zone. Default: that of the machine."""

    @property
    def schedule(self) -> CronSchedule:
        return CronSchedule(self.cron, self.timezone)


class HeartbeatTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_cooldown: ClassVar[float] = 0.0

    type: Literal["heartbeat"] = "heartbeat"
    every: Annotated[Duration, Field(ge=1.0)] | None = None
    """Longest time between two pings; at least `"1s"`. Either `every` or `cron` is required."""
    cron: Cron | None = None
    """When a ping is expected, in place of `every`: minute, hour, day of the month, month, day of
    the week. A time that falls into a stop or a gap in time is skipped."""
    timezone: Zone | None = None
    """IANA time zone of `cron`. Default: that of the machine."""
    grace: Duration | None = None
    """How late a ping may be. Default: a tenth of the time between two pings, at least `"30s"` and
    at most `"1h"`."""
    max_runtime: Positive | None = None
    """Report a run that has not ended this long after its `start` ping. While it runs, no other
    ping is expected. Default: no limit."""

    @property
    def schedule(self) -> CronSchedule | None:
        return None if self.cron is None else CronSchedule(self.cron, self.timezone)

    def shaping(self, defaults: ShapingConfig) -> ResolvedShaping:
        """Resolve the keys. A heartbeat is one condition, which holds as soon as it is known."""
        shaping = super().shaping(defaults)
        return replace(shaping, group_by=(), threshold=1, begin_after=AT_ONCE, end_after=AT_ONCE)

    @property
    def has_conditions(self) -> bool:
        return True


class CommandTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0

    type: Literal["command"] = "command"
    run: Command
    """The command: a list with the program and its arguments, or one string for `sh -c`. It runs as
    the daemon's user, without its token and capabilities, and never twice at once. Required."""
    every: Annotated[Duration, Field(ge=1.0)] = 60.0
    """How often to run it; at least `"1s"`."""
    timeout: Annotated[Duration, Field(ge=0.1, le=86_400.0)] = 30.0
    """After this long the command is killed with all that it has started, and the check is
    unknown."""
    check: CheckKind = "exit"
    """`exit`: an exit status other than 0 is a failure. `nagios`: the plugin API of Nagios, 1
    warning, 2 critical, 3 unknown. `value`: the first line of the output is compared by `when`.
    `changed`: each change of the output is reported."""
    when: ComparisonText | None = None
    """For `value`: the comparison that is a failure: `== x`, `!= x`, `< n`, `<= n`, `> n`,
    `>= n`."""
    env: EnvironmentTable = Field(default_factory=dict)
    """Table of further environment variables. Of the daemon's own the command gets PATH, HOME, the
    user's name, language and time zone."""
    cwd: AbsolutePath = Path("/")
    """Directory in which it runs."""

    def shaping(self, defaults: ShapingConfig) -> ResolvedShaping:
        """Resolve the keys. A check is one condition."""
        return replace(super().shaping(defaults), group_by=(), threshold=1)

    @property
    def failure_priority(self) -> Priority:
        return self.priority if "priority" in self.model_fields_set else Priority.HIGH

    @property
    def has_conditions(self) -> bool:
        return True


class OblienTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0

    type: Literal["oblien"] = "oblien"
    get: ApiPath | None = None
    """Path of the platform's API, such as `/sandbox/sb_1/metrics`; `notifyd api list` shows them.
    Needs OBLIEN_CLIENT_ID and OBLIEN_CLIENT_SECRET in the daemon's environment."""
    webhook: EventPattern | None = None
    """In place of `get`: name of an event that the platform reports by a webhook, such as
    `workload.failed` or `workload.*`. Needs `[listen] tcp` and `[webhooks] secret_file`."""
    every: Annotated[Duration, Field(ge=5.0)] = 60.0
    """How often to ask; at least `"5s"`. All triggers share `[platform] rate`."""
    value: JmesPath = "@"
    """JMESPath expression that selects the value from the answer."""
    when: When = CHANGED
    """`changed`, or a comparison: `== x`, `!= x`, `< n`, `<= n`, `> n`, `>= n`."""

    @property
    def has_conditions(self) -> bool:
        return self.get is not None and self.when != CHANGED


class ResourceTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0

    type: Literal["resource"] = "resource"
    resource: ResourceName
    """What to measure: `disk` or `inodes` (with `path`), `memory`, `swap`, `load`, `pressure-cpu`,
    `pressure-memory`, `pressure-io`, `oom` (processes that the kernel killed for want of memory),
    `gpu-utilization`, `gpu-memory`, `gpu-temperature`. Those of the GPU need `notifyd[gpu]`."""
    path: AbsolutePath | None = None
    """Any path in the file system to measure. `disk` and `inodes` only, which require it."""
    warning: Annotated[ResourceLimit | None, BeforeValidator(parse_limit)] = None
    """Limit from which on the state is a warning: `"80%"`, `"5GiB free"`, `"2GiB used"`, a number
    for `load` (or `"200%"` of the CPUs), degrees for `gpu-temperature`. `"< 10%"` is passed by
    values below it. Default, if neither limit is set: `"80%"` for `disk`, `inodes` and `swap`,
    `"90%"` for `memory`; the others require one."""
    critical: Annotated[ResourceLimit | None, BeforeValidator(parse_limit)] = None
    """Limit from which on the state is critical. Default, if neither limit is set: `"95%"` for
    `disk`, `inodes`, `memory` and `swap`."""
    clear: Annotated[Persistence | None, BeforeValidator(parse_clear)] = None
    """A limit behind which the state ends, such as `"75%"`; `critical` ends as far behind its own
    limit. Or how long, or how often in a row, the value must be back behind the limits. Default:
    2 percent points for `disk`, `inodes` and memory of all kinds, else at once."""
    every: Annotated[Duration, Field(ge=1.0)] = 30.0
    """How often to measure; at least `"1s"`."""

    @property
    def failure_priority(self) -> Priority:
        return self.priority if "priority" in self.model_fields_set else Priority.HIGH

    @property
    def has_conditions(self) -> bool:
        return self.resource != "oom"

    @property
    def limits(self) -> tuple[ResourceLimit | None, ResourceLimit | None]:
        """`warning` and `critical` as written, or the defaults of the resource."""
        if self.warning is None and self.critical is None:
            return default_limits(self.resource)
        return self.warning, self.critical


class PlatformHealthConfig(TriggerConfig):
    """The built-in trigger that reports an unreachable platform and refused credentials."""

    default_debounce: ClassVar[float] = 0.0
    default_group_by: ClassVar[tuple[str, ...]] = ("name",)

    type: Literal["platform"] = "platform"
    title: Template | None = "{{ name }}{{ ': over' if state == 'ended' else '' }}"
    body: Template | None = "{{ line }}"

    @property
    def has_conditions(self) -> bool:
        return True


_Trigger = (
    LogTriggerConfig
    | FileTriggerConfig
    | ProcessTriggerConfig
    | UnitTriggerConfig
    | ScheduleTriggerConfig
    | HeartbeatTriggerConfig
    | CommandTriggerConfig
    | OblienTriggerConfig
    | ResourceTriggerConfig
)


class _ValidatedByType:
    """Validates a trigger by the model of its type, so that those of other types are not built."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_plain_validator_function(self._validate)

    def _validate(self, value: object) -> TriggerConfig:
        if isinstance(value, TriggerConfig):
            return value
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in TRIGGER_TYPES:
            raise ValueError(f"type: must be one of: {', '.join(TRIGGER_TYPES)}")
        return TRIGGER_TYPES[kind].model_validate(value)


AnyTrigger = Annotated[_Trigger, _ValidatedByType()]

BUILT_IN_TRIGGER = "notifyd"
"""The trigger of what notifyd reports about itself and the platform."""

RESERVED_NAMES = frozenset({SOCKET, "tcp", BUILT_IN_TRIGGER})
"""The names under which messages of programs and notifyd's own reports are counted."""

TRIGGER_TYPES: dict[str, type[_Trigger]] = {
    "log": LogTriggerConfig,
    "file": FileTriggerConfig,
    "process": ProcessTriggerConfig,
    "unit": UnitTriggerConfig,
    "schedule": ScheduleTriggerConfig,
    "heartbeat": HeartbeatTriggerConfig,
    "command": CommandTriggerConfig,
    "oblien": OblienTriggerConfig,
    "resource": ResourceTriggerConfig,
}


def _first_set(own: T | None, shared: T | None, default: T) -> T:
    """Return the first value that is not None."""
    if own is not None:
        return own
    return default if shared is None else shared
