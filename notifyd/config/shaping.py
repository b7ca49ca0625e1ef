"""The shaping keys, and shaping with all defaults applied."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from notifyd.config.sections import Count, Positive, Section
from notifyd.config.times import Duration, PersistenceValue
from notifyd.config.values.lists import STRING_OR_LIST, Names
from notifyd.model.persistence import Persistence


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
    not wait for its end, and neither does silence after matches. Default: `"5m"`; schedule and
    heartbeat triggers `"0s"`."""
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
