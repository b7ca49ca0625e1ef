"""`notifyd mcp`: a server of the Model Context Protocol on stdin and stdout."""

import argparse
import shlex
import signal
import sys

from notifyd.cli.options import SOCKET_HELP
from notifyd.model.errors import NotifydError

HELP = """\
Serve tools for a coding agent over the Model Context Protocol, on stdin and
stdout: notify, cancel, history, status. The agent starts this command; add it
to the agent's settings. See docs/agents.md."""

EPILOG = """\
It needs the package mcp: pip install 'workspace-notifyd[mcp]'

examples:
  claude mcp add --scope user notifyd -- notifyd mcp
  codex mcp add notifyd -- notifyd mcp
"""


class MissingLibraryError(NotifydError):
    """The package that speaks the protocol is not installed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)


def run(args: argparse.Namespace) -> int:
    try:
        from notifyd.cli.mcp_server import serve  # noqa: PLC0415 - its library is optional
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("mcp"):
            raise
        raise MissingLibraryError(
            "the Python package mcp is not installed: "
            f"{shlex.quote(sys.executable)} -m pip install 'workspace-notifyd[mcp]'"
        ) from None
    if sys.stdin is not None and sys.stdin.isatty():
        print(
            "notifyd mcp: waiting for an agent on stdin; agents start this command themselves, "
            "see `notifyd mcp --help`",
            file=sys.stderr,
        )
    # Nothing is lost by an immediate end, and a thread that reads stdin would hold up another one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve(args.socket)
    return 0
