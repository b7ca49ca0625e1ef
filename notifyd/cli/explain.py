"""`notifyd explain`: what each step of the shaping did with the last matches."""

import argparse
from urllib.parse import quote

from notifyd.cli import say
from notifyd.cli.terminal import as_json, clock, shown
from notifyd.client.http import send_request

HELP = "Say why there was or was no push: the last matches and what each step did with them."

_STEPS = {
    "below_threshold": "below the threshold",
    "lapsed": "stayed below the threshold",
    "waiting": "waits{until} for the matches to pause",
    "cooling": "cooling down{until}",
    "muted": "muted{until}, then told in one digest",
    "over_budget": "over the budget{until}, then told in a digest",
    "outbox_full": "the outbox was full: told in a digest",
    "joined": "joined a notification that waits",
    "queued": "made a notification",
    "held": "held{until}, as its sender asked",
    "ended_while_muted": "came and went while muted: not told",
    "reminded": "told once more: it still lasts",
    "not_told": "no reminder: muted, over the budget, or the last one still waits",
}

Answer = dict[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trigger", nargs="?", default="", metavar="TRIGGER")
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as it is")


def run(args: argparse.Namespace) -> int:
    query = f"?trigger={quote(args.trigger)}" if args.trigger else ""
    _, answer = send_request("GET", f"/v1/explain{query}", socket_path=args.socket)
    if args.json:
        say(as_json(answer))
    else:
        say("\n\n".join(map(described, _listed(answer, "triggers"))))
    return 0


def described(trigger: Answer) -> str:
    """Explain one trigger to a person: what happened, then what is pending."""
    counts = [f"{shown(trigger.get('matches', 0))} matches"]
    counts.append(f"{shown(trigger.get('notifications', 0))} notifications")
    if below := trigger.get("below_threshold"):
        counts.append(f"{shown(below)} below the threshold")
    if quiet := trigger.get("ended_while_muted"):
        counts.append(f"{shown(quiet)} came and went while muted")
    head = f"{shown(trigger.get('trigger'))} ({shown(trigger.get('type'))}): {', '.join(counts)}"
    steps = [line for step in _listed(trigger, "trail") for line in _step(step)]
    return "\n".join([head, *(steps or ["  nothing has matched yet"]), *_now(trigger)])


def _step(step: Answer) -> list[str]:
    number, group = step.get("matches", 0), step.get("group")
    many = f"{shown(number)} times " if isinstance(number, int) and number > 1 else ""
    whose = f"[{', '.join(map(shown, group))}] " if isinstance(group, list) else ""
    until = f" until {clock(step['until'])}" if step.get("until") else ""
    did = str(step.get("did"))
    what = _STEPS[did].format(until=until) if did in _STEPS else shown(did)
    if detail := step.get("detail"):
        what += f" ({shown(detail)})"
    lines = [f"  {clock(step.get('last'))}  {whose}{many}{what}"]
    if line := step.get("line"):
        lines.append(f"      {shown(line)}")
    if known := step.get("id"):
        error = f": {shown(step['last_error'])}" if step.get("last_error") else ""
        lines.append(f"      → {shown(known)} {shown(step.get('status', 'forgotten'))}{error}")
    return lines


def _now(trigger: Answer) -> list[str]:
    """Say what is pending, held back or in the way at this moment."""
    lines = []
    if until := trigger.get("muted_until"):
        lines.append(f"muted until {clock(until)}")
    held = trigger.get("held_back")
    for reason, count in held.items() if isinstance(held, dict) else ():
        lines.append(f"{shown(count)} held back ({shown(reason)}) for the next digest")
    for group in _listed(trigger, "groups"):
        lines += _group(group)
    delivery = trigger.get("delivery")
    if isinstance(delivery, dict):
        lines.append(f"delivery is {shown(delivery.get('state'))}: {shown(delivery.get('error'))}")
    return [f"  now: {line}" for line in lines]


def _group(group: Answer) -> list[str]:
    values = group.get("group")
    named = ", ".join(filter(None, map(shown, values if isinstance(values, list) else [])))
    whose = f"[{named}] " if named else ""
    lines = []
    if below := group.get("below_threshold"):
        lines.append(f"{shown(below)} of {shown(group.get('threshold'))} for the threshold")
    if pending := group.get("pending"):
        lines.append(f"{shown(pending)} will be told at {clock(group.get('told_at'))}")
    elif until := group.get("cooling_until"):
        lines.append(f"cooling down until {clock(until)}")
    if since := group.get("lasting_since"):
        lines.append(f"lasts since {clock(since)}")
    if waiting := group.get("waits_in"):
        lines.append(f"more matches join {shown(waiting)}, which was not tried yet")
    return [whose + line for line in lines]


def _listed(answer: Answer, name: str) -> list[Answer]:
    found = answer.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
