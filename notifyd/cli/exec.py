"""`notifyd exec`: run a command, then send how it ended."""

import os
import signal
import sys
from types import SimpleNamespace

from notifyd.cli.exit_status import UsageError
from notifyd.cli.options import SOCKET_HELP, Option, parse_valid
from notifyd.cli.output import format_elapsed, printable, truncate
from notifyd.client.http import send_request
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError, NotifydError

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    import argparse

    from notifyd.cli.transparent_run import FinishedCommand

HELP = (
    "Run a command with its own input, output, terminal and exit status, then send how it ended: "
    "result, duration and the last lines of its output. Without a daemon the notification is "
    "kept in a file that the daemon imports within a day."
)

EPILOG = """\
examples:
  notifyd exec -- make test
  notifyd exec -t Training --on failure --longer-than 10m -- python train.py

exit status: that of the command; 127 if it is not found, 126 if it cannot be executed.
"""

_ON = ("any", "failure", "success")
_TAIL = "20"
_ANSWER_TIMEOUT = 5.0
_LONGEST_NAME = 80
_TENTHS_BELOW = 10
_TOO_FAST = 429

_OPTIONS = (
    Option("-t", "--title", about="what to call it in the title (default: the command)"),
    Option("--on", choices=_ON, about="which results are sent (default: any)"),
    Option("--longer-than", metavar="D", about="send only if it ran for longer, such as 10s"),
    Option(
        "--tail",
        metavar="N",
        about=f"lines of output to send (default: {_TAIL}); with 0 the output is not touched",
    ),
    Option("--socket", metavar="PATH", about=SOCKET_HELP),
)


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    from argparse import REMAINDER  # noqa: PLC0415 - already imported at this point

    parser.usage = (
        "notifyd exec [-h] [-t TITLE] [--on {any,failure,success}] [--longer-than D] [--tail N] "
        "[--socket PATH] -- CMD ..."
    )
    for option in _OPTIONS:
        option.add_to(parser)
    parser.add_argument(
        "words",
        metavar="CMD ...",
        nargs=REMAINDER,
        help="the command; its exit status is returned, 127 if it is not found, 126 if it cannot "
        "be executed, 128 and the number of the signal that ended it",
    )


def read(words: list[str]) -> SimpleNamespace | None:
    """Parse a valid command line without argparse; None if argparse has to explain something.

    Options end at the command: those behind it are its own.
    """
    flags = {flag for option in _OPTIONS for flag in option.flags}
    start = 0
    while start < len(words) and words[start].startswith("-") and words[start] != "--":
        start += 2 if words[start] in flags else 1
    args = parse_valid(words[:start], _OPTIONS)
    command = words[start:]
    if args is None or args.words or not command:
        return None
    args.words = command
    return args


def run(args: "SimpleNamespace | argparse.Namespace") -> int:
    from notifyd.cli.transparent_run import HeldSignals, run_command  # noqa: PLC0415 - threads

    argv = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not argv:
        raise UsageError("name the command: notifyd exec -- CMD ...")
    longer_than, tail = _seconds(args.longer_than), _lines(args.tail)
    with HeldSignals() as signals:
        result = run_command(argv, signals, keeps_output=tail > 0)
        if result.error:
            print(f"notifyd exec: {argv[0]}: {result.error}", file=sys.stderr)
        on = args.on or "any"
        is_wanted = on == "any" or (on == "success") == (result.status == 0)
        if is_wanted and result.seconds >= longer_than:
            try:
                _send(_message(args.title or " ".join(argv), result, tail), args.socket)
            except NotifydError as error:
                print(f"notifyd exec: no notification was sent: {error}", file=sys.stderr)
    return result.status


def _seconds(text: str | None) -> float:
    """Return the value of --longer-than."""
    if text is None:
        return 0.0
    from notifyd.text.durations import parse_duration  # noqa: PLC0415 - only where it is given

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--longer-than: {error}") from None


def _lines(text: str | None) -> int:
    """Return the value of --tail."""
    if text is None:
        return int(_TAIL)
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"--tail: use a number of lines such as {_TAIL} (got {text!r})")
    return int(text[:9])


def _message(name: str, result: "FinishedCommand", tail: int) -> dict[str, object]:
    """Return the notification: its title says what happened, its body shows the last lines."""
    from notifyd.cli.message_end import end_of  # noqa: PLC0415 - only where it is sent

    title = f"{truncate(printable(name), _LONGEST_NAME)} {_outcome(result)}"
    data: dict[str, object] = {
        "outcome": "failure" if result.status else "success",
        "exit_status": str(result.status),
        "duration": f"{result.seconds:.1f}",
    }
    text = end_of(result.output, title, data, lines=tail) if tail else ""
    body = text if text.strip() else f"in {_directory()}"
    priority = "default" if result.status == 0 else "high"
    return {"title": title, "body": body, "priority": priority, "data": data}


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib takes too long
    except OSError:  # the command may have removed it
        return "a directory that is gone"


def _outcome(result: "FinishedCommand") -> str:
    """Return "succeeded after 3m 12s", "failed after 5.2s: status 2", "failed: not found"."""
    if result.error:
        return f"failed: {result.error}"
    seconds = result.seconds
    elapsed = f"{seconds:.1f}s" if seconds < _TENTHS_BELOW else format_elapsed(seconds)
    if result.status == 0:
        return f"succeeded after {elapsed}"
    return f"failed after {elapsed}: {_reason(result.status)}"


def _reason(status: int) -> str:
    """Name the signal where the status stands for one."""
    try:
        return signal.Signals(status - 128).name
    except ValueError:
        return f"status {status}"


def _send(message: dict[str, object], socket_path: str | None) -> None:
    """Send a notification, or spool it if the daemon is not available."""
    try:
        send_request(
            "POST",
            "/notifications/send",
            body=message,
            socket_path=socket_path,
            within=_ANSWER_TIMEOUT,
        )
    except (DaemonUnreachableError, DaemonAnswerError) as error:
        from notifyd.client.spool import spool_instead, spool_request  # noqa: PLC0415 - rarely

        if isinstance(error, DaemonAnswerError) and error.status == _TOO_FAST:
            spool_request("send", message, socket_path=socket_path)
        else:
            spool_instead(error, "send", message, socket_path=socket_path)
