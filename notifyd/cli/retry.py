"""`notifyd retry`: send notifications again, or end a pause."""

import argparse
from urllib.parse import quote

from notifyd.cli.exit_status import UsageError
from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import format_elapsed, format_json, printable, quantity, write
from notifyd.client.http import send_request

HELP = (
    "Send a notification again that failed, expired or reached no device; with --all every one "
    "that failed. Without arguments, end a pause and try queued notifications now. This applies "
    "to your notifications, and for admins to those of all users."
)

EPILOG = """\
examples:
  notifyd retry
  notifyd retry --all
  notifyd retry --all --status no_device
"""

_STATUSES = ("failed", "expired", "no_device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "id", metavar="ID", nargs="?", help="id, as printed by `notifyd send` and `notifyd history`"
    )
    which.add_argument("--all", action="store_true", help="every notification that failed")
    parser.add_argument(
        "--status",
        choices=_STATUSES,
        metavar="STATUS",
        help="with --all: failed (default), expired (already counted in a digest) or no_device",
    )
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    if args.status and not args.all:
        raise UsageError("--status requires --all")
    target = f"/v1/notifications/{quote(args.id, safe='')}/retry" if args.id else "/v1/retry"
    if args.all:
        target += f"?status={args.status or 'failed'}"
    _, answer = send_request("POST", target, socket_path=args.socket)
    write(format_json(answer) if args.json else _summary(answer))
    return 0


def _summary(answer: dict[str, object]) -> str:
    rows = answer.get("notifications")
    if isinstance(rows, list):
        return "\n".join(
            f"{printable(row.get('id'))}: {printable(row.get('status'))}" for row in rows
        )
    retried, waiting = answer.get("retried"), answer.get("waiting")
    parts = [f"{quantity(retried, 'notification')} queued again"] if retried else []
    if answer.get("more"):
        parts.append("more are left, run the command again")
    parts.append(f"{printable(waiting)} waiting" if waiting else "none waiting")
    pause = answer.get("paused_for")
    if waiting and isinstance(pause, (int, float)) and pause >= 1:
        parts.append(f"the API asked to wait for another {format_elapsed(pause)}")
    return "; ".join(parts)
