"""`notifyd status`: the state of the daemon, its problems and how to fix them."""

import argparse

from notifyd.cli.exit_status import FAILED
from notifyd.cli.options import add_daemon_options
from notifyd.cli.output import (
    format_elapsed,
    format_json,
    format_pairs,
    format_table,
    format_time,
    printable,
    write,
)
from notifyd.client.http import send_request

HELP = "Show the state of the daemon, its problems and how to fix them."

EPILOG = """\
examples:
  notifyd status
  notifyd status --check
"""

_COLUMNS = ("type", "matches", "notifications", "below_threshold", "pending")
_MISTAKES_SHOWN = 3
_DEVICE_FIX = "install the app and sign in, or open the inbox page of the relay"
_TOKEN_FIXES = {
    "missing": "set one in [api] token_file or NOTIFYD_SEND_TOKEN",
    "refused": "set a valid one in [api] token_file, or restart with another one",
    "unusable": "set one in [api] token_file or NOTIFYD_SEND_TOKEN",
}
_DIGEST_REASONS = {
    "budget": "held back by the budget",
    "storm": "merged because too many were queued at once",
    "full": "held back because the outbox was full",
    "expired": "expired before delivery",
    "mute": "held back by a mute",
    "removed": "of triggers that were changed or removed",
}

_OWN = "your own notifications; triggers, files and settings are shown to admins"
_SHOWN_RATE = 0.05
"""Notifications per hour below which a trigger counts as quiet."""

Answer = dict[str, object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check",
        action="store_true",
        help="print one line; exit status 0 if the daemon is healthy, 1 if it is not",
    )
    add_daemon_options(parser)


def run(args: argparse.Namespace) -> int:
    _, status = send_request("GET", "/v1/status", socket_path=args.socket)
    failed = args.check and status.get("healthy") is not True
    if args.json:
        write(format_json(status))
    elif args.check:
        write(_check_line(status))
    else:
        write(format_status(status))
    return FAILED if failed else 0


def _check_line(status: Answer) -> str:
    problems = [line.removeprefix("  - ") for line in _problems(status).split("\n")[1:]]
    return "; ".join([printable(status.get("status", "?")), *problems])


def format_status(status: Answer) -> str:
    """Format a status for people, the noisiest trigger first. Missing parts are left out."""
    triggers = _part(status, "triggers")
    agents = _agents(_part(status, "agents"))
    beats = _heartbeats(triggers)
    blocks = [_summary(status), _problems(status), beats, agents, _triggers(triggers)]
    return "\n\n".join(block for block in blocks if block)


def _summary(status: Answer) -> str:
    token, delivery, outbox = (_part(status, name) for name in ("token", "delivery", "outbox"))
    is_own = status.get("scope") == "own"
    up = format_elapsed(status.get("uptime"))
    rows = [["notifyd", f"{printable(status.get('version', '?'))}, up {up}"]]
    if not is_own:
        rows.append(["config", printable(status.get("config") or "none, using defaults")])
        rows.append(["api", printable(_part(status, "api").get("url", "?"))])
    rows += [
        ["token", _token(token)],
        ["delivery", _delivery(delivery, token)],
        ["outbox", _outbox(outbox)],
        *(["muted", line] for line in _muted(status)),
        *(["digest", line] for line in _digests(status)),
        *(["clock", line] for line in _gap(_part(status, "gap"))),
        ["shown", _OWN] if is_own else ["watching", _watching(status)],
        *(["waiting for", path] for path in _missing_paths(status)),
    ]
    return format_pairs(rows)


def _token(token: Answer) -> str:
    state = printable(token.get("state", "?"))
    if "source" not in token:
        return state
    source = printable(token["source"])
    return f"{state}, {'expected in' if state in ('missing', 'unusable') else 'from'} {source}"


def _delivery(delivery: Answer, token: Answer) -> str:
    state = printable(delivery.get("state", "?"))
    if state in ("ok", "refused") and token.get("state") in ("missing", "unusable"):
        return "waiting for the send token"
    if note := delivery.get("note"):
        return f"{state}; the last notification was {printable(note)}"
    pause = delivery.get("paused_for")
    paused = isinstance(pause, (int, float)) and pause >= 1
    return f"{state}, next attempt in {format_elapsed(pause)}" if paused else state


