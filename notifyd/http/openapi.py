"""The OpenAPI document of a listener, generated from its routes and their schemas.

Source of its form: https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from notifyd.http.operations import TEXT, Content, Operation
from notifyd.http.routing import HttpRoute
from notifyd.model.notifications import Json

_REFERENCE = "#/components/schemas/{model}"
_EVERYWHERE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WITH_BODY = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.LENGTH_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_PARAMETER = re.compile(r"\{(\w+)\}")


class ErrorBody(BaseModel):
    """An error: a sentence for people, and a code for programs."""

    success: bool
    error: str
    code: str


def build_document(
    routes: Iterable[HttpRoute[Any]],
    *,
    title: str,
    version: str,
    security: Json,
    refusals: tuple[HTTPStatus, ...] = (),
) -> Json:
    """Return the document. security: schemes, of which a client chooses one; empty for none.

    refusals: statuses of errors that any request may get, such as one without the token.
    """
    described = [route for route in routes if route.operation is not None]
    references, definitions = _schemas([route.operation for route in described if route.operation])
    paths: dict[str, dict[str, object]] = {}
    for route in described:
        if route.operation is not None:
            operation = _describe(route, route.operation, references, definitions, refusals)
            paths.setdefault(route.path, {})[route.method.lower()] = operation
    components: Json = {"schemas": definitions}
    document: Json = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": components,
    }
    if security:
        components["securitySchemes"] = security
        document["security"] = [{name: []} for name in security]
    return document


Key = tuple[type[BaseModel], JsonSchemaMode]


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Key, Any], dict[str, Any]]:
    """Return references to all schemas, and their definitions."""
    wanted: dict[Key, None] = {(ErrorBody, "serialization"): None}
    for operation in operations:
        for accepted in (operation.query, operation.body):
            if accepted is not None and not isinstance(accepted, str):
                wanted[accepted, "validation"] = None
        for answer in operation.answers.values():
            if not isinstance(answer, str):
                wanted[answer, "serialization"] = None
    references, shared = models_json_schema(list(wanted), ref_template=_REFERENCE)
    return {key: references[key] for key in wanted}, shared.get("$defs", {})


def _describe(
    route: HttpRoute[Any],
    operation: Operation,
    references: dict[Key, Any],
    definitions: dict[str, Any],
    refusals: tuple[HTTPStatus, ...],
) -> Json:
    described: Json = {"summary": operation.summary, "operationId": _operation_id(route)}
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(route.path)
    ]
    if operation.query is not None:
        reference = references[operation.query, "validation"]
        parameters += _query(definitions[reference["$ref"].rpartition("/")[2]])
    if parameters:
        described["parameters"] = parameters
    statuses = {*_EVERYWHERE, *refusals, *operation.errors}
    if operation.source:
        described["externalDocs"] = {"url": operation.source}
        described["responses"] = {"default": {"description": "as that service answers"}}
        return described
    if operation.body is not None:
        statuses |= set(_WITH_BODY)
        content = _content(operation.body, "validation", references)
        described["requestBody"] = {"content": content, "required": operation.body != TEXT}
    error = _content(ErrorBody, "serialization", references)
    responses: dict[str, Json] = {
        str(status.value): {"description": status.phrase, "content": error}
        for status in sorted(statuses)
    }
    for status, answer in operation.answers.items():
        content = _content(answer, "serialization", references)
        responses[str(status.value)] = {"description": status.phrase, "content": content}
    described["responses"] = dict(sorted(responses.items()))
    return described


def _operation_id(route: HttpRoute[Any]) -> str:
    ending = ["slash"] if route.path.endswith("/") else []
    return "_".join([route.method.lower(), *re.findall(r"\w+", route.path), *ending])


def _query(schema: Json) -> list[Json]:
    properties, required = schema.get("properties"), schema.get("required")
    return [
        {
            "name": name,
            "in": "query",
            "required": isinstance(required, list) and name in required,
            "schema": _without_null(value),
        }
        for name, value in (properties.items() if isinstance(properties, dict) else ())
    ]


def _without_null(schema: Json) -> Json:
    """Return the schema of a value that cannot be null, as none in a query can."""
    choices = schema.get("anyOf")
    if not isinstance(choices, list):
        return schema
    left = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return rest | (left[0] if len(left) == 1 else {"anyOf": left})


def _content(content: Content, mode: JsonSchemaMode, references: dict[Key, Any]) -> Json:
    if isinstance(content, str):
        return {content: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": references[content, mode]}}
