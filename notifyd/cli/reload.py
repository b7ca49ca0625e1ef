"""`notifyd reload`: the daemon reads its configuration again."""

import argparse
import sys

from notifyd.cli import CONFIG
from notifyd.cli.terminal import as_json
from notifyd.client.http import send_request
from notifyd.model.errors import AnswerError

HELP = "Make the daemon read its configuration again; the old one goes on if the new one is wrong."

_LONGEST_BUILD = 120.0  # many patterns take a while to compile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as it is")


def run(args: argparse.Namespace) -> int:
    try:
        _, answer = send_request(
            "POST", "/v1/reload", socket_path=args.socket, within=_LONGEST_BUILD
        )
    except AnswerError as error:
        if error.answer.get("code") != "bad_config":
            raise
        _report(error.answer, as_it_is=args.json)
        print(error, file=sys.stderr)
        return CONFIG
    _report(answer, as_it_is=args.json)
    return 0


def _report(answer: dict[str, object], *, as_it_is: bool) -> None:
    if as_it_is:
        print(as_json(answer))
        return
    for problem in _listed(answer, "problems"):
        print(problem, file=sys.stderr)
    if answer.get("reloaded"):
        print("The new configuration is in force.")
    if restart := _listed(answer, "restart"):
        print(f"Only a restart changes {', '.join(restart)}.", file=sys.stderr)


def _listed(answer: dict[str, object], name: str) -> list[str]:
    found = answer.get(name)
    return [str(item) for item in found] if isinstance(found, list) else []
