"""Validates the merged table part by part, so that no error hides another."""

import re
from collections.abc import Iterable
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from notifyd.config import consistency
from notifyd.config.errors import NO_VALUE, ConfigPath, ErrorReport, reason_for
from notifyd.config.sections import ListenConfig, MuteConfig, Section, fields_by_key
from notifyd.config.settings import NAME_PATTERN, Settings
from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import RESERVED_NAMES, TRIGGER_TYPES, AnyTrigger
from notifyd.model.notifications import Json
from notifyd.text.suggestions import closest_match, did_you_mean

_PLACEHOLDERS = {
    "paths": ["/"],
    "patterns": ["x"],
    "max": 1,
    "per": "1s",
    "times": ["00:00-01:00"],
    "cron": "0 0 * * *",
    "resource": "memory",
    "run": ["/"],
    "units": ["x.service"],
}
"""Valid values that replace invalid required keys, so that the other keys can be checked."""
_MISSING = "required key is missing"
_INVALID_NAME = (
    "invalid name; use up to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit"
)
_RESERVED_NAME = (
    "reserved name; notifyd uses it for what programs and agents send and for its own reports: "
    "rename the trigger"
)

AnySection = TypeVar("AnySection", bound=Section)


def validate(table: Json, report: ErrorReport) -> None:
    """Report every error of the merged table."""
    defaults = ShapingConfig()
    for key, value in table.items():
        if key not in Settings.model_fields:
            report.error((key,), _unknown_key(key, Settings.model_fields), value)
        elif key == "defaults":
            section, _ = _validate_section(ShapingConfig, (key,), value, report)
            defaults = section or defaults
        elif key == "listen":
            listen, invalid = _validate_section(ListenConfig, (key,), value, report)
            if listen:
                consistency.check_listen(listen, invalid, report)
        elif key == "mute":
            _validate_mutes(value, report)
        elif key != "triggers":
            model = Settings.model_fields[key].annotation
            assert isinstance(model, type)  # noqa: S101 - every other field is a section
            _validate_section(model, (key,), value, report)
    triggers = table.get("triggers", {})
    if not isinstance(triggers, dict):
        report.error(("triggers",), "must be a table", triggers)
        triggers = {}
    valid = {
        name: trigger
        for name, value in triggers.items()
        if (trigger := _validate_trigger(name, value, defaults, report))
    }
    consistency.check_defaults(defaults, list(valid.values()), report)
    consistency.check_webhooks(table, valid, report)
    consistency.check_mutes(table, report)


def _validate_mutes(mutes: object, report: ErrorReport) -> None:
    if not isinstance(mutes, dict):
        report.error(("mute",), "must be a table of tables such as [mute.night]", mutes)
        return
    for name, value in mutes.items():
        if not re.fullmatch(NAME_PATTERN, name):
            report.error(("mute", name), _INVALID_NAME)
        _validate_section(MuteConfig, ("mute", name), value, report)


def _validate_trigger(
    name: str, value: object, defaults: ShapingConfig, report: ErrorReport
) -> AnyTrigger | None:
    """Report the errors of one trigger; return it as far as it is valid."""
    path = ("triggers", name)
    if not re.fullmatch(NAME_PATTERN, name):
        report.error(path, _INVALID_NAME)
    if name in RESERVED_NAMES:
        report.error(path, _RESERVED_NAME)
    if not isinstance(value, dict):
        report.error(path, "must be a table", value)
        return None
    kind = _trigger_type(path, value, report)
    if kind is None:
        return None
    value = value | {"type": kind}
    trigger, invalid = _validate_section(TRIGGER_TYPES[kind], path, value, report)
    if trigger:
        consistency.check_trigger(name, trigger, value, invalid, defaults=defaults, report=report)
    return trigger


