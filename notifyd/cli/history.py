"""`notifyd history`: list notifications."""

import argparse

from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import format_json, format_table, format_time, printable, write
from notifyd.client.http import send_request

HELP = "List your notifications with their status, newest first. Admins see those of all users."

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


def add_arguments(parser: argparse.ArgumentParser) -> None:
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
    query = f"?limit={args.limit}" + (f"&status={args.status}" if args.status else "")
    _, answer = send_request("GET", f"/v1/notifications{query}", socket_path=args.socket)
    if args.json:
        write(format_json(answer))
        return 0
    rows = answer.get("notifications")
    cells = [_cells(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    write(format_table(cells) if cells else "no notifications")
    return 0


def _cells(row: dict[str, object]) -> list[str]:
    text = printable(row.get("title") or row.get("body") or "")
    if error := row.get("last_error"):
        text += f"  ({printable(error)})"
    if digest := row.get("merged_into"):
        text += f"  (merged into {printable(digest)})"
    count = row.get("count")
    return [
        format_time(row.get("created")),
        str(row.get("status", "?")),
        printable(row.get("trigger") or "-"),
        f"{count}x" if isinstance(count, int) and count > 1 else "",
        str(row.get("id", "?")),
        text,
    ]
