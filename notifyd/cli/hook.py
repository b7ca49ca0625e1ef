"""`notifyd hook`: report what a coding agent does, and install the hooks that report it.

An agent waits for each of its hooks, and exit status 2 tells some to undo or repeat something. So
a report never fails, never waits long, prints nothing but what the agent wants, and never reaches
argparse.
"""

import json
import os
import sys
from contextlib import suppress
from time import time
from types import SimpleNamespace

from notifyd.agents.recognition import canonical_name, neutral_answer, parse_payload
from notifyd.cli.stdin import read_within
from notifyd.client.http import send_request
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError, NotifydError

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    import argparse

    from notifyd.agents.report import HookReport

HELP = """\
Report what a coding agent does: questions, ends of turns, failures. The agent
calls this with the payload of its hook on stdin; `notifyd hook install` writes
the lines that do so into its settings. See docs/agents.md."""

_USAGE = """\
notifyd hook [AGENT] [PAYLOAD] [--verbose]
       notifyd hook install (AGENT ... | --all) [--project DIR] [--json]
       notifyd hook uninstall (AGENT ... | --all) [--project DIR] [--json]
       notifyd hook status [AGENT ...] [--project DIR] [--json]"""

EPILOG = """\
A report always exits with status 0. --verbose, or NOTIFYD_HOOK_DEBUG=1, says on stderr what became
of it.

examples:
  notifyd hook install --all
  notifyd hook status
  notifyd hook uninstall claude-code
"""

_ACTIONS = ("install", "uninstall", "status")
_DEBUG = "NOTIFYD_HOOK_DEBUG"
_LARGEST_PAYLOAD = 8 << 20
_INPUT_WITHIN = 0.8
_ANSWER_WITHIN = 0.6
_TOO_FAST, _UNAVAILABLE = 429, 503


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    from notifyd.cli.hook_settings import add_actions  # noqa: PLC0415 - not for a report

    parser.usage = _USAGE
    add_actions(parser)


def read(words: list[str]) -> SimpleNamespace | None:
    """Parse a report's command line, whatever is in it; None for the other actions and --help."""
    if words[:1] in (["--help"], ["-h"]) or (words and words[0] in _ACTIONS):
        return None
    args = SimpleNamespace(action="", agent="", payload="", socket=None, verbose=False)
    left = iter(words)
    for word in left:
        if word in ("-v", "--verbose"):
            args.verbose = True
        elif word == "--socket":
            args.socket = next(left, None)
        elif word.lstrip()[:1] == "{":
            args.payload = args.payload or word
        elif not word.startswith("-"):
            args.agent = args.agent or canonical_name(word)
    return args


def run(args: "SimpleNamespace | argparse.Namespace") -> int:
    if args.action:
        from notifyd.cli.hook_settings import run_action  # noqa: PLC0415 - not for a report

        return run_action(args)
    try:
        result = _report(args)
    except NotifydError as error:
        result = str(error)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - an agent cannot fix anything
        result = f"{type(error).__name__}: {error}"
    if args.verbose or os.environ.get(_DEBUG):
        with suppress(OSError, ValueError):  # it may be closed
            print(f"notifyd hook: {result}", file=sys.stderr, flush=True)
    return 0


def _report(args: "SimpleNamespace | argparse.Namespace") -> str:
    """Report what a payload says, and return what became of it, in words."""
    now = time()
    payload, problem = _payload(args.payload)
    with suppress(OSError):  # it may be closed, and nobody may read it
        os.write(1, neutral_answer(payload, args.agent).encode())
    if problem:
        return problem
    report = parse_payload(payload, args.agent)
    if isinstance(report, str):
        return f"nothing to report: {report}"
    _add_directory(report.body)
    report.body["time"] = round(now, 3)
    return _send(report, args.socket)


def _payload(word: str) -> tuple[dict[str, object], str]:
    """Return the payload, from the command line or stdin, and what is wrong with it."""
    raw: str | bytes | None = word or read_within(_INPUT_WITHIN, _LARGEST_PAYLOAD)
    if raw is None:
        return {}, f"the payload is larger than {_LARGEST_PAYLOAD >> 20} MiB"
    if not raw.strip():
        return {}, "there is no payload: an agent hands it over on stdin"
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        return {}, "the payload is not JSON, or it is incomplete"
    return (payload, "") if isinstance(payload, dict) else ({}, "the payload is not a JSON object")


def _add_directory(body: dict[str, object]) -> None:
    """Fall back on the current directory: agents run their hooks in that of the project."""
    if body.get("directory"):
        return
    with suppress(OSError):  # it may be gone
        directory = os.getcwd()  # noqa: PTH109 - pathlib takes too long
        if directory != "/":
            body["directory"] = directory
            body["project"] = body.get("project") or os.path.basename(directory)[:64]  # noqa: PTH119


def _send(report: "HookReport", socket_path: str | None) -> str:
    """Report an event to the daemon, or spool it; return what became of it."""
    try:
        _, answer = send_request(
            "POST",
            f"/v1/agents/{report.event}",
            body=report.body,
            socket_path=socket_path,
            within=_ANSWER_WITHIN,
        )
    except DaemonAnswerError as error:
        if error.status not in (_TOO_FAST, _UNAVAILABLE):
            return f"the daemon refused the {report.event}: {error}"
        return _spool(report, socket_path, str(error))
    except DaemonUnreachableError as error:
        return _spool(report, socket_path, str(error))
    return f"{report.event}: {answer.get('status')}, {answer.get('reason')}"


def _spool(report: "HookReport", socket_path: str | None, reason: str) -> str:
    # An agent at work would fill the spool, and what comes after tells the daemon the same.
    if report.event == "activity":
        return f"not reported: {reason}"
    from notifyd.client.spool import spool_request  # noqa: PLC0415 - only without a daemon

    spool_request("agent", {"event": report.event, **report.body}, socket_path=socket_path)
    return f"{report.event}: spooled, because {reason}"
