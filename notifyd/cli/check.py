"""`notifyd check`: check the configuration without starting anything."""

import argparse
import os
import pwd
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import suppress

from notifyd.cli.exit_status import UsageError, exit_status
from notifyd.cli.options import add_config_option
from notifyd.cli.output import format_json, quantity, write
from notifyd.cli.start_check import check_start
from notifyd.config.files import find_config_file
from notifyd.config.load import LoadedConfig, load
from notifyd.config.token import find_token
from notifyd.doctor.configuration import (
    build_configuration,
    missing_libraries,
    reads_journal,
    secret_warnings,
)
from notifyd.model.errors import ConfigError, NotifydError
from notifyd.sources.journal.access import access_problem, missing_command

HELP = "Check the configuration and report every error and warning. Starts nothing."

EPILOG = """\
examples:
  notifyd check
  sudo notifyd check --config /etc/notifyd/config.toml --user notifyd

exit status: 0 no error, warnings or not; 78 errors.
"""


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
    """Build what can be built without starting it, and return the warnings. TokenError."""
    absence = find_token(loaded.settings.api, os.environ, loaded.files).absence
    missing_token = absence and f"{absence}; until then notifications stay queued"
    build_configuration(loaded)
    return [*loaded.warnings, *filter(None, [missing_token]), *_machine_warnings(loaded)]


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


def _machine_warnings(loaded: LoadedConfig) -> Iterator[str]:
    """Yield what is wrong on this machine: an unreadable journal, a readable token, no library."""
    settings = loaded.settings
    if reads_journal(settings) and (reason := missing_command() or access_problem()):
        yield reason
    yield from missing_libraries(settings)
    token = find_token(settings.api, os.environ, loaded.files)
    yield from filter(None, [token.warning, *secret_warnings(settings)])
