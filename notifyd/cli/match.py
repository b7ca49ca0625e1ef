"""`notifyd match`: run a trigger's patterns over a file or the journal with the daemon's engine."""

import argparse
import io
import json
import os
import socket
import stat
import sys
from contextlib import closing
from pathlib import Path

from notifyd.cli import UsageError, say
from notifyd.cli.entries import Entries
from notifyd.cli.lines import Lines
from notifyd.config.load import load
from notifyd.config.settings import Settings
from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.model.notifications import MatchSummary
from notifyd.shaping.matches import OTHERS
from notifyd.shaping.summaries import merge_summaries, summarize_one
from notifyd.text.limits import truncate_notification
from notifyd.text.redaction import redact
from notifyd.text.suggestions import did_you_mean
from notifyd.triggers import Trigger

HELP = (
    "Run a log trigger's patterns over a file and print each matching line as JSON, then the "
    "notification that each group of them would make. Without a file, and with nothing piped in, "
    "a trigger with journal looks at its units' entries in the journal. Sends nothing. Exit "
    "status: 0 matched, 1 none, 2 or more an error, also when the reader of the output left early."
)

_MATCHED, _NONE = 0, 1
_ID = "0" * 36
_GROUPS_TOLD = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trigger", metavar="TRIGGER", help="the name of a log trigger")
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="- or none: stdin, or the journal for a trigger with journal if nothing is piped in",
    )
    parser.add_argument(
        "--count", action="store_true", help="print only how many lines, records or entries match"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the usual places")


def run(args: argparse.Namespace) -> int:
    settings = load(args.config, os.environ).settings
    config = _log_trigger(settings, args.trigger)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # which JSON is, in every locale
    found = (
        Entries(args.trigger, config)
        if args.file is None and config.journal and not _piped()
        else Lines(args.trigger, config, args.file or "-")
    )
    count, groups = 0, _Groups(_trigger(settings, args.trigger, config))
    with closing(found):
        for told, event in found.events():
            count += 1
            if not args.count:
                groups.count(event)
                pattern = config.patterns[int(event.facts["pattern"])]
                _print(**told, line=event.line, pattern=pattern, fields=event.fields)
    if args.count:
        say(str(count))
    for tally in groups.told.values():
        _print(notification=_notification(settings, groups.trigger, tally))
    if more := len(groups.more):
        print(
            f"{more} more group{'s' * (more > 1)} would each make a notification of "
            f"{'their' if more > 1 else 'its'} own",
            file=sys.stderr,
        )
    for late in filter(None, found.undecided.values()):
        print(
            f"{late} line{'s' * (late > 1)} could not be decided in time, "
            "because a pattern backtracks without end",
            file=sys.stderr,
        )
    return _MATCHED if count else _NONE


def _log_trigger(settings: Settings, name: str) -> LogTriggerConfig:
    config = settings.triggers.get(name)
    if config is None:
        known = ", ".join(settings.triggers) or "none"
        meant = did_you_mean(name, settings.triggers) or f": there are: {known}"
        raise UsageError(f"there is no trigger {name}{meant}")
    if not isinstance(config, LogTriggerConfig):
        raise UsageError(f"{name} is a {config.type} trigger: only log triggers have patterns")
    if not config.patterns:
        raise UsageError(f"{name} has no patterns: it tells of silence, which no file can show")
    return config


def _piped() -> bool:
    """Whether standard input was given something to read: no terminal and no /dev/null."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class _Groups:
    """Counts matches by group as the daemon does: beyond max_groups, the others share one.

    told: the first groups, in the order of their first match. more: the rest, only by name.
    """

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.told: dict[tuple[str, ...], MatchSummary] = {}
        self.more: set[tuple[str, ...]] = set()

    def count(self, event: Event) -> None:
        group = self.trigger.match(event).group
        known = group in self.told or group in self.more
        if not known and len(self.told) + len(self.more) >= self.trigger.shaping.max_groups:
            group = (OTHERS,) * len(group)
        if group in self.told or (len(self.told) < _GROUPS_TOLD and group not in self.more):
            self.told[group] = merge_summaries(self.told.get(group), summarize_one(event))
        else:
            self.more.add(group)


def _trigger(settings: Settings, name: str, config: LogTriggerConfig) -> Trigger:
    return Trigger(
        name,
        config,
        settings.defaults,
        host=socket.gethostname(),
        workspace=os.environ.get("OBLIEN_WORKSPACE_ID", ""),
        redact=redact if settings.text.redact else str,
    )


def _notification(settings: Settings, trigger: Trigger, tally: MatchSummary) -> dict[str, object]:
    title, body = trigger.render(tally)
    if settings.text.redact:
        title, body = redact(title), redact(body)
    ours = {
        "notification_id": _ID,
        "trigger": trigger.name,
        "priority": trigger.config.priority.value,
        "count": str(tally.count),
    }
    title, body, _ = truncate_notification(title, body, trigger.config.data | ours)
    return {"title": title, "body": body, "count": tally.count}


def _print(**values: object) -> None:
    say(json.dumps(values, ensure_ascii=False))
