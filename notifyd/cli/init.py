"""`notifyd init`: write a commented configuration to begin with."""

import argparse
import os
import shlex
from pathlib import Path

from notifyd.cli.options import add_config_option
from notifyd.cli.output import write
from notifyd.config.files import FILE_NAME, SYSTEM_DIR, create_file, default_dirs, expand_home
from notifyd.config.token import CREDENTIAL
from notifyd.model.errors import NotifydError
from notifyd.service.initial_config import initial_config
from notifyd.service.units import example_config
from notifyd.sources.journal.access import access_problem, missing_command

HELP = """\
Write a commented configuration to begin with, which reports failed units if this user can read the
journal, else a full disk. Asks nothing and never overwrites. Where: --config, else $NOTIFYD_CONFIG,
else ~/.config/notifyd/config.toml. For a service of the system: --config /etc/notifyd/config.toml,
which `notifyd service install` writes too."""

EPILOG = """\
examples:
  notifyd init
  sudo notifyd init --config /etc/notifyd/config.toml
"""

_ROOT = 0
_FOR_ALL, _PRIVATE = (0o755, 0o644), (0o700, 0o600)
"""Modes of new directories and of the file: the service's user has to read the system's."""


class ExistingConfigError(NotifydError):
    """There is a configuration already."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_option(parser)


def run(args: argparse.Namespace) -> int:
    named = args.config or os.environ.get("NOTIFYD_CONFIG")
    path = expand_home(str(named)).absolute() if named else _usual_path()
    reads_journal = not (missing_command() or access_problem())
    _create(path, initial_config(example_config(), reads_journal=reads_journal))
    write(f"wrote {path}: it reports {'failed units' if reads_journal else 'a full disk'}")
    write("Remove the # from the triggers that you need. Next:")
    option = f" --config {shlex.quote(str(path))}" if args.config else ""
    token = path.parent / CREDENTIAL
    if not token.exists():
        write(f"  notifyd token create --workspace ID --save{option}")
        write(f"  (or write a token to {token})")
    write(f"  notifyd check{option} && notifyd run{option}")
    return 0


def _usual_path() -> Path:
    """Return where `notifyd run` of this user looks first.

    ExistingConfigError if root would hide the configuration of the system.
    """
    target, *others = default_dirs(os.environ)
    for directory in others if os.geteuid() == _ROOT else ():
        if os.path.lexists(directory / FILE_NAME):
            raise _existing(directory / FILE_NAME)
    return target / FILE_NAME


def _create(path: Path, content: str) -> None:
    folder_mode, mode = _FOR_ALL if path.parent == SYSTEM_DIR else _PRIVATE
    try:
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.is_dir():
                folder.mkdir()
                folder.chmod(folder_mode)
        create_file(path, content, mode)
    except FileExistsError:
        raise _existing(path) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise NotifydError(
            f"cannot write {path}: {reason}; name another file with --config"
        ) from None


def _existing(path: Path) -> ExistingConfigError:
    return ExistingConfigError(
        f"{path} exists and is not changed; edit it, or name another file with --config"
    )
