"""`notifyd explain`: what each step of the shaping did with the last matches."""

import argparse
from urllib.parse import quote

from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import format_json, format_time, printable, quantity, write
from notifyd.client.http import send_request

HELP = (
    "Explain why there was or was no notification: the last matches of a trigger, and what each "
    "step of the shaping did with them."
)

EPILOG = """\
examples:
  notifyd explain build-failed
"""

ACTIONS = {
    "below_threshold": "below the threshold",
    "lapsed": "threshold not reached within the window",
    "waiting": "debouncing{until}",
    "cooling": "cooling down{until}",
    "muted": "muted{until}, then reported in one digest",
    "over_budget": "over the budget{until}, then reported in a digest",
    "outbox_full": "outbox full, reported in a digest",
    "joined": "joined a queued notification",
    "queued": "notification queued",
    "held": "delayed{until} by its sender",
    "ended_while_muted": "began and ended while muted, not reported",
    "confirming": "waiting until the change is confirmed{until}",
    "not_confirmed": "changed back before it was confirmed",
    "reminded": "reminder queued, the condition still holds",
    "awaiting_answer": "question waits for an answer in the terminal{until}",
    "answered": "no push",
    "withdrawn": "push withdrawn before it was sent",
    "answered_late": "too late to withdraw the push",
    "ignored": "no push",
    "not_told": "no reminder: muted, over the budget, or the last one is still queued",
}
"""Texts by the `did` of a step."""

Answer = dict[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "trigger", nargs="?", default="", metavar="TRIGGER", help="trigger (default: all)"
    )
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    query = f"?trigger={quote(args.trigger)}" if args.trigger else ""
    _, answer = send_request("GET", f"/v1/explain{query}", socket_path=args.socket)
    if args.json:
        write(format_json(answer))
    else:
        write("\n\n".join(map(format_trigger, _objects(answer, "triggers"))))
    return 0


def format_trigger(trigger: Answer) -> str:
    """Format the explanation of one trigger: its last steps, then what is pending."""
    counts = [quantity(trigger.get("matches", 0), "match", "matches")]
    counts.append(quantity(trigger.get("notifications", 0), "notification"))
    if below := trigger.get("below_threshold"):
        counts.append(f"{printable(below)} below the threshold")
    if quiet := trigger.get("ended_while_muted"):
        counts.append(f"{printable(quiet)} began and ended while muted")
    name, kind = printable(trigger.get("trigger")), printable(trigger.get("type"))
    steps = [line for step in _objects(trigger, "trail") for line in _step(step)]
    lines = [f"{name} ({kind}): {', '.join(counts)}", *(steps or ["  no matches yet"])]
    return "\n".join([*lines, *_pending(trigger)])


def _step(step: Answer) -> list[str]:
    number, values = step.get("matches", 0), step.get("group")
    many = f"{quantity(number, 'match', 'matches')}, " if number not in (0, 1) else ""
    group = f"[{', '.join(map(printable, values))}] " if isinstance(values, list) else ""
    until = f" until {format_time(step['until'])}" if step.get("until") else ""
    did = str(step.get("did"))
    action = ACTIONS[did].format(until=until) if did in ACTIONS else printable(did)
    if detail := step.get("detail"):
        action += f" ({printable(detail)})"
    lines = [f"  {format_time(step.get('last'))}  {group}{many}{action}"]
    if line := step.get("line"):
        lines.append(f"      {printable(line)}")
    if notification := step.get("id"):
        error = f": {printable(step['last_error'])}" if step.get("last_error") else ""
        status = printable(step.get("status", "no longer stored"))
        lines.append(f"      → {printable(notification)} {status}{error}")
    return lines


def _pending(trigger: Answer) -> list[str]:
    """Describe what is pending or held back now."""
    lines = []
    if until := trigger.get("muted_until"):
        lines.append(f"muted until {format_time(until)}")
    if unfinished := trigger.get("unfinished_bytes"):
        lines.append(
            f"{quantity(unfinished, 'byte')} without a newline at the end of a log; a line counts "
            "once it ends, or with `flush_partial`"
        )
    if isinstance(heartbeat := trigger.get("heartbeat"), dict):
        lines += _heartbeat(heartbeat)
    for session in _objects(trigger, "sessions"):
        lines.append(_session(session))
    held = trigger.get("held_back")
    for reason, count in held.items() if isinstance(held, dict) else ():
        lines.append(f"{printable(count)} held back for the next digest ({printable(reason)})")
    for group in _objects(trigger, "groups"):
        lines += _group(group)
    delivery = trigger.get("delivery")
    if isinstance(delivery, dict):
        state, error = printable(delivery.get("state")), printable(delivery.get("error"))
        lines.append(f"delivery is {state}: {error}")
    return [f"  now: {line}" for line in lines]


def _session(session: Answer) -> str:
    """Return "shop, claude-code: working; last event at …: a turn began"."""
    named = filter(None, (session.get("project"), session.get("agent")))
    state = printable(session.get("state"))
    if until := session.get("until"):
        state += f", pushed at {format_time(until)} unless answered before"
    reason = f": {printable(session['reason'])}" if session.get("reason") else ""
    last = f"last event at {format_time(session.get('last'))}{reason}"
    return f"{', '.join(map(printable, named))}: {state}; {last}"


def _heartbeat(heartbeat: Answer) -> list[str]:
    lines = ["no ping yet"]
    if heartbeat.get("last_ping"):
        when, signal = format_time(heartbeat["last_ping"]), printable(heartbeat.get("last_signal"))
        lines = [f"last ping at {when} ({signal})"]
    if deadline := heartbeat.get("deadline"):
        lines.append(f"reported at {format_time(deadline)} unless a ping comes before")
    return lines


def _group(group: Answer) -> list[str]:
    values = group.get("group")
    named = ", ".join(filter(None, map(printable, values if isinstance(values, list) else [])))
    prefix = f"[{named}] " if named else ""
    lines = []
    if below := group.get("below_threshold"):
        lines.append(f"{printable(below)} of {printable(group.get('threshold'))} for the threshold")
    if pending := group.get("pending"):
        matches = quantity(pending, "match", "matches")
        lines.append(f"{matches} to report at {format_time(group.get('told_at'))}")
    elif until := group.get("cooling_until"):
        lines.append(f"cooling down until {format_time(until)}")
    if since := group.get("lasting_since"):
        lines.append(f"condition holds since {format_time(since)}")
    if notification := group.get("waits_in"):
        lines.append(f"further matches join {printable(notification)}, which is still queued")
    return [prefix + line for line in lines]


def _objects(answer: Answer, name: str) -> list[Answer]:
    found = answer.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