def _outbox(outbox: Answer) -> str:
    waiting, held = outbox.get("waiting", 0), outbox.get("held", 0)
    if not waiting and not held:
        return "empty"
    age = outbox.get("oldest_age")
    oldest = f", oldest {format_elapsed(age)}" if age is not None else ""
    return f"{printable(waiting)} queued, {printable(held)} delayed{oldest}"


def _digests(status: Answer) -> list[str]:
    """Describe what the next digests report, and when."""
    due_in = _part(status, "held_until")
    lines = []
    for reason, count in _part(status, "held_back").items():
        left = due_in.get(reason)
        is_due = not isinstance(left, (int, float)) or left < 1
        when = "soon" if is_due else f"in {format_elapsed(left)}"
        why = _DIGEST_REASONS.get(reason) or f"held back ({printable(reason)})"
        lines.append(f"{printable(count)} {why}; reported in one digest {when}")
    return lines


def _muted(status: Answer) -> list[str]:
    """Describe what is muted now, by a window or on demand, and until when."""
    lines = []
    all_until = _part(status, "muted").get("")
    if all_until:
        lines.append(f"all but urgent, until {format_time(all_until)}")
    for name, trigger in _part(status, "triggers").items():
        until = trigger.get("muted_until") if isinstance(trigger, dict) else None
        if until and until != all_until:
            lines.append(f"{printable(name)}, until {format_time(until)}")
    return lines


def _gap(gap: Answer) -> list[str]:
    """Describe the last suspend, or jump of the clock, since the daemon's start."""
    if not gap:
        return []
    length, end = format_elapsed(gap.get("seconds")), format_time(gap.get("at"))
    if gap.get("kind") == "suspend":
        return [f"suspended for {length}, until {end}"]
    return [f"went forward by {length} at {end}: it was set, or the machine was paused"]


def _watching(status: Answer) -> str:
    sources = _sources(status)
    if not sources:
        return "nothing: no triggers are configured"
    return ", ".join(
        f"{printable(source.get('name', '?'))} ({printable(source.get('watching', 0))})"
        for source in sources
    )


def _missing_paths(status: Answer) -> list[str]:
    found = (source.get("awaited") for source in _sources(status))
    return [printable(path) for paths in found if isinstance(paths, list) for path in paths]


def _problems(status: Answer) -> str:
    """List the problems, or say that there are none."""
    token, delivery = _part(status, "token"), _part(status, "delivery")
    found = []
    if token.get("state") in _TOKEN_FIXES and status.get("scope") != "own":
        found.append(_token_problem(token))
    elif problem := token.get("problem"):
        found.append(printable(problem))
    error = delivery.get("error")
    if error and not (found and error == token.get("problem")):
        found.append(f"delivery: {printable(error)}")
    warning = delivery.get("warning")
    if warning or delivery.get("reaches_device") is False:
        why = f": {printable(warning)}" if warning else ""
        found.append(f"the last notification reached no device{why}; {_DEVICE_FIX}")
    if failed := _part(delivery, "last_failed"):
        name = printable(failed.get("id"))
        reason = printable(failed.get("reason"))
        found.append(f"{name} failed: {reason}; `notifyd retry {name}` sends it again")
    if (store := _part(status, "outbox").get("store", "ok")) != "ok":
        found.append(f"database: {printable(store)}")
    for source in _sources(status):
        found += _source_problems(source)
    incidents = status.get("incidents")
    for incident in incidents if isinstance(incidents, list) else []:
        if isinstance(incident, dict):
            what = printable(incident.get("what") or "")
            found.append(f"{format_time(incident.get('at'))}: {what}")
    if error := _part(status, "reload").get("error"):
        found.append(f"the last reload failed, the old configuration is in use: {_mistakes(error)}")
    if not found:
        return "no problems"
    return "\n".join(["problems:", *(f"  - {line}" for line in found)])


