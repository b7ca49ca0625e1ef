"""The whole configuration as one immutable value."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from notifyd.config.sections import (
    AgentsConfig,
    ApiConfig,
    BudgetConfig,
    DeliveryConfig,
    ListenConfig,
    LogConfig,
    MuteConfig,
    PlatformConfig,
    RateLimitConfig,
    RelayConfig,
    SocketConfig,
    StateConfig,
    TextConfig,
    WebhooksConfig,
)
from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import AnyTrigger

PREFIX = "NOTIFYD_"
DELIMITER = "__"

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""Pattern of the names of triggers and mute windows."""

Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]


class Settings(BaseSettings):
    """Defaults are made by `model_construct`, which builds no validator: a start is faster."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        extra="forbid",
        strict=True,
        frozen=True,
        defer_build=True,
    )

    api: ApiConfig = ApiConfig.model_construct()
    """The platform's API and the send token."""
    rate_limit: RateLimitConfig = RateLimitConfig.model_construct()
    """What the API allows: at most `max` requests in any window of `per`, across restarts too."""
    budget: BudgetConfig = BudgetConfig.model_construct()
    """What a person can bear: notifications of priority `default` and below. What exceeds it is
    reported in one digest."""
    delivery: DeliveryConfig = DeliveryConfig.model_construct()
    """How long notifications are kept and when they are merged."""
    socket: SocketConfig = SocketConfig.model_construct()
    """The local socket that programs send notifications to."""
    platform: PlatformConfig = PlatformConfig.model_construct()
    """What `oblien` triggers may ask of the platform's API."""
    listen: ListenConfig = ListenConfig.model_construct()
    """The TCP listener, for programs that cannot use a Unix socket."""
    webhooks: WebhooksConfig = WebhooksConfig.model_construct()
    """What the platform reports by itself."""
    agents: AgentsConfig = AgentsConfig.model_construct()
    """Notifications of coding agents, whose hooks call `notifyd hook`."""
    relay: RelayConfig = RelayConfig.model_construct()
    """Reports to a relay of your own, whose page shows all workspaces."""
    state: StateConfig = StateConfig.model_construct()
    """The database."""
    log: LogConfig = LogConfig.model_construct()
    """The daemon's own log."""
    text: TextConfig = TextConfig.model_construct()
    """The text of notifications."""
    mute: dict[Name, MuteConfig] = Field(default_factory=dict)
    """Named quiet times. `[mute.night]` is used as `mute = ["night"]`."""
    defaults: ShapingConfig = ShapingConfig.model_construct()
    """Shaping keys for every trigger that does not set them itself."""
    triggers: dict[Name, AnyTrigger] = Field(default_factory=dict)
    """What to watch. The name of the table is the name of the trigger."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # the library passes keywords
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        **others: PydanticBaseSettingsSource,  # noqa: ARG003 - environment, .env, secrets
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Accept only what `load` passes, which records the origin of every value."""
        return (init_settings,)
