"""`notifyd api`: call any endpoint of the platform."""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from notifyd.cli import platform_access
from notifyd.cli.exit_status import UsageError
from notifyd.cli.output import format_json, format_table, printable, write
from notifyd.cli.platform_times import with_iso_times
from notifyd.platform.client import Client
from notifyd.platform.endpoints import ENDPOINTS, GROUPS, Endpoint, find
from notifyd.platform.errors import PlatformError
from notifyd.text.limits import clip
from notifyd.text.suggestions import did_you_mean

HELP = "Call any endpoint of the platform's API and print its answer as JSON."

EPILOG = """\
Credentials come from OBLIEN_CLIENT_ID and OBLIEN_CLIENT_SECRET, or from OBLIEN_TOKEN.

examples:
  notifyd api list sandbox
  notifyd api GET /sandbox
  notifyd api GET /sandbox/sb_1/metrics --jq memory.used
  notifyd api POST /ai/session/create -f agent_id=a1 -f namespace=ns -f end_user_id=u1
  notifyd api POST /ai/chat/upload -F file=@report.pdf
  notifyd api GET /credits/history --paginate page --table

exit status: 0 done, 1 failed, 2 wrong field or usage, 69 not reachable, 75 try again later,
77 credentials refused, 78 no credentials.
"""
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_MAX_PAGES = 1000
_MAX_INPUT = 16 << 20
_MAX_CELL = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("method", metavar="METHOD", help="GET, POST, …; or `list`")
    parser.add_argument("path", metavar="PATH", nargs="?", help="/sandbox/sb_1; or a group")
    parser.add_argument(
        "-f",
        dest="texts",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="string field, of the query for GET, else of the JSON body",
    )
    parser.add_argument(
        "-F",
        dest="values",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="field with a JSON value (3, true, null, {…}), or a file to upload: KEY=@FILE",
    )
    parser.add_argument(
        "--input", metavar="FILE", help="read the whole JSON body from FILE; - for standard input"
    )
    parser.add_argument(
        "--paginate",
        metavar="NAME",
        help="get all pages by advancing the query parameter NAME: by one, or by the number of "
        "items if NAME contains offset or skip; NAME=EXPR takes its next value from the answer",
    )
    parser.add_argument("--jq", metavar="EXPR", help="print what this JMESPath expression selects")
    parser.add_argument("--table", action="store_true", help="print a list as a table")
    platform_access.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.method == "list":
        return _list(args.path)
    request = _read_request(args)
    select = _compiled(args.jq)
    try:
        answer = asyncio.run(_fetch(args, request))
    except PlatformError as error:
        return platform_access.report_failure(error)
    selected = answer if select is None else select.search(answer)
    if select is None and not args.table:
        selected = with_iso_times(answer)
    write(_as_table(selected) if args.table else _plain(selected, bare=select is not None))
    return 0


def _list(group: str | None) -> int:
    if group is not None and group not in GROUPS:
        hint = did_you_mean(group, GROUPS) or f"; known are {', '.join(GROUPS)}"
        raise UsageError(f"unknown group {group!r}{hint}")
    header = ["GROUP", "METHOD", "PATH", "WHAT", "NEEDS"]
    rows = [header]
    rows += [
        [each.group, each.method, each.path, each.summary + _watch(each), each.needs or "-"]
        for each in ENDPOINTS
        if group in (None, each.group)
    ]
    write(format_table(rows, text=header.index("WHAT")))
    return 0


def _watch(endpoint: Endpoint) -> str:
    return " (can be watched)" if endpoint.is_watchable else ""


