"""`notifyd mute`: hold back notifications for a while."""

import argparse

from notifyd.cli.exit_status import UsageError
from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import format_json, format_time, printable, write
from notifyd.client.http import send_request
from notifyd.text.durations import parse_duration

HELP = (
    "Hold back the notifications of one trigger, or all but urgent ones, for a while. At the end "
    "they are reported in one digest. `notifyd mute [TRIGGER] off` ends a mute."
)

EPILOG = """\
examples:
  notifyd mute 1h
  notifyd mute build-failed 30m
  notifyd mute build-failed off
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "notifyd mute [-h] [--socket PATH] [--json] [TRIGGER] DURATION"
    parser.add_argument(
        "words",
        nargs="+",
        metavar="[TRIGGER] DURATION",
        help="trigger (default: all but urgent notifications), and a duration such as 30m, or off",
    )
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    *names, duration = args.words
    if len(names) > 1:
        raise UsageError("too many arguments; use `notifyd mute [TRIGGER] DURATION`")
    if duration != "off":
        _check_duration(duration, has_trigger=bool(names))
    body = {"for": "0s" if duration == "off" else duration}
    if names:
        body["trigger"] = names[0]
    _, answer = send_request("POST", "/v1/mute", body=body, socket_path=args.socket)
    write(format_json(answer) if args.json else _summary(answer))
    return 0


def _check_duration(text: str, *, has_trigger: bool) -> None:
    try:
        parse_duration(text)
    except ValueError as error:
        if has_trigger or text[:1].isdigit():
            raise UsageError(str(error)) from None
        raise UsageError(
            f"missing duration; use for example `notifyd mute {text} 30m`, or `notifyd mute 30m` "
            "for all but urgent notifications"
        ) from None


def _summary(answer: dict[str, object]) -> str:
    name = printable(answer.get("trigger") or "all but urgent")
    if not answer.get("until"):
        return f"{name}: not muted"
    return f"{name}: muted until {format_time(answer['until'])}, then reported in one digest"
