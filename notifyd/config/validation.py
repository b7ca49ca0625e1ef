"""Checking the merged table part by part, so that no mistake hides another."""

import re
from collections.abc import Iterable
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from notifyd.config import consistency
from notifyd.config.errors import NO_VALUE, ConfigPath, ErrorReport, reason
from notifyd.config.sections import MuteConfig, Section
from notifyd.config.settings import NAME, Settings
from notifyd.config.triggers import TYPES, AnyTrigger, ShapingConfig
from notifyd.config.unsupported import withdraw
from notifyd.model.notifications import Json
from notifyd.text.suggestions import closest_match, did_you_mean

_STAND_INS = {
    "paths": ["/"],
    "patterns": ["x"],
    "max": 1,
    "per": "1s",
    "times": ["00:00-01:00"],
    "cron": "0 0 * * *",
}
"""What takes the place of a required key that is wrong, so that the others can be checked."""

_NO_NAME = "is no {}: up to 64 letters, digits, '-', '_' and '.', a letter or digit first"

AnySection = TypeVar("AnySection", bound=Section)


def validate(table: Json, report: ErrorReport) -> None:
    """Put every mistake of the merged table into the report."""
    for place, why in withdraw(table):
        report.wrong(place, why)
    defaults = ShapingConfig()
    for key, value in table.items():
        if key not in Settings.model_fields:
            report.wrong((key,), unknown(key, Settings.model_fields), value)
        elif key == "defaults":
            section, _ = _section(ShapingConfig, (key,), value, report)
            defaults = section or defaults
        elif key == "mute":
            _mutes(value, report)
        elif key != "triggers":
            model = Settings.model_fields[key].annotation
            assert isinstance(model, type)  # noqa: S101 - every other field is a section
            _section(model, (key,), value, report)
    triggers = table.get("triggers", {})
    if not isinstance(triggers, dict):
        report.wrong(("triggers",), "must be a table", triggers)
        triggers = {}
    checked = [
        trigger
        for name, value in triggers.items()
        if (trigger := _trigger(name, value, defaults, report))
    ]
    consistency.check_defaults(defaults, checked, report)
    consistency.check_mutes(table, report)


def _mutes(mutes: object, report: ErrorReport) -> None:
    if not isinstance(mutes, dict):
        report.wrong(("mute",), "must hold tables, such as [mute.night]", mutes)
        return
    for name, value in mutes.items():
        if not re.fullmatch(NAME, name):
            report.wrong(("mute", name), _NO_NAME.format("name for a mute"))
        _section(MuteConfig, ("mute", name), value, report)


def _trigger(
    name: str, value: object, defaults: ShapingConfig, report: ErrorReport
) -> AnyTrigger | None:
    place = ("triggers", name)
    if not re.fullmatch(NAME, name):
        report.wrong(place, _NO_NAME.format("trigger name"))
    if not isinstance(value, dict):
        report.wrong(place, "must be a table", value)
        return None
    kind = _type(place, value, report)
    if kind is None:
        return None
    value = value | {"type": kind}
    trigger, broken = _section(TYPES[kind], place, value, report)
    if trigger:
        consistency.check(name, trigger, value, broken, defaults=defaults, report=report)
    return trigger


def _type(place: ConfigPath, trigger: Json, report: ErrorReport) -> str | None:
    """Find a trigger's type; where it is wrong, say so and guess, to check the other keys."""
    kind = trigger.get("type")
    if isinstance(kind, str) and kind in TYPES:
        return kind
    choices = ", ".join(TYPES)
    if kind is None:
        report.wrong((*place, "type"), f"is missing: it must be one of: {choices}")
    else:
        report.wrong(
            (*place, "type"), f"must be one of: {choices}{did_you_mean(str(kind), TYPES)}", kind
        )
        if near := closest_match(str(kind), TYPES):
            return near
    if trigger.keys() & {"patterns", "journal"}:
        return "log"
    if trigger.keys() & {"cmdline", "pidfile", "pid", "on"}:
        return "process"
    if "cron" in trigger:
        return "schedule"
    return "file" if trigger.keys() & {"events", "settle"} else None


def _section(
    model: type[AnySection],
    place: ConfigPath,
    value: object,
    report: ErrorReport,
) -> tuple[AnySection | None, set[str]]:
    """Validate one table; gives it without its broken keys, and their names."""
    try:
        return model.model_validate(value), set()
    except ValidationError as refusal:
        errors = refusal.errors(include_url=False)
    broken = {str(error["loc"][0]) for error in errors if error["loc"]}
    for error in errors:
        _tell(model, place, error, value, report)
    if not isinstance(value, dict):
        return None, broken
    required = {key for key, field in model.model_fields.items() if field.is_required()}
    rest = {key: item for key, item in value.items() if key not in broken}
    rest |= {key: _STAND_INS[key] for key in broken & required}
    try:
        return model.model_validate(rest), broken
    except ValidationError:
        return None, broken


def _tell(
    model: type[Section], place: ConfigPath, error: ErrorDetails, value: object, report: ErrorReport
) -> None:
    where, raw = list(place), value
    for key in error["loc"]:
        if isinstance(raw, str):  # one string where a list was meant has no [0]
            break
        where.append(key)
        if isinstance(raw, dict):
            raw = raw.get(key, NO_VALUE)
        elif isinstance(raw, list) and isinstance(key, int):
            raw = raw[key]
    match error["type"]:
        case "extra_forbidden":
            key = str(error["loc"][-1])
            parent = _parent(model, error["loc"])
            if place == ("api",) and "token" in key.lower():
                why = "a token does not belong in the config: name a file that holds it, token_file"
            else:
                why = unknown(key, parent.model_fields)
            report.wrong(tuple(where), why, NO_VALUE if place == ("api",) else raw)
        case "missing":
            report.wrong(tuple(where), "is missing")
        case kind:
            why = reason(error, raw)
            if kind in ("literal_error", "enum") and isinstance(raw, str):
                why += did_you_mean(raw, re.findall(r"[a-z]+", why.partition(":")[2]))
            report.wrong(tuple(where), why, raw)


def _parent(model: type[Section], loc: tuple[int | str, ...]) -> type[Section]:
    """Find the model of the table in which a key stands."""
    for key in loc[:-1]:
        field = model.model_fields.get(str(key))
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            model = field.annotation
    return model


def unknown(key: str, known: Iterable[str]) -> str:
    """Say that a key is unknown, and which one may have been meant."""
    known = list(known)
    owners = [name for name, model in TYPES.items() if key in model.model_fields]
    if "title" in known and owners:
        return f"unknown key here: it belongs to {' and '.join(owners)} triggers"
    return "unknown key" + (did_you_mean(key, known) or f"; there are {', '.join(known)}")
