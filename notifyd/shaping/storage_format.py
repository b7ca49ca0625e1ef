"""How the state is stored: the name and the type of every field of every kind of value.

These names are a format: databases of all earlier versions hold them. They do not depend on the
names of classes and attributes; an attribute that is renamed keeps its stored name here.

To add a field, give its attribute a default: values of earlier versions lack it, and earlier
versions ignore it. A field of an array goes to its end. A change that earlier versions would
misread needs a higher FORMAT, written as "format" into the value, and code that reads both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from enum import Enum
from typing import Any, cast

from pydantic_core import (
    CoreSchema,
    SchemaSerializer,
    SchemaValidator,
    ValidationError,
    core_schema,
    from_json,
)

from notifyd.model.events import AlertState, Event
from notifyd.model.notifications import (
    ConditionReport,
    Digest,
    Incident,
    MatchSummary,
    Notification,
    Peer,
    Priority,
    Status,
)
from notifyd.shaping.group import Condition, Group
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import GlobalState, PendingDigest, TriggerStats
from notifyd.shaping.trace import Action, TraceEntry

FORMAT = 1
"""What this version writes and reads. A value without the key "format" has format 1."""

_FORMAT_KEY = "format"


class StoredValueError(ValueError):
    """A stored value is unusable. The message is a clause that says why."""


class StoredKind:
    """Encodes and decodes the values of one kind."""

    def __init__(self, schema: CoreSchema) -> None:
        self._serializer = SchemaSerializer(schema)
        self._validator = SchemaValidator(schema)

    def encode(self, value: object) -> str:
        return self._serializer.to_json(value, by_alias=True).decode()

    def decode(self, text: str) -> Any:
        """Decode what `encode` returned; StoredValueError for anything else."""
        try:
            _check_format(text)
            return self._validator.validate_json(text)
        except ValidationError as error:
            raise StoredValueError(_reason(error)) from error


def _check_format(text: str) -> None:
    if f'"{_FORMAT_KEY}"' not in text:
        return
    try:
        value = from_json(text)
    except ValueError:
        return  # the validator says what is wrong with it
    found = value.get(_FORMAT_KEY, 1) if isinstance(value, dict) else 1
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise StoredValueError(f'"{_FORMAT_KEY}" must be a positive integer')
    if found > FORMAT:
        raise StoredValueError(
            f"a newer version of notifyd wrote it in format {found}, and this version reads "
            f"formats up to {FORMAT}"
        )


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    what = first["msg"][:1].lower() + first["msg"][1:]
    return f"{where}: {what}" if where else what


def _object(kind: type, columns: Mapping[str, tuple[str, CoreSchema]]) -> CoreSchema:
    """Store a dataclass as a JSON object. columns: by stored name, the attribute and its schema."""
    attributes = {field.name: field for field in fields(kind)}
    mapped = [attribute for attribute, _ in columns.values()]
    if sorted(mapped) != sorted(attributes):
        raise TypeError(f"{kind.__name__}: every attribute needs one stored name")
    arguments = [
        core_schema.dataclass_field(
            attribute,
            _with_default(
                schema, attributes[attribute].default, attributes[attribute].default_factory
            ),
            validation_alias=name,
            serialization_alias=name,
        )
        for name, (attribute, schema) in columns.items()
    ]
    inner = core_schema.dataclass_args_schema(kind.__name__, arguments)
    return core_schema.dataclass_schema(kind, inner, mapped, slots=True)


def _array(kind: type[tuple[Any, ...]], columns: Mapping[str, CoreSchema]) -> CoreSchema:
    """Store a NamedTuple as a JSON array. columns: by attribute, in the stored order."""
    names: Sequence[str] = kind._fields  # type: ignore[attr-defined]
    defaults: Mapping[str, object] = kind._field_defaults  # type: ignore[attr-defined]
    if list(columns) != list(names):
        raise TypeError(f"{kind.__name__}: every attribute needs its place")
    items = [_with_default(schema, defaults.get(name, MISSING)) for name, schema in columns.items()]
    surplus = core_schema.any_schema()  # what a later version appended

    def build(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return cast(Callable[..., tuple[Any, ...]], kind)(*values[: len(items)])

    array = core_schema.tuple_schema([*items, surplus], variadic_item_index=len(items))
    return core_schema.no_info_after_validator_function(build, array)


def _with_default(schema: CoreSchema, default: object, factory: object = MISSING) -> CoreSchema:
    if factory is not MISSING:
        return core_schema.with_default_schema(schema, default_factory=cast(Any, factory))
    if default is not MISSING:
        return core_schema.with_default_schema(schema, default=default)
    return schema


def _list(item: CoreSchema) -> CoreSchema:
    return core_schema.tuple_variable_schema(item)


def _optional(schema: CoreSchema) -> CoreSchema:
    return core_schema.nullable_schema(schema)


def _enum(kind: type[Enum]) -> CoreSchema:
    return core_schema.enum_schema(kind, list(kind), sub_type="str", strict=True)


_TEXT = core_schema.str_schema(strict=True)
_FLAG = core_schema.bool_schema(strict=True)
_TIME = core_schema.float_schema(strict=True, allow_inf_nan=False)
_COUNT = core_schema.int_schema(strict=True, ge=0, le=2**63 - 1)
_ACCOUNT = core_schema.int_schema(strict=True, ge=-1, le=2**63 - 1)
_TEXTS = core_schema.dict_schema(_TEXT, _TEXT)
_JSON = core_schema.dict_schema(_TEXT, core_schema.any_schema())

_EVENT = _array(
    Event,
    {
        "trigger": _TEXT,
        "wall": _TIME,
        "line": _TEXT,
        "path": _TEXT,
        "fields": _TEXTS,
        "facts": _TEXTS,
        "alert_state": _enum(AlertState),
    },
)

_SUMMARY = _object(
    MatchSummary,
    {
        "count": ("count", _COUNT),
        "first": ("first", _TIME),
        "last": ("last", _TIME),
        "first_line": ("first_line", _TEXT),
        "lines": ("lines", _list(_TEXT)),
        "paths": ("paths", _list(_TEXT)),
        "event": ("event", _EVENT),
        "course": ("condition_report", _enum(ConditionReport)),
        "reminder": ("reminder", _COUNT),
    },
)

_ALARM = _object(
    Condition,
    {
        "event": ("event", _EVENT),
        "due": ("remind_at", _TIME),
        "reminders": ("reminders", _COUNT),
        "hold": ("mute_digest_id", _TEXT),
        "row": ("reminder_id", _TEXT),
    },
)

_GROUP = _object(
    Group,
    {
        "trigger": ("trigger", _TEXT),
        "values": ("values", _list(_TEXT)),
        "identity": ("identity", _TEXT),
        "window": ("window", _list(_TIME)),
        "recent": ("window_events", _list(_EVENT)),
        "tally": ("summary", _optional(_SUMMARY)),
        "since": ("first_match_at", _TIME),
        "due": ("due", _TIME),
        "cooling": ("cooldown_until", _TIME),
        "cooldown": ("cooldown", _TIME),
        "seen": ("last_match_at", _TIME),
        "open": ("open_id", _TEXT),
        "told": ("open_summary", _optional(_SUMMARY)),
        "alarm": ("condition", _optional(_ALARM)),
    },
)

_DIGEST = _object(
    PendingDigest,
    {
        "id": ("id", _TEXT),
        "digest": (
            "digest",
            _object(
                Digest,
                {
                    "reason": ("reason", _TEXT),
                    "counts": ("counts", core_schema.dict_schema(_TEXT, _COUNT)),
                    "first": ("first", _TIME),
                    "last": ("last", _TIME),
                    "lines": ("lines", _list(_TEXT)),
                },
            ),
        ),
        "due": ("due", _TIME),
        "placed": ("queued", _FLAG),
        "priority": ("priority", _enum(Priority)),
    },
)

_LEDGER = _object(
    TriggerStats,
    {
        "matches": ("matches", _COUNT),
        "notifications": ("notifications", _COUNT),
        "below_threshold": ("below_threshold", _COUNT),
        "reason": ("reason", _TEXT),
        "quiet": ("ended_while_muted", _COUNT),
    },
)

_TRAIL = core_schema.list_schema(
    _array(
        TraceEntry,
        {
            "action": _enum(Action),
            "first": _TIME,
            "last": _TIME,
            "matches": _COUNT,
            "line": _TEXT,
            "group": _list(_TEXT),
            "until": _TIME,
            "notification_id": _TEXT,
            "detail": _TEXT,
        },
    )
)

_NOTIFICATION = _object(
    Notification,
    {
        "id": ("id", _TEXT),
        "status": ("status", _enum(Status)),
        "trigger": ("trigger", _TEXT),
        "priority": ("priority", _enum(Priority)),
        "count": ("count", _COUNT),
        "created": ("created", _TIME),
        "expires": ("expires", _TIME),
        "release": ("not_before", _TIME),
        "attempts": ("attempts", _COUNT),
        "failures": ("failures", _COUNT),
        "group": ("group", _TEXT),
        "key": ("key", _TEXT),
        "peer": (
            "peer",
            _optional(
                _object(
                    Peer,
                    {
                        "uid": ("uid", _ACCOUNT),
                        "gid": ("gid", _ACCOUNT),
                        "pid": ("pid", _ACCOUNT),
                    },
                )
            ),
        ),
        "title": ("title", _TEXT),
        "last_error": ("last_error", _TEXT),
        "merged_into": ("merged_into", _TEXT),
        "report": ("report", _optional(_JSON)),
    },
)

_BOOKS = _object(
    GlobalState,
    {
        "gate": (
            "send_state",
            _object(
                SendState,
                {
                    "sending": ("status", _enum(SendStatus)),
                    "error": ("error", _TEXT),
                    "cause": ("cause", _TEXT),
                    "nobody": ("no_device_reason", _TEXT),
                    "resume": ("backoff_until", _TIME),
                    "hold": ("retry_after_until", _TIME),
                    "streak": ("consecutive_failures", _COUNT),
                    "slots": ("slots", _list(_TIME)),
                    "refused_since": ("refused_since", _TIME),
                    "forbidden": ("last_forbidden", _optional(_NOTIFICATION)),
                    "in_flight": ("in_flight", _TEXT),
                    "worker_free": ("worker_free", _FLAG),
                },
            ),
        ),
        "spent": ("budget_spent", _list(_TIME)),
        "seed": ("seed", _TEXT),
        "serial": ("serial", _COUNT),
        "mutes": ("mutes", core_schema.dict_schema(_TEXT, _TIME)),
    },
)

_INCIDENT = _object(
    Incident,
    {
        "wall": ("wall", _TIME),
        "title": ("title", _TEXT),
        "sentence": ("message", _TEXT),
        "told": ("reported", _FLAG),
    },
)

KINDS: Mapping[str, StoredKind] = {
    "group": StoredKind(_GROUP),
    "digest": StoredKind(_DIGEST),
    "ledger": StoredKind(_LEDGER),
    "trail": StoredKind(_TRAIL),
    "books": StoredKind(_BOOKS),
    "incident": StoredKind(_INCIDENT),
}
"""By the word before the colon in the name of an entry."""
