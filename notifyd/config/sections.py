"""The tables of the config file that are not triggers, each as its room receives it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from notifyd.config.times import Days, Duration, Size, Spans, Zone
from notifyd.config.values import AbsolutePath, Group, Mode, SecretPath, SocketPath, Url
from notifyd.model.time_windows import DAYS, TimeWindow

Positive = Annotated[Duration, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1, le=100_000)]


class Section(BaseModel):
    """Strict: an unknown key or a wrong type is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ApiConfig(Section):
    url: Url = "https://api.oblien.com"
    timeout: Annotated[Duration, Field(gt=0.0, le=300.0)] = 10.0
    token_file: SecretPath | None = None


class RateConfig(Section):
    """At most `max` in any window of `per` seconds."""

    max: Count
    per: Positive


class RateLimitConfig(RateConfig):
    max: Count = 30
    per: Positive = 60.0


class BudgetConfig(RateConfig):
    max: Count = 20
    per: Positive = 3600.0


class DeliveryConfig(Section):
    expire: Positive = 86400.0
    probe: Positive = 900.0
    history: Duration = 604800.0
    digest: bool = True


class SocketConfig(Section):
    path: SocketPath | None = None
    mode: Mode = 0o660
    group: Group | None = None
    admin_group: Group | None = None
    max_body: Annotated[Size, Field(ge=1024, le=1 << 20)] = 64 << 10
    rate: RateConfig = RateConfig.model_construct(max=120, per=60.0)


class StateConfig(Section):
    dir: AbsolutePath | None = None


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json", "journal"] = "auto"


class TextConfig(Section):
    redact: bool = True


class MuteConfig(Section):
    """A window in which notifications are held back. Spans are minutes of the day."""

    times: Spans
    days: Days | None = None
    timezone: Zone | None = None

    def window(self, name: str) -> TimeWindow:
        days = self.days or DAYS
        return TimeWindow(
            name, tuple(self.times), frozenset(map(DAYS.index, days)), self.timezone or ""
        )