def _mistakes(error: object) -> str:
    """Return the first mistakes of a configuration, one a line, and how many more there are."""
    lines = [printable(line) for line in str(error).splitlines()]
    more = len(lines) - _MISTAKES_SHOWN
    hint = [f"and {more} more, which `notifyd check` lists"] if more > 0 else []
    return "; ".join([*lines[:_MISTAKES_SHOWN], *hint])


def _source_problems(source: Answer) -> list[str]:
    name = printable(source.get("name", "?"))
    problems = source.get("problems")
    listed = problems if isinstance(problems, list) else []
    if source.get("dead") and not listed:
        return [f"{name}: stopped watching; see the daemon's log"]
    return [f"{name}: {printable(problem)}" for problem in listed]


def _token_problem(token: Answer) -> str:
    """Return the daemon's sentence, completed if it does not say that it is about the token."""
    state, problem = str(token.get("state")), printable(token.get("problem") or "")
    if "send token" in problem:
        return problem
    reason = f"{problem}; " if problem else ""
    return f"the send token is {state}: {reason}{_TOKEN_FIXES[state]}"


def _heartbeats(triggers: Answer) -> str:
    """List the heartbeats, those that are down first."""
    rows = [
        [
            printable(name),
            printable(heartbeat.get("state", "?")),
            _ping(heartbeat),
            format_time(heartbeat["deadline"]) if heartbeat.get("deadline") else "-",
        ]
        for name in triggers
        if (heartbeat := _part(_part(triggers, name), "heartbeat"))
    ]
    rows.sort(key=lambda row: (row[1] != "down", row[0]))
    return format_table([["HEARTBEAT", "STATE", "LAST PING", "DEADLINE"], *rows]) if rows else ""


def _agents(agents: Answer) -> str:
    """List the sessions of coding agents, the latest first."""
    listed = agents.get("sessions")
    rows = [
        [
            printable(session.get("agent", "?")),
            printable(session.get("project") or "-"),
            printable(session.get("state", "?")),
            format_time(session.get("last")),
            printable(session.get("reason") or ""),
        ]
        for session in (listed if isinstance(listed, list) else [])
        if isinstance(session, dict)
    ]
    if more := agents.get("more_sessions"):
        rows.append([f"and {printable(more)} more", "", "", "", ""])
    header = ["AGENT", "PROJECT", "STATE", "LAST EVENT", "LAST REASON"]
    return format_table([header, *rows]) if rows else ""


def _ping(heartbeat: Answer) -> str:
    """Return "2026-11-30 03:02:10 (success, ran 3m)"."""
    if not heartbeat.get("last_ping"):
        return "-"
    signal, runtime = printable(heartbeat.get("last_signal") or "?"), heartbeat.get("last_runtime")
    ran = "" if runtime is None else f", ran {format_elapsed(runtime)}"
    return f"{format_time(heartbeat['last_ping'])} ({signal}{ran})"


def _triggers(triggers: Answer) -> str:
    rows = [
        [
            *("TRIGGER", *(name.upper().replace("_", " ") for name in _COLUMNS)),
            *("PER HOUR", "LAST REASON"),
        ]
    ]

    counted = [(name, each) for name, each in triggers.items() if isinstance(each, dict)]
    for name, counts in sorted(counted, key=lambda entry: _noise(entry[1])):
        cells = [printable(counts.get(column, 0)) for column in _COLUMNS]
        per_hour = _number(counts.get("per_hour"))
        cells.append(f"{per_hour:.1f}" if per_hour >= _SHOWN_RATE else "0")
        rows.append([printable(name), *cells, printable(counts.get("reason") or "")])
    return format_table(rows) if len(rows) > 1 else ""


def _noise(counts: Answer) -> tuple[float, float]:
    """Return what sorts the trigger with the most notifications, then matches, first."""
    return -_number(counts.get("per_hour")), -_number(counts.get("matches"))


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0.0


def _sources(status: Answer) -> list[Answer]:
    found = status.get("sources")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _part(status: Answer, name: str) -> Answer:
    found = status.get(name)
    return found if isinstance(found, dict) else {}
