"""`notifyd retry`: send again what did not arrive, and what waits at once."""

import argparse
from urllib.parse import quote

from notifyd.cli import UsageError, say
from notifyd.cli.terminal import as_json, lasting, shown
from notifyd.client.http import send_request

HELP = (
    "Send a notification again that failed, expired or reached no device, or all that failed. "
    "Alone, it ends a pause: what waits is tried at once. Yours; everyone's for admins."
)

_STATUSES = ("failed", "expired", "no_device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("id", metavar="ID", nargs="?", help="as send and history print it")
    which.add_argument("--all", action="store_true", help="all that failed")
    parser.add_argument(
        "--status",
        choices=_STATUSES,
        help="with --all: all that stand so in its place; expired ones were counted in a digest",
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as it is")


def run(args: argparse.Namespace) -> int:
    if args.status and not args.all:
        raise UsageError("--status goes with --all: it says which ones")
    target = f"/v1/notifications/{quote(args.id, safe='')}/retry" if args.id else "/v1/retry"
    if args.all:
        target += f"?status={args.status or 'failed'}"
    _, answer = send_request("POST", target, socket_path=args.socket)
    say(as_json(answer) if args.json else _told(answer))
    return 0


def _told(answer: dict[str, object]) -> str:
    rows = answer.get("notifications")
    if isinstance(rows, list):
        return "\n".join(f"{shown(row.get('id'))} is {shown(row.get('status'))}." for row in rows)
    retried, waiting = answer.get("retried"), answer.get("waiting")
    said = f"{shown(retried)} sent again; " if retried else ""
    said += f"{shown(waiting)} waiting." if waiting else "nothing waits."
    if answer.get("more"):
        said += " There are more: run it again."
    pause = answer.get("paused_for")
    if waiting and isinstance(pause, (int, float)) and pause >= 1:
        said += f" The API asked to wait for another {lasting(pause)}."
    return said[0].upper() + said[1:]
