"""`notifyd cancel`: cancel a notification before its first attempt."""

import argparse
from urllib.parse import quote

from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import format_json, printable, write
from notifyd.client.http import send_request

HELP = "Cancel a notification that has not been sent, by its id or its key."

EPILOG = """\
examples:
  notifyd cancel 01a22e15-0f6b-79b3-9b1f-351c23a71cc9
  notifyd cancel --key build
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "id", metavar="ID", nargs="?", help="id, as printed by `notifyd send` and `notifyd history`"
    )
    which.add_argument("-k", "--key", help="key that the notification was sent with")
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    which = f"/{quote(args.id, safe='')}" if args.id else f"?key={quote(args.key, safe='')}"
    _, answer = send_request("DELETE", f"/v1/notifications{which}", socket_path=args.socket)
    if args.json:
        write(format_json(answer))
        return 0
    rows = answer.get("notifications")
    for row in rows if isinstance(rows, list) else []:
        write(f"{printable(row.get('id'))}: {printable(row.get('status'))}")
    return 0
