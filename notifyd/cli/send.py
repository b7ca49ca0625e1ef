"""`notifyd send`: send one notification through the daemon."""

import json
import re
import sys
from itertools import pairwise
from types import SimpleNamespace

from notifyd.cli.exit_status import REFUSED, TRY_LATER, UsageError
from notifyd.cli.options import SOCKET_HELP, Flag, Option, parse_valid
from notifyd.cli.output import write
from notifyd.cli.stdin import read_end
from notifyd.client.http import LONGEST_BODY, send_request
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    import argparse

HELP = "Send a notification through the daemon. Prints its id once it is stored on disk."

EPILOG = """\
examples:
  notifyd send -t "Build finished" -d run_id=abc "all green"
  notifyd send --wait -p high "The disk is almost full"
  make 2>&1 | notifyd send -t "make has ended" --tail 20 -

exit status: 0 stored; with --wait delivered, 75 not in time, 77 the token is refused.
"""

_PRIORITIES = ("min", "low", "default", "high", "urgent")
_ANSWER_TIMEOUT = 10.0
_MAX_WAIT = 60.0
_SHORT = 1_000
"""Characters of a body that is never cut."""
_OF_THE_DAEMON = ("key", "delay", "wait", "spool", "socket")
"""Options that --direct excludes."""
_RESERVED_KEYS = ("notification_id", "trigger", "priority", "count")
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|[smhdw]))+")
_ACCEPTED = 202
_KEPT = "kept in the inbox"
"""Begins what a relay says of a notification that reached no device."""
_NO_DEVICE = (
    "no device is registered: install the app and sign in, or open the inbox page of the relay"
)
_FIGURES = ("delivered", "failed", "devices")


_OPTIONS = (
    Option("-t", "--title", about="title of the notification"),
    Option("-p", "--priority", choices=_PRIORITIES, about="priority (default: default)"),
    Option("-d", "--data", metavar="k=v", repeatable=True, about="entry of data; may be repeated"),
    Option("-k", "--key", about="replace your notification with this key if it was not sent yet"),
    Option("--delay", metavar="D", about="hold for this long, such as 30s; it can be cancelled"),
    Option(
        "--wait",
        metavar="D",
        implicit="30s",
        about="wait for the delivery, 30s unless D is given, and print its result; exit status 75 "
        "if it was not delivered in time",
    ),
    Option(
        "--tail",
        metavar="N",
        about="send only the last N lines; of a text that is too long keep the end, as with stdin",
    ),
    Option("--url", metavar="URL", about="link to open, sent as the entry url of data"),
    Flag(
        "--spool",
        about="if the daemon is not available, keep it in a file that the daemon imports when it "
        "runs, within a day",
    ),
    Flag(
        "--direct",
        about="send it straight to the API with the configured token, without the daemon and its "
        "outbox, rate and budget; exit status 75 if it may succeed later",
    ),
    Option("--socket", metavar="PATH", about=SOCKET_HELP),
    Flag("--json", about="print the answer as JSON"),
)


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    for option in _OPTIONS:
        option.add_to(parser)
    parser.add_argument("words", metavar="BODY", nargs="*", help="text; - reads it from stdin")


def read(words: list[str]) -> SimpleNamespace | None:
    """Parse a valid command line without argparse; None if argparse has to explain something."""
    for option, value in pairwise(words):
        if option == "--":
            break
        if option == "--wait" and _DURATION.fullmatch(value):
            raise UsageError(
                f"--wait takes its value after an equals sign: use --wait={value} and then a BODY; "
                f"or --wait -- {value} to send that text"
            )
    return parse_valid(words, _OPTIONS)


def run(args: "SimpleNamespace | argparse.Namespace") -> int:
    message = _message(args)
    wait = args.wait or ""
    if not wait.replace(".", "").isalnum() and args.wait is not None:
        raise UsageError(f'--wait: use a duration such as "5s" or "1m" (got {wait!r})')
    if args.direct:
        return _send_direct(message, args)
    try:
        status, answer = send_request(
            "POST",
            "/notifications/send" + (f"?wait={wait}" if wait else ""),
            body=message,
            socket_path=args.socket,
            within=_ANSWER_TIMEOUT + (_MAX_WAIT if wait else 0),
        )
    except (DaemonUnreachableError, DaemonAnswerError) as error:
        if not args.spool:
            raise
        return _spool(error, message, args)
    if reserved := [
        name for name in _RESERVED_KEYS if any(entry.startswith(f"{name}=") for entry in args.data)
    ]:
        _warn(f"-d {', '.join(reserved)}: reserved by notifyd; your value was replaced")
    write(json.dumps(answer, ensure_ascii=False) if args.json else str(answer.get("id")))
    if answer.get("over_budget"):
        _warn("over the budget; it will arrive in a digest, counted with others")
        return TRY_LATER if wait else 0
    if not wait:
        return 0
    if status == _ACCEPTED:
        return _report_timeout(str(answer.get("id")), args.socket)
    if not args.json:
        write(", ".join(f"{name} {answer.get(name, 0)}" for name in _FIGURES))
    if not answer.get("devices"):
        detail = str(answer.get("detail") or "")
        _warn(detail if detail.startswith(_KEPT) else f"accepted, but {_NO_DEVICE}")
    return 0


