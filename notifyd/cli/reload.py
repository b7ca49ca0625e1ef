"""`notifyd reload`: make the daemon reload its configuration."""

import argparse
import sys

from notifyd.cli.exit_status import CONFIG
from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import format_json, quantity, write
from notifyd.client.http import send_request
from notifyd.model.errors import DaemonAnswerError

HELP = (
    "Reload the configuration. If the new one has errors, they are printed and the daemon keeps "
    "the old one."
)

EPILOG = """\
examples:
  notifyd check && notifyd reload
"""

_TIMEOUT = 120.0
"""Seconds: compiling many patterns takes a while."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    try:
        _, answer = send_request("POST", "/v1/reload", socket_path=args.socket, within=_TIMEOUT)
    except DaemonAnswerError as error:
        if error.answer.get("code") != "bad_config":
            raise
        _print_answer(error.answer, as_json=args.json)
        number = len(_strings(error.answer, "problems"))
        print(f"kept the old configuration; {quantity(number, 'problem')}", file=sys.stderr)
        return CONFIG
    _print_answer(answer, as_json=args.json)
    return 0


def _print_answer(answer: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        write(format_json(answer))
        return
    for problem in _strings(answer, "problems"):
        print(problem, file=sys.stderr)
    if answer.get("reloaded"):
        write("configuration reloaded")
    if keys := _strings(answer, "restart"):
        print(f"restart the daemon to apply {', '.join(keys)}", file=sys.stderr)


def _strings(answer: dict[str, object], name: str) -> list[str]:
    value = answer.get(name)
    return [str(item) for item in value] if isinstance(value, list) else []
