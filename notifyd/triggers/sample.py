"""A sample event for each type of trigger, to see what its notifications look like."""

import re

from notifyd.config.patterns import named_groups
from notifyd.config.triggers import (
    AnyTrigger,
    CommandTriggerConfig,
    FileTriggerConfig,
    HeartbeatTriggerConfig,
    LogTriggerConfig,
    OblienTriggerConfig,
    PlatformHealthConfig,
    ProcessTriggerConfig,
    ResourceTriggerConfig,
    UnitTriggerConfig,
)
from notifyd.model.events import AlertState, Event

_GLOB = re.compile(r"\*+|\?|\[[^\]]*\]")


def sample_event(name: str, config: AnyTrigger | PlatformHealthConfig, wall: float) -> Event:
    """Return an event as the trigger's source could observe it. Named groups have their names."""
    match config:
        case LogTriggerConfig():
            fields = {group: group for group in sorted(named_groups(config.patterns))}
            if config.has_json_fields:
                fields = {"level": "error"} | fields
            path = _sample_path(config.paths)
            line = " ".join(["sample line of notifyd test:", *fields])
            facts = {"unit": config.journal[0]} if config.journal else {}
            return Event(name, wall, line, path, fields, facts)
        case FileTriggerConfig():
            path = _sample_path(config.paths)
            kind = (config.events or ["created"])[0]
            return Event(name, wall, f"{kind} {path}", path, facts={"event": kind})
        case ProcessTriggerConfig():
            program = config.name or "sample"
            facts = {"name": program, "cmdline": program, "pid": "1", "event": "exit"}
            facts |= {"exit_code": "1", "duration": "60", "outcome": "failure"}
            return Event(name, wall, f"{program} (pid 1) exited with status 1", facts=facts)
        case HeartbeatTriggerConfig():
            facts = {"event": "failure", "outcome": "failure", "exit_code": "1"}
            return Event(name, wall, "failed, status 1 (sample of notifyd test)", facts=facts)
        case CommandTriggerConfig():
            line = "sample output of notifyd test"
            facts = {"event": "check", "check": config.check, "reason": "status 1"}
            facts |= {"outcome": "failure", "exit_code": "1", "value": "1"}
            if config.check in ("nagios", "value"):
                facts["reason"] = line
            is_change = config.check == "changed"
            state = AlertState.NONE if is_change else AlertState.FIRING
            return Event(name, wall, line, facts=facts, alert_state=state)
        case OblienTriggerConfig():
            return Event(name, wall, "sample value of notifyd test", facts={"event": "changed"})
        case ResourceTriggerConfig():
            subject = f"{config.resource} {config.path or ''}".rstrip()
            facts = {"event": "resource", "name": subject, "outcome": "critical"}
            return Event(name, wall, f"{subject}: sample value of notifyd test", facts=facts)
        case UnitTriggerConfig():
            unit = _GLOB.sub("sample", config.units[0])
            facts = {"unit": unit, "event": "failed", "outcome": "failure", "failures": "1"}
            facts |= {"exit_code": "1", "reason": "status 1", "result": "exit-code"}
            line = f"{unit}: main process exited with status 1 (sample of notifyd test)"
            return Event(name, wall, line, facts=facts)
    return Event(name, wall, "sample of notifyd test")


def _sample_path(patterns: list[str]) -> str:
    return _GLOB.sub("sample", patterns[0]) if patterns else ""