def _send_direct(message: dict[str, object], args: "SimpleNamespace | argparse.Namespace") -> int:
    """Send a message without the daemon; return the exit status."""
    given = [name for name in _OF_THE_DAEMON if getattr(args, name) not in (None, False)]
    if given:
        raise UsageError(f"--direct cannot be combined with --{given[0]}, which needs the daemon")
    # All that the daemon needs for sending, which takes a while.
    from notifyd.cli.direct import send_direct  # noqa: PLC0415 - imports aiohttp
    from notifyd.model.notifications import Message, Priority  # noqa: PLC0415 - as above

    data = message.get("data")
    text = Message(
        args.title or "", str(message.get("body", "")), data if isinstance(data, dict) else {}
    )
    return send_direct(text, Priority(args.priority or "default"), as_json=args.json)


def _spool(
    error: DaemonAnswerError | DaemonUnreachableError,
    message: dict[str, object],
    args: "SimpleNamespace | argparse.Namespace",
) -> int:
    """Keep a message that no daemon took; return the exit status."""
    from notifyd.client.spool import spool_instead  # noqa: PLC0415 - only without a daemon

    spooled_id = spool_instead(error, "send", message, socket_path=args.socket)
    answer = {"success": True, "id": spooled_id, "status": "spooled"}
    write(json.dumps(answer) if args.json else spooled_id)
    _warn("the daemon is not available; the notification is spooled and sent when it runs")
    return 0 if args.wait is None else TRY_LATER


def _report_timeout(notification_id: str, socket_path: str | None) -> int:
    """Print why the notification was not delivered in time; return the exit status."""
    target = f"/v1/notifications/{notification_id}"
    _, found = send_request("GET", target, socket_path=socket_path, within=_ANSWER_TIMEOUT)
    rows = found.get("notifications")
    if isinstance(rows, list) and rows and (digest := rows[0].get("merged_into")):
        _warn(f"held back and merged into the digest {digest}")
        return TRY_LATER
    _, status = send_request("GET", "/v1/status", socket_path=socket_path, within=_ANSWER_TIMEOUT)
    delivery, token = status.get("delivery"), status.get("token")
    reason = str(delivery.get("error") or "") if isinstance(delivery, dict) else ""
    _warn("queued, but not delivered in time" + (f": {reason}" if reason else ""))
    refused = isinstance(token, dict) and token.get("state") == "refused"
    return REFUSED if refused else TRY_LATER


def _warn(sentence: str) -> None:
    print(f"notifyd send: {sentence}", file=sys.stderr)


def _message(args: "SimpleNamespace | argparse.Namespace") -> dict[str, object]:
    message: dict[str, object] = {
        name: value
        for name in ("title", "priority", "key", "delay")
        if (value := getattr(args, name)) is not None
    }
    from_stdin = args.words == ["-"]
    text = read_end() if from_stdin else " ".join(args.words)
    if args.words and not (from_stdin or args.tail):
        message["body"] = text[:LONGEST_BODY]
    elif args.words:
        message["body"] = text  # its end is cut out below, when the data is known
    if "title" not in message and "body" not in message:
        raise UsageError("nothing to send: give a BODY, - to read it from stdin, or -t TITLE")
    data: dict[str, object] = {}
    for entry in args.data:
        name, separator, value = entry.partition("=")
        if not separator or not name:
            raise UsageError(f"-d: use the form k=v (got {entry!r})")
        data[name] = value
    if args.url is not None:
        data["url"] = args.url
    if data:
        message["data"] = data
    if from_stdin or args.tail:
        message["body"] = _end_of(text, args.title or "", data, lines=_line_count(args.tail))
    return message


def _line_count(text: str | None) -> int | None:
    """Return the value of --tail; None without it."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:9])):
        raise UsageError(f"--tail: use a number of lines such as 20 (got {text!r})")
    return int(text[:9])


def _end_of(text: str, title: str, data: dict[str, object], *, lines: int | None) -> str:
    """Return the end of a text: at most this many lines, and as much as a notification can show."""
    if lines is None and len(text) <= _SHORT:
        return text
    from notifyd.cli.message_end import end_of  # noqa: PLC0415 - only for a long text

    return end_of(text, title, data, lines=lines)
