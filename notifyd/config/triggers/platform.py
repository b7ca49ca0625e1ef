"""The keys of triggers on the platform, and the trigger for its own health."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from notifyd.config.comparison import CHANGED
from notifyd.config.times import Duration
from notifyd.config.triggers.base import TriggerConfig
from notifyd.config.values.network import ApiPath, EventPattern, JmesPath
from notifyd.config.values.text import Template, When


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
