"""`notifyd cancel`: a notification that nobody has tried to send yet."""

import argparse
from urllib.parse import quote

from notifyd.cli.terminal import as_json, shown
from notifyd.client.http import send_request

HELP = "Cancel a notification that was not sent yet, by its id or by your key."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", help="as send and history print it")
    which.add_argument("-k", "--key", help="the key that you sent it with")
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as it is")


def run(args: argparse.Namespace) -> int:
    which = f"/{quote(args.id, safe='')}" if args.id else f"?key={quote(args.key, safe='')}"
    _, answer = send_request("DELETE", f"/v1/notifications{which}", socket_path=args.socket)
    if args.json:
        print(as_json(answer))
        return 0
    rows = answer.get("notifications")
    for row in rows if isinstance(rows, list) else []:
        print(f"{shown(row.get('id'))} is {shown(row.get('status'))}.")
    return 0
