"""The keys that all trigger types share, and how their defaults are found."""

from typing import ClassVar, TypeVar

from pydantic import Field

from notifyd.config.shaping import ResolvedShaping, ShapingConfig
from notifyd.config.values.text import Data, PriorityName, Template
from notifyd.model.notifications import Priority
from notifyd.model.persistence import AT_ONCE

T = TypeVar("T")


class TriggerConfig(ShapingConfig):
    """The keys that all types share. The class variables are the defaults of the type."""

    default_debounce: ClassVar[float] = 2.0
    default_cooldown: ClassVar[float] = 300.0
    default_group_by: ClassVar[tuple[str, ...]] = ()
    default_failure_priority: ClassVar[Priority] = Priority.DEFAULT

    title: Template | None = None
    """Template of the title."""
    body: Template | None = None
    """Template of the body."""
    priority: PriorityName = Priority.DEFAULT
    """`min`, `low`, `default`, `high` or `urgent`. Default for failures of processes, units,
    commands and resources: `high`."""
    data: Data = Field(default_factory=dict)
    """Table merged into the `data` of the notification."""

    @property
    def failure_priority(self) -> Priority:
        """The priority if the matches include the outcome `failure` or `critical`."""
        is_set = "priority" in self.model_fields_set
        return self.priority if is_set else self.default_failure_priority

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


def _first_set(own: T | None, shared: T | None, default: T) -> T:
    """Return the first value that is not None."""
    if own is not None:
        return own
    return default if shared is None else shared
