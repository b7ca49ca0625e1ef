"""`notifyd tail`: follow what the daemon does."""

import argparse
import json
import sys
import time
from urllib.parse import quote

from notifyd.cli.explain import ACTIONS
from notifyd.cli.options import SOCKET_HELP
from notifyd.cli.output import (
    colored,
    flush,
    format_short_time,
    printable,
    quantity,
    terminal_width,
    truncate,
    write,
)
from notifyd.client.event_stream import ReceivedEvent, follow_events
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError

HELP = (
    "Follow matches, notifications and deliveries as they happen, until Ctrl-C. It connects again "
    "when the daemon restarts. Admins see those of all users, others their own."
)

EPILOG = """\
examples:
  notifyd tail
  notifyd tail build-failed --json
"""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0
"""Seconds between two attempts to connect again."""
_UNAVAILABLE = 503
_TRIGGER_WIDTH = 20
_SHOWN_BY_NOTIFICATION = frozenset({"queued", "joined", "held", "reminded"})
"""What became of matches where an event of the notification says the same."""
_SHOWN_BY_DELIVERY = frozenset({"attempting", "delivered", "no_device", "failed"})
"""Statuses of notifications where an event of the delivery says the same, or will."""
_COLORS = {
    "delivered": "green",
    "no_device": "yellow",
    "retry": "yellow",
    "failed": "red",
    "forbidden": "red",
    "refused": "red",
    "endpoint": "red",
    "expired": "red",
    "queued": "cyan",
    "held": "cyan",
}
_GAPS = {
    "restarted": "the daemon was restarted; events before that may be missing",
    "too_old": "too many events meanwhile; some are missing",
}

Data = dict[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "trigger",
        nargs="?",
        default="",
        metavar="TRIGGER",
        help="only of this trigger; socket stands for what programs sent (default: all)",
    )
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)
    parser.add_argument("--json", action="store_true", help="print each event as a line of JSON")


def run(args: argparse.Namespace) -> int:
    """Follow until interrupted. An error ends it only if there was no connection before."""
    target = f"/v1/events?trigger={quote(args.trigger, safe='')}" if args.trigger else "/v1/events"
    last_id, is_away, pause = "", False, _FIRST_PAUSE
    while True:
        try:
            for event in follow_events(target, socket_path=args.socket, last_id=last_id):
                if is_away:
                    _note("the daemon is back")
                last_id, is_away, pause = event.id or last_id, False, _FIRST_PAUSE
                _show(event, as_json=args.json)
        except (DaemonUnreachableError, DaemonAnswerError) as error:
            if not last_id or getattr(error, "status", _UNAVAILABLE) != _UNAVAILABLE:
                raise
            if not is_away:
                _note("the daemon is away; waiting until it is back")
            is_away = True
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _note(text: str) -> None:
    print(f"notifyd tail: {text}", file=sys.stderr, flush=True)


def _show(event: ReceivedEvent, *, as_json: bool) -> None:
    if event.kind == "gap":
        _note(_GAPS.get(str(event.data.get("reason")), "events may be missing"))
    if as_json:
        values = {"event": event.kind, "event_id": event.id, **event.data}
        line = "" if event.kind == "live" else json.dumps(values, ensure_ascii=False)
    else:
        line = format_event(event)
    if line:
        write(line)
        flush()


def format_event(event: ReceivedEvent) -> str:
    """Format an event as a line: time, trigger, what happened, its text.

    Empty for one that another event says as well. At a terminal the line fits its width.
    """
    data = event.data
    match event.kind:
        case "match":
            word, what, text = "", _match(data), data.get("line")
        case "notification":
            word, what, text = str(data.get("status")), _notification(data), _headline(data)
        case "delivery":
            word, what, text = str(data.get("outcome")), _delivery(data), data.get("title")
        case _:
            return ""
    if not what:
        return ""
    trigger = truncate(printable(data.get("trigger") or "-"), _TRIGGER_WIDTH)
    head = f"{format_short_time(data.get('at'))}  {trigger:12}  "
    line = f"{head}{what}  {printable(text or '')}".rstrip()
    line = truncate(line, terminal_width())
    rest = line.removeprefix(head)
    return head + colored(rest[: len(what)], _COLORS.get(word, ""), sys.stdout) + rest[len(what) :]


def _match(data: Data) -> str:
    did, number = str(data.get("did")), data.get("matches")
    if did in _SHOWN_BY_NOTIFICATION:
        return ""
    until = f" until {format_short_time(data['until'])}" if data.get("until") else ""
    what = ACTIONS[did].format(until=until) if did in ACTIONS else printable(did)
    if detail := data.get("detail"):
        what += f" ({printable(detail)})"
    group = data.get("group")
    named = f"[{', '.join(map(printable, group))}] " if isinstance(group, list) else ""
    return named + (what if number == 0 else f"{quantity(number, 'match', 'matches')}, {what}")


def _notification(data: Data) -> str:
    status, count = printable(data.get("status")), data.get("count")
    if status == "attempting" and data.get("body"):
        status = "sending"  # at once: it was never shown as queued
    if status in _SHOWN_BY_DELIVERY or (status == "queued" and data.get("attempts")):
        return ""
    if digest := data.get("merged_into"):
        status += f" into {printable(digest)}"
    return status if count in (0, 1) else f"{status} ({printable(count)} matches)"


def _headline(data: Data) -> str:
    """Return the title and the first line of the text."""
    first, _, _ = str(data.get("body") or "").strip().partition("\n")
    return " | ".join(filter(None, [str(data.get("title") or ""), first]))


def _delivery(data: Data) -> str:
    outcome, error = str(data.get("outcome")), printable(data.get("error") or "")
    if outcome == "delivered":
        return f"delivered to {quantity(data.get('delivered', '?'), 'device')}"
    if outcome == "no_device":
        return f"no device: {error}" if error else "no device"
    again = f", next attempt at {format_short_time(data['until'])}" if data.get("until") else ""
    what = "failed" if outcome == "failed" else f"not delivered{again}"
    return f"{what}: {error}" if error else what
