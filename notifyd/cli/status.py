"""`notifyd status`: what the daemon does, what is wrong, and how to mend it."""

import argparse

from notifyd.cli import say
from notifyd.cli.terminal import as_json, clock, lasting, shown, table
from notifyd.client.http import send_request

HELP = "Show what the daemon does, what is wrong and how to mend it."

_COLUMNS = ("type", "matches", "notifications", "below_threshold", "pending")
_MENDS = {
    "refused": "give it a valid one, in [api] token_file or by a restart; it goes on by itself",
    "unusable": "give it one, in [api] token_file or NOTIFYD_SEND_TOKEN",
}
_HELD_BACK = {
    "budget": "held back by the budget",
    "storm": "held back because too many waited at once",
    "full": "held back because the outbox was full",
    "expired": "not delivered in time",
    "mute": "held back by a mute",
    "removed": "of triggers that were changed or removed",
}

Answer = dict[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.add_argument("--json", action="store_true", help="print the daemon's answer as it is")


def run(args: argparse.Namespace) -> int:
    _, status = send_request("GET", "/v1/status", socket_path=args.socket)
    say(as_json(status) if args.json else described(status))
    return 0


def described(status: Answer) -> str:
    """Write a status for a person; whatever is missing is left out."""
    blocks = [_summary(status), _problems(status), _triggers(_part(status, "triggers"))]
    return "\n\n".join(block for block in blocks if block)


def _summary(status: Answer) -> str:
    token, delivery, outbox = (_part(status, name) for name in ("token", "delivery", "outbox"))
    rows = [
        [
            "notifyd",
            f"{shown(status.get('version', '?'))}, running for {lasting(status.get('uptime'))}",
        ],
        ["sends to", shown(_part(status, "api").get("url", "?"))],
        ["token", f"{shown(token.get('state', '?'))}, from {shown(token.get('source', '?'))}"],
        ["delivery", _delivery(delivery)],
        ["outbox", _outbox(outbox)],
        *(["muted", sentence] for sentence in _muted(status)),
        *(["digest", sentence] for sentence in _held_back(status)),
        ["watching", _watching(status)],
        *(["not there yet", path] for path in _awaited(status)),
    ]
    return table(rows)


def _delivery(delivery: Answer) -> str:
    text = shown(delivery.get("state", "?"))
    pause = delivery.get("paused_for")
    paused = isinstance(pause, (int, float)) and pause >= 1
    return f"{text}, tries again in {lasting(pause)}" if paused else text


def _outbox(outbox: Answer) -> str:
    waiting, held = outbox.get("waiting", 0), outbox.get("held", 0)
    if not waiting and not held:
        return "empty"
    oldest = outbox.get("oldest_age")
    age = f", the oldest for {lasting(oldest)}" if oldest is not None else ""
    return f"{shown(waiting)} waiting, {shown(held)} held by a delay{age}"


def _held_back(status: Answer) -> list[str]:
    """Say what the next digests will tell, and when."""
    until = _part(status, "held_until")
    sentences = []
    for reason, count in _part(status, "held_back").items():
        left = until.get(reason)
        soon = not isinstance(left, (int, float)) or left < 1
        when = "soon" if soon else f"in {lasting(left)}"
        why = _HELD_BACK.get(reason) or f"held back ({shown(reason)})"
        sentences.append(f"{shown(count)} {why}, told in one digest {when}")
    return sentences


def _muted(status: Answer) -> list[str]:
    """Say what is muted now, by a window or on demand, and until when."""
    sentences = []
    everything = _part(status, "muted").get("")
    if everything:
        sentences.append(f"everything but urgent, until {clock(everything)}")
    for name, trigger in _part(status, "triggers").items():
        until = trigger.get("muted_until") if isinstance(trigger, dict) else None
        if until and until != everything:
            sentences.append(f"{shown(name)}, until {clock(until)}")
    return sentences


def _watching(status: Answer) -> str:
    sources = _sources(status)
    if not sources:
        return "nothing: there are no triggers"
    return ", ".join(
        f"{shown(source.get('name', '?'))} ({shown(source.get('watching', 0))})"
        for source in sources
    )


def _awaited(status: Answer) -> list[str]:
    found = (source.get("awaited") for source in _sources(status))
    return [shown(path) for paths in found if isinstance(paths, list) for path in paths]


def _problems(status: Answer) -> str:
    """List what is wrong, each with its mend; or say that nothing is."""
    token, delivery = _part(status, "token"), _part(status, "delivery")
    found = [_token_problem(token)] if token.get("state") in _MENDS else []
    error = delivery.get("error")
    if error and not (found and error == token.get("problem")):
        found.append(f"delivery: {shown(error)}")
    if warning := delivery.get("warning"):
        found.append(f"the last notification reached nobody: {shown(warning)}")
    if failed := _part(delivery, "last_failed"):
        name = shown(failed.get("id"))
        why = shown(failed.get("reason"))
        found.append(f"{name} failed: {why}; `notifyd retry {name}` sends it again")
    if (store := _part(status, "outbox").get("store", "ok")) != "ok":
        found.append(f"storing: {shown(store)}")
    for source in _sources(status):
        name = shown(source.get("name", "?"))
        problems = source.get("problems")
        listed = problems if isinstance(problems, list) else []
        found += [f"{name}: {shown(problem)}" for problem in listed]
        if source.get("dead") and not listed:
            found.append(f"{name}: no longer watches; the daemon's log says why")
    incidents = status.get("incidents")
    for incident in incidents if isinstance(incidents, list) else []:
        if isinstance(incident, dict):
            found.append(f"{clock(incident.get('at'))}: {shown(incident.get('what') or '')}")
    if error := _part(status, "reload").get("error"):
        found.append(f"the last reload was refused, the old configuration goes on: {shown(error)}")
    if not found:
        return "All is well."
    return "\n".join(["What is wrong:", *(f"  - {line}" for line in found)])


def _token_problem(token: Answer) -> str:
    """Tell the daemon's own sentence, with what is missing in it: that it is about the token."""
    state, problem = str(token.get("state")), shown(token.get("problem") or "")
    if "send token" in problem:
        return problem
    because = f"{problem}; " if problem else ""
    return f"the send token is {state}: {because}{_MENDS[state]}"


def _triggers(triggers: Answer) -> str:
    rows = [["TRIGGER", *(name.upper().replace("_", " ") for name in _COLUMNS), "LAST REASON"]]
    for name, counts in triggers.items():
        if isinstance(counts, dict):
            cells = [shown(counts.get(column, 0)) for column in _COLUMNS]
            rows.append([shown(name), *cells, shown(counts.get("reason") or "")])
    return table(rows) if len(rows) > 1 else ""


def _sources(status: Answer) -> list[Answer]:
    found = status.get("sources")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _part(status: Answer, name: str) -> Answer:
    found = status.get(name)
    return found if isinstance(found, dict) else {}
