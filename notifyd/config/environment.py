"""Settings from environment variables: NOTIFYD_RATE_LIMIT__MAX=60 is [rate_limit] max = 60."""

import json
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from notifyd.config.errors import Origins
from notifyd.config.files import MAX_DEPTH, merge_table
from notifyd.config.sections import MuteConfig, fields_by_key
from notifyd.config.settings import DELIMITER, PREFIX, Settings
from notifyd.config.triggers import TRIGGER_TYPES
from notifyd.model.notifications import Json

BASE_URL = "OBLIEN_BASE_URL"
_NOT_SETTINGS = frozenset({"NOTIFYD_CONFIG", "NOTIFYD_SEND_TOKEN", "NOTIFYD_SOCK"})
_BOOLEANS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)
"""The booleans of pydantic-settings, in lower case."""
_INJECTED_NAME = re.compile(
    r".*_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)*)"
)
_ADDRESS = re.compile(r"[a-z]+://.*", re.DOTALL)


def apply_environment(table: Json, environ: Mapping[str, str], origins: Origins) -> tuple[str, ...]:
    """Merge the settings in environment variables into the table of the files, which they beat.

    Return the names that were ignored: Kubernetes and docker links inject them for a service that
    is named notifyd.
    """
    names = [name for name in environ if name.startswith(PREFIX) and name not in _NOT_SETTINGS]
    ignored = {name for name in names if _is_injected(name, environ[name])}
    names = [name for name in names if name not in ignored]
    for name in sorted(names, key=lambda name: (name.count(DELIMITER), name)):
        keys = name.removeprefix(PREFIX).lower().split(DELIMITER, MAX_DEPTH)
        if len(keys) > 1 and keys[0] == "triggers":
            keys[1] = _trigger_name(keys[1], table.get("triggers"))
        value = _typed_value(environ[name], _find_field(keys))
        for key in reversed(keys):
            value = {key: value}
        merge_table(table, value, name, origins)
    _apply_base_url(table, environ, origins)
    return tuple(sorted(ignored))


def _is_injected(name: str, value: str) -> bool:
    """Return whether a variable describes a network service and cannot be a setting."""
    if DELIMITER in name:
        return False
    if name.endswith("_PORT") and _ADDRESS.fullmatch(value):
        return True
    return _INJECTED_NAME.fullmatch(name) is not None


def _apply_base_url(table: Json, environ: Mapping[str, str], origins: Origins) -> None:
    """Use the platform's own variable if the URL is not set in any other way."""
    api = table.get("api", {})
    if environ.get(BASE_URL) and isinstance(api, dict) and "url" not in api:
        merge_table(table, {"api": {"url": environ[BASE_URL]}}, BASE_URL, origins)


def _trigger_name(variable_part: str, triggers: object) -> str:
    """Return the trigger meant by a part of a variable's name: APP_ERRORS means app-errors."""
    if isinstance(triggers, dict):
        for name in triggers:
            if name.lower().replace("-", "_").replace(".", "_") == variable_part:
                return str(name)
    return variable_part


def _find_field(keys: list[str]) -> FieldInfo | None:
    """Return the field that a path of keys leads to; None if it is unknown or a table."""
    models: list[type[BaseModel]] = [Settings]
    field: FieldInfo | None = None
    rest = list(keys)
    while rest and models:
        key = rest.pop(0)
        field = next((fields_by_key(m)[key] for m in models if key in fields_by_key(m)), None)
        kind = field.annotation if field else None
        if key in ("triggers", "mute") and rest:
            rest.pop(0)
            models = list(TRIGGER_TYPES.values()) if key == "triggers" else [MuteConfig]
            field = None
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            models = [kind]
        else:
            models = []
    return None if rest else field


def _typed_value(text: str, field: FieldInfo | None) -> Any:
    """Convert a variable's text to the type of its field; keep the parsed value if none fits."""
    parsed = _parse(text)
    if field is None:
        return parsed if isinstance(parsed, dict) else text
    kind: Any = Annotated[field.annotation, field]
    adapter = TypeAdapter[Any](kind)
    candidates = (text, parsed) if text[:1] not in ("[", "{") else (parsed, text)
    for candidate in candidates:
        try:
            adapter.validate_python(candidate, strict=True)
        except ValidationError:
            continue
        return candidate
    if (switch := _BOOLEANS.get(text.lower())) is not None:
        with suppress(ValidationError):
            adapter.validate_python(switch, strict=True)
            return switch
    return parsed


def _parse(text: str) -> Any:
    """Parse a JSON or TOML value; return the text itself if it is neither."""
    if text in ("True", "False"):
        return text == "True"
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
