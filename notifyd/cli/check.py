"""`notifyd check`: check the configuration without starting anything."""

import argparse
import os
import pwd
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from typing import cast

from notifyd.cli.exit_status import UsageError, exit_status
from notifyd.cli.options import add_config_option
from notifyd.cli.output import format_json, quantity, write
from notifyd.cli.start_check import check_start
from notifyd.config.errors import with_paths
from notifyd.config.files import find_config_file
from notifyd.config.load import LoadedConfig, load
from notifyd.config.patterns import may_match_every_line
from notifyd.config.token import ListenSecrets, find_listen_token, find_token, find_webhook_secret
from notifyd.config.triggers import FileTriggerConfig, LogTriggerConfig, ResourceTriggerConfig
from notifyd.matching.approximate import approximate, approximate_in_records
from notifyd.model.errors import ConfigError, NotifydError, NoTokenError
from notifyd.model.notifications import Json
from notifyd.sources.journal.access import access_problem, missing_command
from notifyd.sources.probes.resources.gpu import missing_library
from notifyd.triggers import Trigger

HELP = "Check the configuration and report every error and warning. Starts nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_option(parser)
    parser.add_argument(
        "--user",
        metavar="NAME",
        help="check as this user, who will run the daemon (default: the current user)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the report. Without --json, raise the error that `notifyd run` would raise."""
    try:
        if args.user:
            # That user may be unable to read this installation: import everything before.
            with suppress(NotifydError):
                _check(load(args.config, os.environ))
            become_user(args.user, os.environ)
        loaded = load(args.config, os.environ)
        warnings = _check(loaded)
        for warning in () if args.json else warnings:
            print(f"warning: {warning}", file=sys.stderr)
        main_file = find_config_file(args.config, os.environ)
        # The service of another user has directories of its own where none are configured.
        has_defaults = not args.user
        note = check_start(loaded.settings, os.environ, main_file, has_defaults=has_defaults)
    except UsageError:
        raise
    except NotifydError as error:
        if not args.json:
            raise
        problems = error.problems if isinstance(error, ConfigError) else [str(error)]
        write(format_json({"success": False, "errors": problems, "warnings": []}))
        return exit_status(error)
    if args.json:
        report = {"success": True, "errors": [], "warnings": warnings}
        report["files"] = [str(file) for file in loaded.files]
        report["triggers"] = list(loaded.settings.triggers)
        report["note"] = note
        write(format_json(report))
        return 0
    if note:
        print(f"note: {note}", file=sys.stderr)
    files = ", ".join(map(str, loaded.files)) or "no configuration file, using defaults"
    write(f"ok: {quantity(len(loaded.settings.triggers), 'trigger')}; {files}")
    return 0


def _check(loaded: LoadedConfig) -> list[str]:
    """Build what can be built without starting it, and return the warnings."""
    settings = loaded.settings
    missing_token = _missing_token(loaded)
    ListenSecrets.read(settings.listen, settings.webhooks)
    for name, trigger in settings.triggers.items():
        Trigger(name, trigger, settings.defaults)
    _warn_of_slow_patterns(loaded)
    _warn_of_directories(loaded)
    return [*loaded.warnings, *filter(None, [missing_token]), *_machine_warnings(loaded)]


def _missing_token(loaded: LoadedConfig) -> str:
    """Return how to set the token if there is none yet. Raise TokenError if it is invalid."""
    try:
        find_token(loaded.settings.api, os.environ, loaded.files).read()
    except NoTokenError as error:
        return f"{error}; until then notifications stay queued"
    return ""


def become_user(name: str, environ: MutableMapping[str, str]) -> None:
    """Take the identity of another user and the environment in which that user runs programs.

    UsageError: there is no such user, or only root may do it.
    """
    try:
        account = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except (KeyError, OverflowError):
        raise UsageError(f"--user: no such user: {name}") from None
    if account.pw_uid == os.geteuid():
        return
    try:
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    except PermissionError:
        raise UsageError(f"--user: only root may check as {name}; run it with sudo") from None
    for variable in [name for name in environ if name.startswith("XDG_")]:
        del environ[variable]
    environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)


def _warn_of_directories(loaded: LoadedConfig) -> None:
    """Add a warning for each path of a trigger that is a directory where files are meant."""
    raw = cast("dict[str, Json]", loaded.table.get("triggers", {}))
    for name, trigger in loaded.settings.triggers.items():
        if not isinstance(trigger, LogTriggerConfig | FileTriggerConfig):
            continue
        for item, path in with_paths(("triggers", name), raw[name], "paths", trigger.paths):
            if not path.endswith("/") and os.path.isdir(path):  # noqa: PTH112 - it may be a glob
                reason = f"is a directory; use '{path}/*' for the files in it"
                if isinstance(trigger, FileTriggerConfig):
                    reason += f", or '{path}/' for itself"
                loaded.report.warning(item, reason, path)


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
    """Yield what is wrong on this machine: an unreadable journal, a readable token, no library."""
    settings = loaded.settings
    logs = (
        trigger for trigger in settings.triggers.values() if isinstance(trigger, LogTriggerConfig)
    )
    if any(trigger.journal for trigger in logs) and (
        reason := missing_command() or access_problem()
    ):
        yield reason
    for name, trigger in settings.triggers.items():
        is_gpu = isinstance(trigger, ResourceTriggerConfig) and trigger.resource.startswith("gpu-")
        if is_gpu and (reason := missing_library()):
            yield f"{name}: {reason}"
    token = find_token(settings.api, os.environ, loaded.files)
    for source in (
        token,
        find_listen_token(settings.listen),
        find_webhook_secret(settings.webhooks),
    ):
        if source and source.warning:
            yield source.warning
