"""The whole configuration as one frozen value."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from notifyd.config.sections import (
    Api,
    Budget,
    Delivery,
    Log,
    Mute,
    RateLimit,
    Socket,
    State,
    Text,
)
from notifyd.config.triggers import AnyTrigger, Shaping

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

    api: Api = Api()
    rate_limit: RateLimit = RateLimit()
    budget: Budget = Budget()
    delivery: Delivery = Delivery()
    socket: Socket = Socket()
    state: State = State()
    log: Log = Log()
    text: Text = Text()
    mute: dict[Name, Mute] = Field(default_factory=dict)
    defaults: Shaping = Shaping()
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
