"""`notifyd check`: read the configuration, build what can be built without starting it, report."""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from notifyd.config.consistency import with_paths
from notifyd.config.load import LoadedConfig, load
from notifyd.config.patterns import may_match_every_line
from notifyd.config.token import find_token
from notifyd.config.triggers import LogTriggerConfig
from notifyd.matching.approximate import approximate, approximate_in_records
from notifyd.model.errors import TokenError
from notifyd.model.notifications import Json
from notifyd.sources.journal.access import missing, trouble
from notifyd.triggers import Trigger

HELP = "Read the configuration and report every mistake in it; starts nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the usual places")


def run(args: argparse.Namespace) -> int:
    """Report on standard output, or raise ConfigError with all mistakes."""
    loaded = load(args.config, os.environ)
    settings = loaded.settings
    for name, trigger in settings.triggers.items():
        Trigger(name, trigger, settings.defaults)
    _doubt_patterns(loaded)
    for warning in (*loaded.warnings, *_doubts(loaded)):
        print(f"warning: {warning}", file=sys.stderr)
    count = len(settings.triggers)
    files = ", ".join(map(str, loaded.files)) or "no configuration file, so all is default"
    print(f"ok: {count} trigger{'' if count == 1 else 's'}; {files}")
    return 0


def _doubt_patterns(loaded: LoadedConfig) -> None:
    """Add to the report which patterns cost more than others."""
    raw = cast("dict[str, Json]", loaded.table.get("triggers", {}))
    warn = loaded.report.warning
    for name, trigger in loaded.settings.triggers.items():
        if not isinstance(trigger, LogTriggerConfig):
            continue
        place, first = ("triggers", name), trigger.multiline
        find, what = (approximate, "line") if first is None else (approximate_in_records, "record")
        for item, pattern in with_paths(place, raw[name], "patterns", trigger.patterns):
            reason = find(pattern, trigger.encoding).reason
            if reason and not may_match_every_line(pattern):
                warn(item, f"is tried on every {what}, which is slow: {reason}", pattern)
        reason = "" if first is None else approximate(first, trigger.encoding).reason
        if first is not None and reason and not may_match_every_line(first):
            why = f"is tried on many lines, which is slow: {reason}"
            warn((*place, "multiline"), why, first)


def _doubts(loaded: LoadedConfig) -> Iterator[str]:
    """Say what can be known of the machine: what cannot be read, what is no token."""
    settings = loaded.settings
    logs = (
        trigger for trigger in settings.triggers.values() if isinstance(trigger, LogTriggerConfig)
    )
    if any(trigger.journal for trigger in logs) and (reason := missing() or trouble()):
        yield reason
    token = find_token(settings.api, os.environ, loaded.files)
    if settings.api.token_file:
        try:
            token.read()
        except TokenError as error:
            yield str(error)
    if token.warning:
        yield token.warning
