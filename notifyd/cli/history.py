"""`notifyd history`: list notifications."""

import argparse
import sys
import textwrap
from urllib.parse import urlencode

from notifyd.cli.exit_status import UsageError
from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import (
    colored,
    format_json,
    format_pairs,
    format_short_time,
    printable,
    terminal_width,
    truncate,
    write,
)
from notifyd.client.http import send_request
from notifyd.text.durations import parse_duration

HELP = "List your notifications with their status, newest first. Admins see those of all users."

EPILOG = """\
examples:
  notifyd history --since 1h
  notifyd history build-failed --status failed --json
"""

_STATUSES = (
    "held",
    "queued",
    "attempting",
    "delivered",
    "no_device",
    "failed",
    "expired",
    "cancelled",
    "replaced",
    "merged",
)
_COLORS = {
    "failed": "red",
    "expired": "red",
    "no_device": "yellow",
    "held": "cyan",
    "queued": "cyan",
    "attempting": "cyan",
    "delivered": "green",
}
_FINISHED = ("delivered", "cancelled", "replaced", "merged")
"""Statuses of notifications whose id is of no use to a command."""
_TRIGGER_WIDTH = 20
_INDENT = "    "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "trigger",
        nargs="?",
        default="",
        metavar="TRIGGER",
        help="only of this trigger; socket stands for what programs sent (default: all)",
    )
    parser.add_argument(
        "--since", metavar="D", default="", help="only of the last D, such as 30m, 1h or 7d"
    )
    parser.add_argument(
        "-n",
        "--limit",
        type=int,
        default=20,
        metavar="N",
        help="number of notifications, at most 1000 (default: 20)",
    )
    parser.add_argument(
        "--status",
        choices=_STATUSES,
        metavar="STATUS",
        help=f"only this status: {', '.join(_STATUSES)}",
    )
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    if args.since:
        _check_duration(args.since)
    given = {"status": args.status, "trigger": args.trigger, "since": args.since}
    query = urlencode({"limit": args.limit} | {key: value for key, value in given.items() if value})
    _, answer = send_request("GET", f"/v1/notifications?{query}", socket_path=args.socket)
    if args.json:
        write(format_json(answer))
        return 0
    found = answer.get("notifications")
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    write(format_history(rows, terminal_width()) if rows else "no notifications")
    return 0


def _check_duration(text: str) -> None:
    try:
        parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--since: {error}") from None


def format_history(rows: list[dict[str, object]], width: int) -> str:
    """Format notifications: a line each, below it the id where a command needs it and the reason.

    No line is longer than `width` unless a single word is.
    """
    heads = format_pairs([_head(row) for row in rows]).split("\n")
    lines = []
    for row, head in zip(rows, heads, strict=True):
        text = printable(row.get("title") or row.get("body") or "")
        line = truncate(f"{head}  {text}", width)
        status = printable(row.get("status", "?"))
        lines.append(line.replace(status, colored(status, _COLORS.get(status, ""), sys.stdout), 1))
        if details := _details(row):
            wrapped = textwrap.wrap(details, width - len(_INDENT), break_long_words=False)
            lines += [_INDENT + part for part in wrapped]
    return "\n".join(lines)


def _head(row: dict[str, object]) -> list[str]:
    count = row.get("count")
    return [
        format_short_time(row.get("created")),
        printable(row.get("status", "?")),
        truncate(printable(row.get("trigger") or "-"), _TRIGGER_WIDTH),
        f"{count}x" if isinstance(count, int) and count > 1 else "",
    ]


def _details(row: dict[str, object]) -> str:
    """Return the id of a notification that a command can change, and what happened to it."""
    parts = [] if row.get("status") in _FINISHED else [printable(row.get("id", "?"))]
    if error := row.get("last_error"):
        parts.append(printable(error))
    if digest := row.get("merged_into"):
        parts.append(f"merged into {printable(digest)}")
    return ": ".join(parts)
