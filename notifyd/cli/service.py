"""`notifyd service`: install notifyd as a service of systemd, or remove it."""

import argparse
import grp
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import suppress
from getpass import getpass

from notifyd.cli.exit_status import UsageError
from notifyd.cli.output import write
from notifyd.model.user import effective_user
from notifyd.service.errors import ServiceError
from notifyd.service.install import ServiceInstaller
from notifyd.service.installation import Installation
from notifyd.service.layout import GROUP, ServiceLayout
from notifyd.service.systemctl import Systemctl, require_systemd, run_program
from notifyd.service.uninstall import uninstall
from notifyd.service.units import drop_in_names

HELP = "Install notifyd as a service of systemd, or remove it. Running it again changes nothing."

EPILOG = """\
examples:
  notifyd service install --now
  notifyd service install --with private-logs --now
  notifyd service install --user --now
  notifyd service uninstall

exit status: 0 done, 1 failed or refused, 2 usage, 78 the token that was entered is invalid.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    install = actions.add_parser("install", help="install the service of this installation")
    remove = actions.add_parser(
        "uninstall", help="stop and remove it; configuration, token and state stay"
    )
    install.add_argument("--now", action="store_true", help="also enable and start it")
    install.add_argument(
        "--with",
        dest="drop_ins",
        action="append",
        default=[],
        choices=drop_in_names(),
        help="grant it more; private-logs: read the logs of all users; commands: run node, Java "
        "and the like, and write to /tmp; gpu: see NVIDIA's devices",
    )
    remove.add_argument("--now", action="store_true", help=argparse.SUPPRESS)
    for action in actions.choices.values():
        action.add_argument(
            "--user", action="store_true", help="a service of the current user, without root"
        )


def run(args: argparse.Namespace) -> int:
    layout = ServiceLayout.of_user(os.environ) if args.user else ServiceLayout.of_system()
    if not args.user and os.geteuid() != 0:
        raise UsageError(
            f"only root may {args.action} the service of the system: run it with sudo, or add "
            "--user for a service of your own"
        )
    if args.user and args.action == "install" and args.drop_ins:
        raise UsageError("--with needs the service of the system; run it without --user, as root")
    require_systemd()
    try:
        return _install(args, layout) if args.action == "install" else _uninstall(layout)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise ServiceError(f"{where}{error.strerror}") from None


def _install(args: argparse.Namespace, layout: ServiceLayout) -> int:
    installation = Installation.current()
    if not layout.is_user:
        installation.require_trusted()
    installer = ServiceInstaller(
        layout, installation.command, tuple(dict.fromkeys(args.drop_ins)), _ask_token
    )
    changes = 0
    for line in installer.install(start=args.now):
        changes += 1
        write(line)
    if not changes:
        write("nothing changed")
    for line in _next_steps(args, layout):
        write(line)
    return 0


def _uninstall(layout: ServiceLayout) -> int:
    lines = list(uninstall(layout, Installation.current().command))
    for line in lines or ["the service is not installed"]:
        write(line)
    state = "~/.local/state/notifyd" if layout.is_user else "/var/lib/notifyd"
    write(f"Configuration, token and state stay in {layout.config_dir} and {state}.")
    return 0


def _ask_token() -> str:
    """Ask for the send token on the terminal; without one return nothing."""
    if not sys.stdin.isatty():
        return ""
    with suppress(EOFError):
        return getpass("Send token of the platform (not shown; Enter to set it later): ")
    return ""


def _next_steps(args: argparse.Namespace, layout: ServiceLayout) -> Iterator[str]:
    """Yield what is left to do, and who may send."""
    systemctl = Systemctl(is_user=layout.is_user)
    yield ""
    if not layout.token.exists() or not layout.token.stat().st_size:
        yield (
            "There is no send token yet, so notifications stay queued. Paste it: "
            f"`(umask 077; cat > {layout.token})`."
        )
    yield f"What to watch: {layout.config}; then `{systemctl.command} reload notifyd`."
    if not args.now:
        yield f"Start it: `{systemctl.command} enable --now notifyd`."
    yield from _linger() if layout.is_user else _senders()


def _senders() -> Iterator[str]:
    """Yield which users may send, and how to let the one who runs this send."""
    group = grp.getgrnam(GROUP)
    members = ", ".join(group.gr_mem) or "nobody yet"
    someone = os.environ.get("SUDO_USER") or "NAME"
    yield (
        f"Root and the group {GROUP} may send ({members}); "
        f"add a user: `usermod -aG {GROUP} {someone}`."
    )


def _linger() -> Iterator[str]:
    """Let the user's services run while nobody is logged in, or yield how to."""
    name = pwd.getpwuid(os.getuid()).pw_name
    try:
        run_program("loginctl", "enable-linger", name)
    except ServiceError:
        yield (
            "The service ends when you log out, unless root runs "
            f"`loginctl enable-linger {effective_user()}`."
        )
