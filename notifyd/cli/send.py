"""`notifyd send`: one message, through the daemon's socket."""

import json
import re
import sys
from types import SimpleNamespace

from notifyd.cli import REFUSED, UsageError, say
from notifyd.cli.options import Flag, Option, plain
from notifyd.client.http import send_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

HELP = "Send a notification through the daemon; prints its id once it is safely on disk."

_PRIORITIES = ("min", "low", "default", "high", "urgent")
_ANSWER_TIME = 10.0
_LONGEST_WAIT = 60.0
_MOST_CHARACTERS = 8_000  # the daemon shortens far below; so a piped log stays within max_body
_CHUNK = 1 << 16
_MOST_READ = 8 << 20  # bytes of stdin, so that a writer of that much need not fail
_OURS = ("notification_id", "trigger", "priority", "count")
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|[smhdw]))+")
_ACCEPTED = 202
_FIGURES = ("delivered", "failed", "devices")


_OPTIONS = (
    Option("-t", "--title", about="the first line on the phone"),
    Option("-p", "--priority", choices=_PRIORITIES, about="how much it may disturb"),
    Option("-d", "--data", metavar="k=v", many=True, about="an entry of its data; may be repeated"),
    Option("-k", "--key", about="replaces your notification of that key, if it was not sent yet"),
    Option("--delay", metavar="D", about="hold it for so long, such as 30s; it can be cancelled"),
    Option(
        "--wait",
        metavar="D",
        bare="30s",
        about="wait for the delivery, 30s unless D is given, and print its figures",
    ),
    Option("--socket", metavar="PATH", about="the daemon's socket"),
    Flag("--json", about="print the daemon's answer as it is"),
)


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    for option in _OPTIONS:
        option.describe(parser)
    parser.add_argument("words", metavar="BODY", nargs="*", help="the text; - reads it from stdin")


def read(words: list[str]) -> SimpleNamespace | None:
    found = plain(words, _OPTIONS)
    if found and len(found.words) == 1 and "--wait" in words:
        (body,) = found.words
        after = words[words.index("--wait") + 1 :]
        if after[:1] == [body] and _DURATION.fullmatch(body):
            raise UsageError(
                f"--wait takes its duration after a sign: --wait={body}, "
                f"and then the BODY (for the text {body!r} itself: --wait -- {body})"
            )
    return found


def run(args: "SimpleNamespace | argparse.Namespace") -> int:
    message = _message(args)
    wait = args.wait or ""
    if not wait.replace(".", "").isalnum() and args.wait is not None:
        raise UsageError(f'--wait: write it like "5s" or "1m" (got {wait!r})')
    status, answer = send_request(
        "POST",
        "/notifications/send" + (f"?wait={wait}" if wait else ""),
        body=message,
        socket_path=args.socket,
        within=_ANSWER_TIME + (_LONGEST_WAIT if wait else 0),
    )
    if ours := [name for name in _OURS if any(entry.startswith(f"{name}=") for entry in args.data)]:
        _warn(f"-d {', '.join(ours)}: notifyd's own names, so what you gave there was replaced")
    say(json.dumps(answer, ensure_ascii=False) if args.json else str(answer.get("id")))
    if not wait:
        return 0
    if status == _ACCEPTED:
        return _not_in_time(str(answer.get("id")), args.socket)
    if not args.json:
        say(", ".join(f"{name} {answer.get(name, 0)}" for name in _FIGURES))
    if not answer.get("devices"):
        _warn("it was accepted, but no device is there to show it")
    return 0


def _not_in_time(notification_id: str, socket_path: str | None) -> int:
    """Say why it still waits, as far as the daemon knows; it will be told in any case."""
    target = f"/v1/notifications/{notification_id}"
    _, found = send_request("GET", target, socket_path=socket_path, within=_ANSWER_TIME)
    rows = found.get("notifications")
    if isinstance(rows, list) and rows and (digest := rows[0].get("merged_into")):
        _warn(f"it was held back, and the digest {digest} will tell it")
        return 0
    _, status = send_request("GET", "/v1/status", socket_path=socket_path, within=_ANSWER_TIME)
    delivery, token = status.get("delivery"), status.get("token")
    reason = str(delivery.get("error") or "") if isinstance(delivery, dict) else ""
    _warn("it is queued, but was not delivered in time" + (f": {reason}" if reason else ""))
    refused = isinstance(token, dict) and token.get("state") == "refused"
    return REFUSED if refused else 0


def _warn(sentence: str) -> None:
    print(f"notifyd send: {sentence}", file=sys.stderr)


def _message(args: "SimpleNamespace | argparse.Namespace") -> dict[str, object]:
    words = [_stdin()] if args.words == ["-"] else args.words
    message: dict[str, object] = {
        name: value
        for name in ("title", "priority", "key", "delay")
        if (value := getattr(args, name)) is not None
    }
    if words:
        message["body"] = " ".join(words)[:_MOST_CHARACTERS]
    if "title" not in message and "body" not in message:
        raise UsageError("nothing to send: give a BODY, or - to read it from stdin, or -t TITLE")
    data = {}
    for entry in args.data:
        name, found, value = entry.partition("=")
        if not found or not name:
            raise UsageError(f"-d: write it as k=v (got {entry!r})")
        data[name] = value
    if data:
        message["data"] = data
    return message


def _stdin() -> str:
    """Keep the beginning; read on for a while, for a writer that ends is not to fail."""
    if sys.stdin is None:
        raise UsageError("- stands for stdin, but that is closed")
    kept, left = bytearray(), _MOST_READ
    while left > 0 and (chunk := sys.stdin.buffer.read(_CHUNK)):
        left -= len(chunk)
        if len(kept) < _MOST_CHARACTERS * 4:
            kept += chunk
    sys.stdin.close()
    return kept.decode("utf-8", "replace").rstrip("\n")