@dataclass(frozen=True)
class _ApiCall:
    """The requested call. files: (field, path); body: None if there is none."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    form: dict[str, str] | None = None
    files: list[tuple[str, Path]] = field(default_factory=list)


def _read_request(args: argparse.Namespace) -> _ApiCall:
    method = args.method.upper()
    if method not in _METHODS:
        raise UsageError(
            f"unknown method {args.method!r}{did_you_mean(method, _METHODS)}: "
            "use `notifyd api GET /path`, or `notifyd api list`"
        )
    if not args.path:
        raise UsageError("PATH is missing: use for example `notifyd api GET /sandbox`")
    path = args.path if args.path.startswith("/") else f"/{args.path}"
    fields: dict[str, Any] = dict(_pair(word) for word in args.texts)
    files: list[tuple[str, Path]] = []
    for word in args.values:
        name, value = _pair(word)
        if value.startswith("@"):
            files.append((name, _file(value[1:])))
        else:
            fields[name] = _json(name, value)
    if method in ("GET", "HEAD", "OPTIONS", "DELETE") and not args.input:
        if files:
            raise UsageError(f"{method} cannot upload files: use POST with -F {files[0][0]}=@FILE")
        return _ApiCall(method, path, query=fields)
    if args.paginate:
        raise UsageError("--paginate requires GET")
    if args.input:
        if fields or files:
            raise UsageError("--input cannot be combined with -f or -F")
        return _ApiCall(method, path, body=_input(args.input))
    endpoint = find(method, path)
    if files or (endpoint is not None and endpoint.upload):
        form = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in fields.items()
        }
        return _ApiCall(method, path, form=form, files=files)
    return _ApiCall(method, path, body=fields)


def _pair(word: str) -> tuple[str, str]:
    name, found, value = word.partition("=")
    if not found or not name:
        raise UsageError(f"invalid field {word!r}: use KEY=VALUE")
    return name, value


def _json(name: str, value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise UsageError(
            f"-F {name} is not a JSON value: use -f {name}=… for a string, or -F {name}=@FILE"
        ) from None


def _file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"cannot upload {name}: no such file")
    return path


def _input(name: str) -> Any:
    try:
        if name == "-":
            text = sys.stdin.buffer.read(_MAX_INPUT + 1)
        else:
            with Path(name).open("rb") as stream:
                text = stream.read(_MAX_INPUT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from None
    if len(text) > _MAX_INPUT:
        raise UsageError(f"{name} is larger than {_MAX_INPUT >> 20} MiB")
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{name} is not JSON: {error}") from None


def _compiled(expression: str | None) -> Any:
    if expression is None:
        return None
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        first = str(error).splitlines()[0]
        raise UsageError(f"invalid JMESPath expression {expression!r}: {first}") from None


async def _fetch(args: argparse.Namespace, request: _ApiCall) -> Any:
    async with platform_access.open_client(args, token=True) as client:
        if args.paginate:
            return [item async for item in _pages(client, request, args.paginate)]
        return await client.request(
            request.method,
            request.path,
            query=request.query,
            body=request.body,
            form=request.form,
            files=request.files,
        )


async def _pages(client: Client, request: _ApiCall, paginate: str) -> AsyncIterator[Any]:
    """Yield the items of all pages, until one is empty, repeats the last, or has no next."""
    name, by_answer, expression = paginate.partition("=")
    after = _compiled(expression) if by_answer else None
    by_items = any(word in name.lower() for word in ("offset", "skip"))
    position: Any = request.query.get(name)
    previous: list[Any] | None = None
    for _ in range(_MAX_PAGES):
        query = request.query if position is None else {**request.query, name: position}
        answer = await client.request(request.method, request.path, query=query)
        items = _items(answer)
        if not items or items == previous:
            return
        for item in items:
            yield item
        previous = items
        if after is not None:
            position = after.search(answer)
            if position in (None, "", False):
                return
        else:
            start = int(position) if str(position or "").isdecimal() else (0 if by_items else 1)
            position = start + (len(items) if by_items else 1)


def _items(answer: Any) -> list[Any]:
    """Return the list in an answer: the answer itself, or its only field that is a list."""
    if isinstance(answer, list):
        return answer
    lists = [v for v in answer.values() if isinstance(v, list)] if isinstance(answer, dict) else []
    if len(lists) == 1:
        return lists[0]
    raise UsageError(
        "--paginate needs an answer with one list; this one has "
        + (f"{len(lists)}" if lists else "none")
    )


def _plain(value: Any, *, bare: bool) -> str:
    """Format as JSON; a string that an expression selected stays bare, for scripts."""
    return value if bare and isinstance(value, str) else format_json(value)


def _as_table(value: Any) -> str:
    rows = value if isinstance(value, list) else None
    if rows is None and isinstance(value, dict):
        lists = [each for each in value.values() if isinstance(each, list)]
        rows = lists[0] if len(lists) == 1 else [value]
    objects = [row if isinstance(row, dict) else {"value": row} for row in rows or []]
    if not objects:
        return "(empty)"
    columns = list(dict.fromkeys(name for row in objects for name in row))
    body = [[_cell(row.get(name)) for name in columns] for row in objects]
    return format_table([[name.upper() for name in columns], *body], text=None)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    text = printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return clip(text, _MAX_CELL)
