"""Finds and runs the subcommand. Importing it is cheap, because `notifyd send` waits for it."""

import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from notifyd import __version__
from notifyd.cli.exit_status import FAILED, INTERRUPTED, USAGE, OutputError, exit_status
from notifyd.cli.output import flush, write
from notifyd.model.errors import NotifydError

COMMANDS = {
    "run": "run the daemon in the foreground",
    "demo": "run relay, inbox page and daemon on this machine, with a sample configuration",
    "init": "write a commented configuration to begin with",
    "check": "check the configuration and report every error",
    "match": "test the patterns of a trigger against a file or the journal",
    "test": "send a notification as a trigger would",
    "send": "send a notification through the daemon",
    "ask": "ask a question on the inbox page of a relay, and print the answer",
    "exec": "run a command, then send how it ended",
    "hook": "report what a coding agent does; install its hooks",
    "mcp": "serve tools for a coding agent, such as notify, on stdin and stdout",
    "ping": "report a run of a job to its heartbeat",
    "status": "show the state of the daemon, its problems and how to fix them",
    "doctor": "find what keeps notifications from arriving, and how to fix it",
    "history": "list notifications with their status",
    "tail": "follow matches, notifications and deliveries as they happen",
    "explain": "explain why there was or was no notification",
    "mute": "hold back the notifications of one trigger, or all but urgent ones",
    "cancel": "cancel a notification that has not been sent",
    "retry": "send failed notifications again, or end a pause",
    "reload": "reload the configuration",
    "token": "create, list, revoke and delete send tokens",
    "api": "call any endpoint of the platform's API",
    "completion": "print the script with which a shell completes commands and names",
    "service": "install notifyd as a service of systemd, or remove it",
    "relay": "serve the Notifications API on this machine, with an inbox page",
}
_FAILURE_STATUS = {"match": USAGE}
"""The exit status of a failure where 1 means something else. Everywhere else it is FAILED."""


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status. argv: default sys.argv[1:]."""
    words = sys.argv[1:] if argv is None else argv
    debug = words[:1] == ["--debug"]
    words = words[1:] if debug else words
    failed = _FAILURE_STATUS.get(words[0], FAILED) if words else FAILED
    try:
        status = _run_command(words)
        flush()  # a full disk or a closed pipe can still be reported here
        return status  # noqa: TRY300 - the other ways to end follow
    except SystemExit as leaving:  # argparse, after --help or a usage error
        return leaving.code if isinstance(leaving.code, int) else failed
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return failed
    except Exception as error:
        if debug:
            raise
        status = _report(innermost(error), words)
        return failed if status == FAILED else status


def innermost(error: Exception) -> Exception:
    """Return the first error inside nested exception groups."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _run_command(words: list[str]) -> int:
    name = words[0] if words else ""
    if name in COMMANDS:
        module = import_module(f"notifyd.cli.{name}")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # the locale may lack a character
        # A command with a parser of its own uses argparse only for help and usage errors.
        arguments = module.read(words[1:]) if hasattr(module, "read") else None
        status: int = module.run(arguments or _parse(name, module, words[1:]))
        return status
    if name in ("-V", "--version"):
        write(f"notifyd {__version__}")
        return 0
    if name in ("-h", "--help", "help"):
        write(_overview())
        return 0
    print(_unknown_command(name) if name else _overview(), file=sys.stderr)
    return USAGE


def _parse(name: str, module: ModuleType, words: list[str]) -> object:
    # Importing argparse takes longer than sending a notification.
    from notifyd.cli.argument_parser import build_parser  # noqa: PLC0415

    parser = build_parser(name, module)
    # The optional FILE may follow an option: `match TRIGGER --count FILE`.
    parse = parser.parse_intermixed_args if name == "match" else parser.parse_args
    try:
        return parse(words)
    except SystemExit:
        flush()  # --help may have written to a full disk or a closed pipe
        raise


def _report(error: Exception, words: list[str]) -> int:
    """Print an error as one sentence and return its exit status."""
    if isinstance(error, OutputError):
        _discard_output()
    if isinstance(error, NotifydError):
        sentence = str(error)
    else:
        rerun = f"notifyd --debug {' '.join(words[:1])} …"
        sentence = (
            f"internal error: {type(error).__name__}: {error} (run `{rerun}` for a traceback)"
        )
    with suppress(OSError):  # the exit status remains
        print(sentence, file=sys.stderr)
    return exit_status(error) if isinstance(error, NotifydError) else FAILED


def _discard_output() -> None:
    """Prevent the interpreter from failing at exit over output it cannot write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {line}" for name, line in COMMANDS.items()]
    return "\n".join(
        [
            "usage: notifyd COMMAND [OPTIONS]",
            "       notifyd [--help | --version | --debug COMMAND …]",
            "",
            "commands:",
            *lines,
            "",
            "Run `notifyd COMMAND --help` for the options of a command.",
            "",
            "exit status: 0 success, 1 failure, 2 usage error, 69 daemon not reachable,",
            "75 try again later, 77 token refused, 78 configuration error",
        ]
    )


def _unknown_command(name: str) -> str:
    from notifyd.text.suggestions import did_you_mean  # noqa: PLC0415 - only for a mistyped command

    hint = did_you_mean(name, COMMANDS) or "; see `notifyd --help`"
    return f"notifyd: unknown command {name!r}{hint}"
