"""`notifyd match`: test a trigger's patterns against a file or the journal."""

import argparse
import io
import json
import os
import socket
import stat
import sys
import time
from contextlib import closing
from datetime import datetime

from notifyd.cli.exit_status import UsageError
from notifyd.cli.file_matches import FileMatches
from notifyd.cli.journal_matches import JournalMatches
from notifyd.cli.options import add_config_option
from notifyd.cli.output import quantity, write
from notifyd.cli.shaping_preview import ShapingPreview
from notifyd.config.load import load
from notifyd.config.settings import Settings
from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.records.progress import is_watched
from notifyd.text.durations import format_duration
from notifyd.text.redaction import redact
from notifyd.text.suggestions import did_you_mean
from notifyd.triggers import Trigger

HELP = (
    "Test a log trigger: print each matching line as JSON, then the notifications that the shaping "
    "would make of them, as if all lines came now; journal entries count at their own time. "
    "Without FILE, read standard input; a trigger with `journal` reads the journal unless input is "
    "piped in. Sends nothing."
)

EPILOG = """\
examples:
  notifyd match build-failed build.log
  tail -n 1000 /var/log/app.log | notifyd match app-errors --count

exit status: 0 matched, 1 nothing matched, 2 or more an error, also if the output could not be
written.
"""

_MATCHED, _NOT_MATCHED = 0, 1


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
    trigger = _trigger(settings, args.trigger, config)
    count, preview, now = 0, None, time.time()
    with closing(matches):
        for position, event in matches.events():
            count += 1
            if not args.count:
                wall = event.wall if matches.has_times else now
                if not is_watched(config, event):
                    preview = preview or ShapingPreview(settings, trigger, wall)
                    preview.add(event, wall)
                pattern = config.patterns[int(event.facts["pattern"])]
                _write_json(**position, line=event.line, pattern=pattern, fields=event.fields)
    if args.count:
        write(str(count))
    if preview is not None:
        _report(preview, trigger.shaping.threshold, has_times=matches.has_times)
    for number in filter(None, matches.timed_out.values()):
        print(
            f"{quantity(number, 'line')} could not be decided in time, because a pattern "
            "backtracks without end",
            file=sys.stderr,
        )
    return _MATCHED if count else _NOT_MATCHED


def _report(preview: ShapingPreview, threshold: int, *, has_times: bool) -> None:
    """Print the notifications, each with when it would be sent: how long after the lines, or at."""
    preview.finish()
    for sent in preview.shown:
        when = {"after": format_duration(sent.wall - preview.start)}
        if has_times:
            moment = datetime.fromtimestamp(sent.wall).astimezone()
            when = {"at": moment.isoformat(timespec="milliseconds")}
        title, body = sent.payload.title, sent.payload.body
        _write_json(notification={"title": title, "body": body, "count": sent.matches, **when})
    if below := preview.below_threshold:
        print(
            f"{quantity(below, 'match', 'matches')} below threshold = {threshold}, not reported",
            file=sys.stderr,
        )
    if preview.held_back:
        print(
            f"{quantity(preview.held_back, 'match', 'matches')} held back by a mute that does not "
            "end within a week",
            file=sys.stderr,
        )
    if preview.more:
        print(f"{quantity(preview.more, 'more notification')} not shown", file=sys.stderr)


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


def _trigger(settings: Settings, name: str, config: LogTriggerConfig) -> Trigger:
    return Trigger(
        name,
        config,
        settings.defaults,
        host=socket.gethostname(),
        workspace=os.environ.get("OBLIEN_WORKSPACE_ID", ""),
        redact=redact if settings.text.redact else str,
    )


def _write_json(**values: object) -> None:
    write(json.dumps(values, ensure_ascii=False))
