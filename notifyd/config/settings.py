"""The whole configuration as one frozen value."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from notifyd.config.sections import (
    Api,
    Budget,
    Delivery,
    Log,
    RateLimit,
    Socket,
    State,
    Text,
)
from notifyd.config.triggers import AnyTrigger, Shaping

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="NOTIFYD_",
        env_nested_delimiter="__",
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
    defaults: Shaping = Shaping()
    triggers: dict[Name, AnyTrigger] = Field(default_factory=dict)
