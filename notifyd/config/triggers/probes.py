"""The keys of triggers that measure again and again: commands and resources."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from notifyd.config.resource_limits import (
    ResourceLimit,
    ResourceName,
    default_limits,
    parse_clear,
    parse_limit,
)
from notifyd.config.shaping import ResolvedShaping, ShapingConfig
from notifyd.config.times import Duration
from notifyd.config.triggers.base import TriggerConfig
from notifyd.config.values.paths import AbsolutePath
from notifyd.config.values.system import Command, EnvironmentTable
from notifyd.config.values.text import ComparisonText
from notifyd.model.notifications import Priority
from notifyd.model.persistence import Persistence

CheckKind = Literal["exit", "nagios", "value", "changed"]


class CommandTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_failure_priority: ClassVar[Priority] = Priority.HIGH

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
    def has_conditions(self) -> bool:
        return True


class ResourceTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_failure_priority: ClassVar[Priority] = Priority.HIGH

    type: Literal["resource"] = "resource"
    resource: ResourceName
    """What to measure: `disk` or `inodes` (with `path`), `memory`, `swap`, `load`, `pressure-cpu`,
    `pressure-memory`, `pressure-io`, `oom` (processes that the kernel killed for want of memory),
    `gpu-utilization`, `gpu-memory`, `gpu-temperature`. Those of the GPU need `notifyd[gpu]`."""
    path: AbsolutePath | None = None
    """Any path in the file system to measure. `disk` and `inodes` only, which require it."""
    warning: Annotated[ResourceLimit | None, BeforeValidator(parse_limit)] = None
    """Limit at which the state becomes a warning: `"80%"`, `"5GiB free"`, `"2GiB used"`, a number
    for `load` (or `"200%"` of the CPUs), degrees for `gpu-temperature`. `"< 10%"` is passed by
    values below it. Default, if neither limit is set: `"80%"` for `disk`, `inodes` and `swap`,
    `"90%"` for `memory`; the others require one."""
    critical: Annotated[ResourceLimit | None, BeforeValidator(parse_limit)] = None
    """Limit at which the state becomes critical. Default, if neither limit is set: `"95%"` for
    `disk`, `inodes`, `memory` and `swap`."""
    clear: Annotated[Persistence | None, BeforeValidator(parse_clear)] = None
    """A limit behind which the state ends, such as `"75%"`; `critical` ends as far behind its own
    limit. Or how long, or how often in a row, the value must be back behind the limits. Default:
    2 percentage points for `disk`, `inodes` and memory of all kinds, else at once."""
    every: Annotated[Duration, Field(ge=1.0)] = 30.0
    """How often to measure; at least `"1s"`."""

    @property
    def has_conditions(self) -> bool:
        return self.resource != "oom"

    @property
    def limits(self) -> tuple[ResourceLimit | None, ResourceLimit | None]:
        """`warning` and `critical` as written, or the defaults of the resource."""
        if self.warning is None and self.critical is None:
            return default_limits(self.resource)
        return self.warning, self.critical
