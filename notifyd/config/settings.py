"""The whole configuration as one frozen value."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from notifyd.config.sections import (
    ApiConfig,
    BudgetConfig,
    DeliveryConfig,
    LogConfig,
    MuteConfig,
    RateLimitConfig,
    SocketConfig,
    StateConfig,
    TextConfig,
)
from notifyd.config.triggers import AnyTrigger, ShapingConfig

PREFIX = "NOTIFYD_"
DELIMITER = "__"

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
"""What a trigger or a mute may be called."""

Name = Annotated[str, Field(pattern=f"^{NAME}$")]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        extra="forbid",
        strict=True,
        frozen=True,
    )

    api: ApiConfig = ApiConfig()
    rate_limit: RateLimitConfig = RateLimitConfig()
    budget: BudgetConfig = BudgetConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    socket: SocketConfig = SocketConfig()
    state: StateConfig = StateConfig()
    log: LogConfig = LogConfig()
    text: TextConfig = TextConfig()
    mute: dict[Name, MuteConfig] = Field(default_factory=dict)
    defaults: ShapingConfig = ShapingConfig()
    triggers: dict[Name, AnyTrigger] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # it is called by these names
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        **others: PydanticBaseSettingsSource,  # noqa: ARG003 - environment, .env, secrets
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load` hands over: it knows the file or variable behind every value."""
        return (init_settings,)
