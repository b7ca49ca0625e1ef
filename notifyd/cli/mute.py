"""`notifyd mute`: quiet for a while; what comes meanwhile is told in one digest afterwards."""

import argparse

from notifyd.cli import UsageError, say
from notifyd.cli.terminal import as_json, clock, shown
from notifyd.client.http import send_request

HELP = (
    "Hold back a trigger's notifications, or all but urgent ones, for a while; then they are told "
    "in one digest. `notifyd mute [TRIGGER] off` ends it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="+", metavar="[TRIGGER] DURATION", help="such as 30m, or off"
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as it is")


def run(args: argparse.Namespace) -> int:
    *names, duration = args.words
    if len(names) > 1:
        raise UsageError("notifyd mute takes at most one TRIGGER, then how long, such as 30m")
    wish = {"for": "0s" if duration == "off" else duration}
    if names:
        wish["trigger"] = names[0]
    _, answer = send_request("POST", "/v1/mute", body=wish, socket_path=args.socket)
    say(as_json(answer) if args.json else _told(answer))
    return 0


def _told(answer: dict[str, object]) -> str:
    name = shown(answer.get("trigger") or "everything but urgent")
    if not answer.get("until"):
        return f"{name}: not muted any more"
    return f"{name}: muted until {clock(answer['until'])}, then told in one digest"
