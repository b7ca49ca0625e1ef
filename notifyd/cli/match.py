"""`notifyd match`: test a trigger's patterns against a file or the journal."""

import argparse
import io
import json
import os
import socket
import stat
import sys
from contextlib import closing
from dataclasses import replace

from notifyd.cli.exit_status import UsageError
from notifyd.cli.file_matches import FileMatches
from notifyd.cli.journal_matches import JournalMatches
from notifyd.cli.options import add_config_option
from notifyd.cli.output import quantity, write
from notifyd.config.load import load
from notifyd.config.settings import Settings
from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.model.notifications import MatchSummary
from notifyd.shaping.group import OTHERS
from notifyd.shaping.summaries import merge_summaries, summarize_one
from notifyd.text.limits import truncate_notification
from notifyd.text.redaction import redact
from notifyd.text.suggestions import did_you_mean
from notifyd.triggers import Trigger

HELP = (
    "Test the patterns of a log trigger: print each matching line as JSON, then the notification "
    "of each group. Without FILE, read standard input; a trigger with `journal` reads the journal "
    "unless input is piped in. Sends nothing. Exit status: 0 matched, 1 nothing matched, 2 or more "
    "an error, also if the output could not be written."
)

_MATCHED, _NOT_MATCHED = 0, 1
_PLACEHOLDER_ID = "0" * 36
_MAX_GROUPS_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trigger", metavar="TRIGGER", help="name of a log trigger")
    parser.add_argument("file", metavar="FILE", nargs="?", help="file to read; - is standard input")
    parser.add_argument(
        "--count",
        action="store_true",
        help="print only the number of matching lines, records or entries",
    )
    add_config_option(parser)


def run(args: argparse.Namespace) -> int:
    settings = load(args.config, os.environ).settings
    config = _log_trigger(settings, args.trigger)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 in every locale
    matches = (
        JournalMatches(args.trigger, config)
        if args.file is None and config.journal and not _has_stdin()
        else FileMatches(args.trigger, config, args.file or "-")
    )
    count, groups = 0, _Groups(_trigger(settings, args.trigger, config))
    with closing(matches):
        for position, event in matches.events():
            count += 1
            if not args.count:
                groups.add(event)
                pattern = config.patterns[int(event.facts["pattern"])]
                _write_json(**position, line=event.line, pattern=pattern, fields=event.fields)
    if args.count:
        write(str(count))
    threshold = groups.trigger.shaping.threshold
    below = 0
    for summary in groups.shown.values():
        rest = summary.count % threshold
        below += rest
        if summary.count > rest:
            reported = replace(summary, count=summary.count - rest)
            _write_json(notification=_notification(settings, groups.trigger, reported))
    if below:
        print(
            f"{quantity(below, 'match', 'matches')} below threshold = {threshold}, not reported",
            file=sys.stderr,
        )
    if number := len(groups.more):
        print(
            f"{quantity(number, 'more group')} not shown, each with its own notification",
            file=sys.stderr,
        )
    for number in filter(None, matches.timed_out.values()):
        print(
            f"{quantity(number, 'line')} could not be decided in time, because a pattern "
            "backtracks without end",
            file=sys.stderr,
        )
    return _MATCHED if count else _NOT_MATCHED


def _log_trigger(settings: Settings, name: str) -> LogTriggerConfig:
    config = settings.triggers.get(name)
    if config is None:
        known = ", ".join(settings.triggers)
        hint = did_you_mean(name, settings.triggers) or (
            f"; configured are {known}" if known else "; no triggers are configured"
        )
        raise UsageError(f"unknown trigger {name!r}{hint}")
    if not isinstance(config, LogTriggerConfig):
        raise UsageError(f"{name} is a {config.type} trigger; only log triggers have patterns")
    if not config.patterns:
        raise UsageError(f"{name} has no patterns; it reports only a stale log")
    return config


def _has_stdin() -> bool:
    """Return whether standard input is a file, a pipe or a socket: no terminal, no /dev/null."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class _Groups:
    """Summarizes matches by group as the daemon does: beyond max_groups, the others share one.

    shown: the first groups, in the order of their first match. more: the keys of the others.
    """

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.shown: dict[tuple[str, ...], MatchSummary] = {}
        self.more: set[tuple[str, ...]] = set()

    def add(self, event: Event) -> None:
        group = self.trigger.match(event).group
        summary = summarize_one(event)
        is_known = group in self.shown or group in self.more
        if not is_known and len(self.shown) + len(self.more) >= self.trigger.shaping.max_groups:
            group = (OTHERS,) * len(group)
            summary = replace(summary, is_overflow=bool(group))
        if group in self.shown or (len(self.shown) < _MAX_GROUPS_SHOWN and group not in self.more):
            self.shown[group] = merge_summaries(self.shown.get(group), summary)
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


def _notification(settings: Settings, trigger: Trigger, summary: MatchSummary) -> dict[str, object]:
    title, body = trigger.render(summary)
    if settings.text.redact:
        title, body = redact(title), redact(body)
    ours = {
        "notification_id": _PLACEHOLDER_ID,
        "trigger": trigger.name,
        "priority": trigger.config.priority.value,
        "count": str(summary.count),
    }
    title, body, _ = truncate_notification(title, body, trigger.render_data(summary) | ours)
    return {"title": title, "body": body, "count": summary.count}


def _write_json(**values: object) -> None:
    write(json.dumps(values, ensure_ascii=False))
