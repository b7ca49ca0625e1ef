"""`notifyd completion`: print the script with which a shell completes the words of `notifyd`."""

from types import SimpleNamespace

from notifyd.cli.output import write

TYPE_CHECKING = False  # importing typing takes as long as asking the daemon
if TYPE_CHECKING:
    import argparse

HELP = """\
Print the script with which a shell completes commands, options, files, and the names of the
daemon's triggers and notifications."""

EPILOG = """\
examples:
  notifyd completion bash > ~/.local/share/bash-completion/completions/notifyd
  notifyd completion zsh > ~/.zfunc/_notifyd
  notifyd completion fish > ~/.config/fish/completions/notifyd.fish

For zsh, the directory must be in fpath before compinit: put `fpath+=~/.zfunc` into ~/.zshrc.
"""

_SHELLS = ("bash", "zsh", "fish")
_TRIGGERS, _HEARTBEATS, _UNSENT, _FAILED = "triggers", "heartbeats", "unsent", "failed"
_STATUSES = {
    _UNSENT: ("held", "queued"),
    _FAILED: ("failed", "expired", "no_device"),
}
"""Notifications that `cancel` and `retry` take."""
_ANSWER_WITHIN = 1.0
"""Seconds: somebody has pressed the tab key."""


def add_arguments(parser: "argparse.ArgumentParser") -> None:
    from argparse import SUPPRESS  # noqa: PLC0415 - already imported at this point

    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=", ".join(_SHELLS))
    parser.add_argument("--names", help=SUPPRESS)


def read(words: list[str]) -> SimpleNamespace | None:
    """Parse the command line of the scripts: --names KIND. None for any other."""
    if len(words) != 2 or words[0] != "--names":  # noqa: PLR2004 - an option and its value
        return None
    return SimpleNamespace(names=words[1])


def run(args: "SimpleNamespace | argparse.Namespace") -> int:
    if args.names:
        for name in _names(args.names):
            write(name)
        return 0
    from notifyd.cli.completion_script import completion_script  # noqa: PLC0415 - all commands

    write(completion_script(args.shell))
    return 0


def _names(kind: str) -> list[str]:
    """Return the names of one kind that the daemon knows; none if it does not answer."""
    from notifyd.client.http import send_request  # noqa: PLC0415 - not for a script
    from notifyd.model.errors import NotifydError  # noqa: PLC0415 - as above

    target = "/v1/notifications?limit=100" if kind in _STATUSES else "/v1/status"
    try:
        _, answer = send_request("GET", target, within=_ANSWER_WITHIN)
    except NotifydError:
        return []  # the shell would print it into the line that is being typed
    if kind in _STATUSES:
        rows = answer.get("notifications")
        return [
            str(row["id"])
            for row in (rows if isinstance(rows, list) else [])
            if row.get("status") in _STATUSES[kind]
        ]
    triggers = answer.get("triggers")
    return [
        name
        for name, trigger in (triggers.items() if isinstance(triggers, dict) else ())
        if kind != _HEARTBEATS or trigger.get("type") == "heartbeat"
    ]
