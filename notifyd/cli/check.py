"""`notifyd check`: check the configuration without starting anything."""

import argparse
import os
import sys
from collections.abc import Iterator
from typing import cast

from notifyd.cli.options import add_config_option
from notifyd.cli.output import quantity, write
from notifyd.config.consistency import with_paths
from notifyd.config.load import LoadedConfig, load
from notifyd.config.patterns import may_match_every_line
from notifyd.config.token import find_listen_token, find_token, read_listen_token
from notifyd.config.triggers import LogTriggerConfig
from notifyd.matching.approximate import approximate, approximate_in_records
from notifyd.model.errors import TokenError
from notifyd.model.notifications import Json
from notifyd.sources.journal.access import access_problem, missing_command
from notifyd.triggers import Trigger

HELP = "Check the configuration and report every error and warning. Starts nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_option(parser)


def run(args: argparse.Namespace) -> int:
    """Print the warnings and a summary; raise ConfigError if there are errors."""
    loaded = load(args.config, os.environ)
    settings = loaded.settings
    read_listen_token(settings.listen)
    for name, trigger in settings.triggers.items():
        Trigger(name, trigger, settings.defaults)
    _warn_of_slow_patterns(loaded)
    for warning in (*loaded.warnings, *_machine_warnings(loaded)):
        print(f"warning: {warning}", file=sys.stderr)
    files = ", ".join(map(str, loaded.files)) or "no configuration file, using defaults"
    write(f"ok: {quantity(len(settings.triggers), 'trigger')}; {files}")
    return 0


def _warn_of_slow_patterns(loaded: LoadedConfig) -> None:
    """Add a warning to the report for each pattern that no prefilter can narrow down."""
    raw = cast("dict[str, Json]", loaded.table.get("triggers", {}))
    for name, trigger in loaded.settings.triggers.items():
        if not isinstance(trigger, LogTriggerConfig):
            continue
        path, first_line = ("triggers", name), trigger.multiline
        in_records = first_line is not None
        find, unit = (approximate_in_records, "record") if in_records else (approximate, "line")
        for item, pattern in with_paths(path, raw[name], "patterns", trigger.patterns):
            reason = find(pattern, trigger.encoding).reason
            if reason and not may_match_every_line(pattern):
                loaded.report.warning(
                    item, f"slow: tried on every {unit}, because {reason}", pattern
                )
        reason = "" if first_line is None else approximate(first_line, trigger.encoding).reason
        if first_line is not None and reason and not may_match_every_line(first_line):
            loaded.report.warning(
                (*path, "multiline"), f"slow: tried on many lines, because {reason}", first_line
            )


def _machine_warnings(loaded: LoadedConfig) -> Iterator[str]:
    """Yield what is wrong on this machine: an unreadable journal, an unusable token."""
    settings = loaded.settings
    logs = (
        trigger for trigger in settings.triggers.values() if isinstance(trigger, LogTriggerConfig)
    )
    if any(trigger.journal for trigger in logs) and (
        reason := missing_command() or access_problem()
    ):
        yield reason
    token = find_token(settings.api, os.environ, loaded.files)
    if settings.api.token_file:
        try:
            token.read()
        except TokenError as error:
            yield str(error)
    for source in (token, find_listen_token(settings.listen)):
        if source and source.warning:
            yield source.warning
