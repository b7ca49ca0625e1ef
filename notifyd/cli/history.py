"""`notifyd history`: the notifications and what became of them."""

import argparse

from notifyd.cli import say
from notifyd.cli.terminal import as_json, clock, shown, table
from notifyd.client.http import send_request

HELP = "List your notifications, newest first, with what became of them; everyone's for admins."

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
    add = parser.add_argument
    add("-n", "--limit", type=int, default=20, metavar="N", help="how many, up to 1000 (20)")
    add("--status", choices=_STATUSES, help="only those that stand so")
    add("--socket", metavar="PATH", help="the daemon's socket")
    add("--json", action="store_true", help="print the daemon's answer as it is")


def run(args: argparse.Namespace) -> int:
    query = f"?limit={args.limit}" + (f"&status={args.status}" if args.status else "")
    _, answer = send_request("GET", f"/v1/notifications{query}", socket_path=args.socket)
    if args.json:
        say(as_json(answer))
        return 0
    rows = answer.get("notifications")
    lines = [_line(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    say(table(lines) if lines else "There are none.")
    return 0


def _line(row: dict[str, object]) -> list[str]:
    text = shown(row.get("title") or row.get("body") or "")
    if error := row.get("last_error"):
        text += f"  ({shown(error)})"
    if digest := row.get("merged_into"):
        text += f"  (into {shown(digest)})"
    count = row.get("count")
    return [
        clock(row.get("created")),
        str(row.get("status", "?")),
        shown(row.get("trigger") or "-"),
        f"{count}x" if isinstance(count, int) and count > 1 else "",
        str(row.get("id", "?")),
        text,
    ]
