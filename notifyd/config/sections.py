"""The tables of the configuration other than triggers, one model for each."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from notifyd.config.times import Days, Duration, Size, Spans, Zone
from notifyd.config.values.network import PingKey, TcpAddress, Url
from notifyd.config.values.paths import AbsolutePath, Mode, SecretPath, SocketPath
from notifyd.config.values.system import Group
from notifyd.model.time_windows import DAYS, TimeWindow

Positive = Annotated[Duration, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1, le=100_000)]
LineCount = Annotated[int, Field(ge=0, le=50)]


def fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by their keys as written; an attribute cannot be called `for`."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


class Section(BaseModel):
    """Base of all tables. Unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class ApiConfig(Section):
    url: Url = "https://api.oblien.com"
    """Base URL. Plain `http://` is accepted for a loopback address only."""
    timeout: Annotated[Duration, Field(gt=0.0, le=300.0)] = 10.0
    """Limit for a whole request; at most 5 minutes."""
    token_file: SecretPath | None = None
    """File that holds the send token and nothing else. Without this key: the systemd credential
    `send-token`, then the file `send-token` beside the configuration, then the environment."""


class RateConfig(Section):
    """At most `max` in any window of `per` seconds."""

    max: Count
    """Number allowed in any window of `per`."""
    per: Positive
    """Length of the window."""


class RateLimitConfig(RateConfig):
    max: Count = 30
    """Number allowed in any window of `per`."""
    per: Positive = 60.0
    """Length of the window."""


class BudgetConfig(RateConfig):
    max: Count = 20
    """Number allowed in any window of `per` for each source: a trigger, a user of the socket, the
    TCP client."""
    per: Positive = 3600.0
    """Length of the window."""
    total: Count = 60
    """Number allowed in any window of `per` for all sources together; without this key at least
    `max`. A source with none within `per` gets one all the same."""
    digest: Positive = 600.0
    """Least time between two digests of what is over the budget. The first is due 30 seconds
    after the last notification over the budget, and at most 2 minutes after the first."""

    @property
    def effective_total(self) -> int:
        is_set = "total" in self.model_fields_set
        return self.total if is_set else max(self.total, self.max)


class DeliveryConfig(Section):
    expire: Positive = 86400.0
    """A notification that could not be delivered for this long expires and is counted in a
    digest. Nothing expires while the token is refused."""
    probe: Positive = 900.0
    """How often a refused token is tried again."""
    history: Duration = 604800.0
    """How long finished notifications are kept for `notifyd history`."""
    digest: bool = True
    """`false`: never merge because of the budget or a storm, until 10,000 notifications wait."""


class SocketRateConfig(RateConfig):
    max: Count = 120
    """Requests allowed in any window of `per`."""
    per: Positive = 60.0
    """Length of the window."""


class SocketConfig(Section):
    path: SocketPath | None = None
    """Path of the socket. Default: `$RUNTIME_DIRECTORY/notifyd.sock`, then
    `$XDG_RUNTIME_DIR/notifyd.sock`, then `notifyd.sock` in the state directory."""
    mode: Mode = 0o660
    """Permissions of the socket, octal and in quotes."""
    group: Group | None = None
    """Group of the socket: its members may connect."""
    admin_group: Group | None = None
    """Its members may mute, reload, retry, and see the triggers and the notifications of all users.
    Root and the daemon's own user always may."""
    max_body: Annotated[Size, Field(ge=1024, le=1 << 20)] = 64 << 10
    """Largest request body, at most 1 MiB."""
    rate: SocketRateConfig = SocketRateConfig.model_construct()
    """Requests allowed for each user."""
    compat: bool = False
    """`true`: accept the publishing forms of ntfy and gotify on the socket, as the TCP listener
    always does."""


class PlatformRateConfig(RateConfig):
    max: Count = 60
    """Requests allowed in any window of `per`."""
    per: Positive = 60.0
    """Length of the window."""


class PlatformConfig(Section):
    rate: PlatformRateConfig = PlatformRateConfig.model_construct()
    """What the plan allows for everything that the daemon asks of the API besides sending."""


class ListenConfig(Section):
    tcp: TcpAddress | None = None
    """Address such as `"127.0.0.1:8787"`, where programs reach the same API over TCP. All of them
    are one client named `tcp`, which is never an admin. Off by default."""
    token_file: SecretPath | None = None
    """File that holds the token of the TCP clients and nothing else. Required with `tcp`."""
    ping_key: PingKey | None = None
    """What clients of healthchecks.io must know: its URLs are served below `/ping/KEY/NAME`."""


class WebhooksConfig(Section):
    secret_file: SecretPath | None = None
    """File that holds the secret of the platform's webhooks and nothing else. They are received on
    `[listen] tcp` at `/webhooks/oblien`."""


class RelayConfig(Section):
    report: bool = False
    """`true`: report this workspace's state every minute to `[api] url`, if that is a relay of your
    own: version, host name, what waits, the worst trigger, no text of notifications."""
    ephemeral: bool = False
    """`true`: this workspace comes and goes; the relay never calls it missing."""


class AgentsConfig(Section):
    grace: Annotated[Duration, Field(le=3600.0)] = 30.0
    """How long a question of a coding agent waits for an answer in the terminal before it is
    pushed; at most 1 hour."""
    min_duration: Duration = 30.0
    """A turn that is shorter than this is not reported as done."""


class StateConfig(Section):
    dir: AbsolutePath | None = None
    """Directory of the database. Default: `$STATE_DIRECTORY`, then
    `$XDG_STATE_HOME/notifyd`, then `~/.local/state/notifyd`."""


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""
    format: Literal["auto", "console", "json", "journal"] = "auto"
    """`auto`: `journal` where systemd connects stderr to its journal, else `console`."""


class TextConfig(Section):
    redact: bool = True
    """Mask passwords, tokens and keys in titles and bodies."""


class MuteConfig(Section):
    """A window in which notifications are held back. `times` are minutes of the day."""

    times: Spans
    """Spans of the day such as `"22:00-07:00"`. The start is included, the end is not; a span
    belongs to the day on which it starts."""
    days: Days | None = None
    """Any of `mon tue wed thu fri sat sun`. Default: every day."""
    timezone: Zone | None = None
    """IANA time zone such as `Europe/Berlin`. Default: that of the machine."""

    def window(self, name: str) -> TimeWindow:
        days = self.days or DAYS
        return TimeWindow(
            name, tuple(self.times), frozenset(map(DAYS.index, days)), self.timezone or ""
        )
