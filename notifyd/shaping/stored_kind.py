"""Kinds of stored values: encoding and checked decoding by a table of names and types."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import Any, cast

from pydantic_core import (
    CoreSchema,
    SchemaSerializer,
    SchemaValidator,
    ValidationError,
    core_schema,
    from_json,
)

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


def object_schema(
    kind: type,
    columns: Mapping[str, tuple[str, CoreSchema]],
    *,
    earlier_names: Mapping[str, str] | None = None,
) -> CoreSchema:
    """Store a dataclass as a JSON object. columns: by stored name, the attribute and its schema.

    earlier_names: by stored name, the one under which earlier versions stored that attribute.
    """
    aliases: dict[str, list[list[str | int]]] = {name: [[name]] for name in columns}
    for name, earlier in (earlier_names or {}).items():
        aliases[name].append([earlier])
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
            validation_alias=aliases[name],
            serialization_alias=name,
        )
        for name, (attribute, schema) in columns.items()
    ]
    inner = core_schema.dataclass_args_schema(kind.__name__, arguments)
    return core_schema.dataclass_schema(kind, inner, mapped, slots=True)


def array_schema(kind: type[tuple[Any, ...]], columns: Mapping[str, CoreSchema]) -> CoreSchema:
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


def map_schema(item: CoreSchema) -> CoreSchema:
    """Store a mapping of text as a JSON object."""
    return core_schema.dict_schema(core_schema.str_schema(strict=True), item)


def list_schema(item: CoreSchema) -> CoreSchema:
    return core_schema.tuple_variable_schema(item)


def optional_schema(schema: CoreSchema) -> CoreSchema:
    return core_schema.nullable_schema(schema)


def enum_schema(kind: type[StrEnum]) -> CoreSchema:
    return core_schema.enum_schema(
        kind,
        list(kind),
        sub_type="str",
        strict=True,
        serialization=core_schema.simple_ser_schema("str"),  # its members are texts
    )
