"""`notifyd test`: send what a trigger would send."""

import argparse
from urllib.parse import quote

from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import format_json, printable, write
from notifyd.client.http import send_request

HELP = (
    "Send a notification as a trigger would, with its body, data and priority and a sample in "
    'place of a match. Its title begins with "Test: ". Prints its id.'
)

EPILOG = """\
examples:
  notifyd test build-failed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trigger", metavar="TRIGGER", help="name of a trigger")
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    target = f"/v1/triggers/{quote(args.trigger, safe='')}/test"
    _, answer = send_request("POST", target, socket_path=args.socket)
    write(format_json(answer) if args.json else printable(answer.get("id")))
    return 0
