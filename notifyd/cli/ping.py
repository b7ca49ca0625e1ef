"""`notifyd ping`: report a run of a job to its heartbeat."""

import json
import re
import sys
from types import SimpleNamespace

from notifyd.cli.exit_status import UsageError
from notifyd.cli.options import SOCKET_HELP, Flag, Option, parse_valid
from notifyd.cli.output import write
from notifyd.cli.stdin import read_end
from notifyd.client.http import send_request
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    import argparse

HELP = (
    "Report a run of a job to its heartbeat. Prints nothing; returns once the ping is stored on "
    "disk. If the daemon is not available, it is kept in a file that it imports within a day."
)

EPILOG = """\
examples:
  notifyd ping nightly-backup
  notifyd ping nightly-backup start --rid 42
  notifyd ping nightly-backup 3 "cannot write: disk full"
"""

_SIGNALS = ("start", "success", "fail", "log")
_EXIT_STATUS = re.compile(r"[0-9]{1,3}")
_MAX_CHARACTERS = 8_000
"""Characters at the end of the output that are sent: the daemon keeps far fewer."""
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")

_OPTIONS = (
    Option("--rid", metavar="ID", about="id of the run: pairs its start with its end"),
    Option("--socket", metavar="PATH", about=SOCKET_HELP),
    Flag("--json", about="print the answer as JSON"),
)


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    parser.usage = (
        "notifyd ping [-h] [--rid ID] [--socket PATH] [--json] NAME [SIGNAL] [OUTPUT ... | -]"
    )
    for option in _OPTIONS:
        option.add_to(parser)
    parser.add_argument(
        "words",
        metavar="NAME [SIGNAL] [OUTPUT ... | -]",
        nargs="+",
        help="heartbeat; start, success (the default), fail, log or the exit status of the job; "
        "the job's output, which - reads from stdin",
    )


def read(words: list[str]) -> SimpleNamespace | None:
    """Parse a valid command line without argparse; None if argparse has to explain something."""
    args = parse_valid(words, _OPTIONS)
    return args if args is not None and args.words else None


def run(args: "SimpleNamespace | argparse.Namespace") -> int:
    name, *rest = args.words
    signal = rest.pop(0) if rest and rest != ["-"] else "success"
    if signal not in _SIGNALS and not _EXIT_STATUS.fullmatch(signal):
        raise UsageError(
            f"use one of {', '.join(_SIGNALS)} or an exit status before the output (got {signal!r})"
        )
    output = read_end() if rest == ["-"] else " ".join(rest)
    target = f"/v1/heartbeats/{_quote(name)}/{signal}"
    output = output[-_MAX_CHARACTERS:]
    try:
        _, answer = send_request(
            "POST",
            f"{target}?rid={_quote(args.rid)}" if args.rid else target,
            body=output.encode("utf-8", "replace"),
            socket_path=args.socket,
        )
    except (DaemonUnreachableError, DaemonAnswerError) as error:
        from notifyd.client.spool import spool_instead  # noqa: PLC0415 - only without a daemon

        request = {"name": name, "signal": signal, "rid": args.rid or "", "output": output}
        spool_instead(error, "ping", request, socket_path=args.socket)
        sentence = "the daemon is not available; the ping is spooled and counted when it runs"
        print(f"notifyd ping: {sentence}", file=sys.stderr)
        answer = {"success": True, "heartbeat": name, "status": "spooled"}
    if args.json:
        write(json.dumps(answer, ensure_ascii=False))
    return 0


def _quote(text: str) -> str:
    """Percent-encode a part of a URL; urllib takes too long to import."""
    encoded = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if chr(byte) in _SAFE else f"%{byte:02X}" for byte in encoded)
