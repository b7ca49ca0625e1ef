"""Names the private attribute of aiohttp that a new version lacks."""

import ast
import inspect

import aiohttp
import pytest
from aiohttp import web

from notifyd.http import aiohttp_internals
from notifyd.http.aiohttp_internals import PRIVATE_ATTRIBUTES
from notifyd.http.connection import BoundedConnection
from notifyd.http.server import BoundedServer

HINT = f"aiohttp {aiohttp.__version__} has changed what http/aiohttp_internals.py reads"


@pytest.mark.parametrize("name", PRIVATE_ATTRIBUTES)
def test_aiohttp_still_has_the_private_attribute(name: str) -> None:
    slots = {slot for base in web.RequestHandler.__mro__ for slot in getattr(base, "__slots__", ())}
    assert name in slots, HINT


def test_no_other_private_attribute_is_used() -> None:
    tree = ast.parse(inspect.getsource(aiohttp_internals))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {name for name in names if name.startswith("_")} == set(PRIVATE_ATTRIBUTES)


@pytest.mark.parametrize("kind", [BoundedConnection, BoundedServer])
def test_no_attribute_of_ours_hides_one_of_aiohttp(kind: type) -> None:
    assert not assigned(kind, "notifyd") & (assigned(kind, "aiohttp") | {*dir(web.RequestHandler)})


def assigned(kind: type, package: str) -> set[str]:
    """Return the names of the attributes that a package's classes assign in an instance."""
    sources = [
        inspect.getsource(base) for base in kind.__mro__ if base.__module__.startswith(package)
    ]
    assert sources
    return {
        node.attr
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


@pytest.mark.parametrize(
    "name",
    [
        "close",
        "connection_lost",
        "connection_made",
        "data_received",
        "eof_received",
        "finish_response",
        "force_close",
        "handle_error",
        "log_exception",
        "pause_writing",
        "resume_writing",
    ],
)
def test_aiohttp_still_calls_the_method_that_is_overridden(name: str) -> None:
    assert callable(getattr(web.RequestHandler, name, None)), HINT
