"""The keys of each trigger type: one module for each type or family of types."""

from typing import Annotated

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_plain_validator_function

from notifyd.config.triggers.base import TriggerConfig
from notifyd.config.triggers.file import FileTriggerConfig
from notifyd.config.triggers.log import LogTriggerConfig
from notifyd.config.triggers.platform import OblienTriggerConfig, PlatformHealthConfig
from notifyd.config.triggers.probes import CommandTriggerConfig, ResourceTriggerConfig
from notifyd.config.triggers.process import ProcessTriggerConfig
from notifyd.config.triggers.schedules import HeartbeatTriggerConfig, ScheduleTriggerConfig
from notifyd.config.triggers.unit import UnitTriggerConfig
from notifyd.model.agents import AGENTS
from notifyd.model.notifications import SOCKET

__all__ = [
    "BUILT_IN_TRIGGER",
    "RESERVED_NAMES",
    "TRIGGER_TYPES",
    "AnyTrigger",
    "CommandTriggerConfig",
    "FileTriggerConfig",
    "HeartbeatTriggerConfig",
    "LogTriggerConfig",
    "OblienTriggerConfig",
    "PlatformHealthConfig",
    "ProcessTriggerConfig",
    "ResourceTriggerConfig",
    "ScheduleTriggerConfig",
    "TriggerConfig",
    "UnitTriggerConfig",
]

_Trigger = (
    LogTriggerConfig
    | FileTriggerConfig
    | ProcessTriggerConfig
    | UnitTriggerConfig
    | ScheduleTriggerConfig
    | HeartbeatTriggerConfig
    | CommandTriggerConfig
    | OblienTriggerConfig
    | ResourceTriggerConfig
)


class _ValidatedByType:
    """Validates a trigger by the model of its type, so that those of other types are not built."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_plain_validator_function(self._validate)

    def _validate(self, value: object) -> TriggerConfig:
        if isinstance(value, TriggerConfig):
            return value
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in TRIGGER_TYPES:
            raise ValueError(f"type: must be one of: {', '.join(TRIGGER_TYPES)}")
        return TRIGGER_TYPES[kind].model_validate(value)


AnyTrigger = Annotated[_Trigger, _ValidatedByType()]


BUILT_IN_TRIGGER = "notifyd"
"""The trigger of what notifyd reports about itself and the platform."""


RESERVED_NAMES = frozenset({SOCKET, "tcp", AGENTS, BUILT_IN_TRIGGER})
"""The names under which messages of programs, events of coding agents and notifyd's own reports
are counted."""


TRIGGER_TYPES: dict[str, type[_Trigger]] = {
    "log": LogTriggerConfig,
    "file": FileTriggerConfig,
    "process": ProcessTriggerConfig,
    "unit": UnitTriggerConfig,
    "schedule": ScheduleTriggerConfig,
    "heartbeat": HeartbeatTriggerConfig,
    "command": CommandTriggerConfig,
    "oblien": OblienTriggerConfig,
    "resource": ResourceTriggerConfig,
}