def _trigger_type(path: ConfigPath, trigger: Json, report: ErrorReport) -> str | None:
    """Return the type of a trigger. If it is invalid, report that and guess from its keys."""
    kind = trigger.get("type")
    if isinstance(kind, str) and kind in TRIGGER_TYPES:
        return kind
    choices = ", ".join(TRIGGER_TYPES)
    if kind is None:
        report.error((*path, "type"), f"{_MISSING}; use one of: {choices}")
    else:
        hint = did_you_mean(str(kind), TRIGGER_TYPES)
        report.error((*path, "type"), f"must be one of: {choices}{hint}", kind)
        if match := closest_match(str(kind), TRIGGER_TYPES):
            return match
    if trigger.keys() & {"patterns", "journal"}:
        return "log"
    if "units" in trigger:
        return "unit"
    if trigger.keys() & {"cmdline", "pidfile", "pid", "on"}:
        return "process"
    if trigger.keys() & {"grace", "max_runtime"}:
        return "heartbeat"
    if "cron" in trigger:
        return "schedule"
    if "resource" in trigger:
        return "resource"
    if "run" in trigger:
        return "command"
    return "file" if trigger.keys() & {"events", "settle"} else None


def _validate_section(
    model: type[AnySection], path: ConfigPath, value: object, report: ErrorReport
) -> tuple[AnySection | None, set[str]]:
    """Validate one table and report its errors.

    Return it without its invalid keys, and the names of these; None if nothing valid is left.
    """
    try:
        return model.model_validate(value), set()
    except ValidationError as failure:
        errors = failure.errors(include_url=False)
    invalid = {str(error["loc"][0]) for error in errors if error["loc"]}
    for error in errors:
        _report_error(model, path, error, value, report)
    if not isinstance(value, dict):
        return None, invalid
    required = {key for key, field in fields_by_key(model).items() if field.is_required()}
    rest = {key: item for key, item in value.items() if key not in invalid}
    rest |= {key: _PLACEHOLDERS[key] for key in invalid & required}
    try:
        return model.model_validate(rest), invalid
    except ValidationError:
        return None, invalid


def _report_error(
    model: type[Section], path: ConfigPath, error: ErrorDetails, value: object, report: ErrorReport
) -> None:
    """Report a pydantic error in the table `value` at `path`."""
    full_path, raw = list(path), value
    for key in error["loc"]:
        if isinstance(raw, str):  # a string in place of a list has no index
            break
        full_path.append(key)
        if isinstance(raw, dict):
            raw = raw.get(key, NO_VALUE)
        elif isinstance(raw, list) and isinstance(key, int):
            raw = raw[key]
    match error["type"]:
        case "extra_forbidden":
            key = str(error["loc"][-1])
            if path == ("api",) and "token" in key.lower():
                reason = "tokens do not belong in the configuration; set `token_file` to a file"
            else:
                reason = _unknown_key(key, fields_by_key(_table_model(model, error["loc"])))
            report.error(tuple(full_path), reason, NO_VALUE if path == ("api",) else raw)
        case "missing":
            report.error(tuple(full_path), _MISSING)
        case kind:
            reason = reason_for(error, raw)
            if kind in ("literal_error", "enum") and isinstance(raw, str):
                reason += did_you_mean(raw, re.findall(r"[a-z]+", reason.partition(":")[2]))
            report.error(tuple(full_path), reason, raw)


def _table_model(model: type[Section], loc: tuple[int | str, ...]) -> type[Section]:
    """Return the model of the table that directly contains the key at `loc`."""
    for key in loc[:-1]:
        field = fields_by_key(model).get(str(key))
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            model = field.annotation
    return model


def _unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the reason for an unknown key, with what may have been meant."""
    known = list(known)
    if twins := {f"{key}s", key.removesuffix("s")} & {*known}:
        return f"unknown key; did you mean '{twins.pop()}'?"
    types = [name for name, model in TRIGGER_TYPES.items() if key in fields_by_key(model)]
    if "title" in known and types:
        return f"unknown key for this trigger type; it belongs to {' and '.join(types)} triggers"
    return "unknown key" + (did_you_mean(key, known) or f"; known are {', '.join(known)}")
