"""Settings from the environment: NOTIFYD_RATE_LIMIT__MAX=60 is [rate_limit] max = 60."""

import json
import tomllib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from notifyd.config.errors import Origins
from notifyd.config.files import merge
from notifyd.config.sections import MuteConfig
from notifyd.config.settings import DELIMITER, PREFIX, Settings
from notifyd.config.triggers import TYPES
from notifyd.model.notifications import Json

BASE_URL = "OBLIEN_BASE_URL"
_NO_SETTINGS = frozenset({"NOTIFYD_CONFIG", "NOTIFYD_SEND_TOKEN", "NOTIFYD_SOCK"})


def apply_environment(base: Json, environ: Mapping[str, str], origins: Origins) -> None:
    """Merge what the environment sets into the table from the files: it beats them."""
    names = [name for name in environ if name.startswith(PREFIX) and name not in _NO_SETTINGS]
    for name in sorted(names, key=lambda name: (name.count(DELIMITER), name)):
        keys = name.removeprefix(PREFIX).lower().split(DELIMITER)
        if len(keys) > 1 and keys[0] == "triggers":
            keys[1] = _trigger_meant(keys[1], base.get("triggers"))
        value = _typed(environ[name], _field(keys))
        for key in reversed(keys):
            value = {key: value}
        merge(base, value, name, origins)
    _base_url(base, environ, origins)


def _base_url(base: Json, environ: Mapping[str, str], origins: Origins) -> None:
    """Take the platform's own variable where nothing of ours names the URL."""
    api = base.get("api", {})
    if environ.get(BASE_URL) and isinstance(api, dict) and "url" not in api:
        merge(base, {"api": {"url": environ[BASE_URL]}}, BASE_URL, origins)


def _trigger_meant(name: str, triggers: object) -> str:
    """Find the trigger whose name a variable cannot spell: app-errors is APP_ERRORS there."""
    if isinstance(triggers, dict):
        for known in triggers:
            if known.lower().replace("-", "_").replace(".", "_") == name:
                return str(known)
    return name


def _field(keys: list[str]) -> FieldInfo | None:
    models: list[type[BaseModel]] = [Settings]
    field: FieldInfo | None = None
    rest = list(keys)
    while rest and models:
        key = rest.pop(0)
        field = next((m.model_fields[key] for m in models if key in m.model_fields), None)
        kind = field.annotation if field else None
        if key in ("triggers", "mute") and rest:
            rest.pop(0)
            models, field = list(TYPES.values()) if key == "triggers" else [MuteConfig], None
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            models = [kind]
        else:
            models = []
    return None if rest else field


def _typed(text: str, field: FieldInfo | None) -> Any:
    """Read a variable's text as the type that its key wants; as it stands where none fits."""
    parsed = _parsed(text)
    if field is None:
        return parsed if isinstance(parsed, dict) else text
    kind: Any = Annotated[field.annotation, field]
    adapter = TypeAdapter[Any](kind)
    as_text_first = (text, parsed) if text[:1] not in ("[", "{") else (parsed, text)
    for candidate in as_text_first:
        try:
            adapter.validate_python(candidate, strict=True)
        except ValidationError:
            continue
        return candidate
    return parsed


def _parsed(text: str) -> Any:
    """Read JSON or a TOML value; the text itself where it is neither."""
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
