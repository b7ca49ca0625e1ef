"""The `notifyd` command: finds the module of the command that was typed, and imports no other."""

import io
import os
import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from notifyd import __version__
from notifyd.model.errors import (
    AnswerError,
    ConfigError,
    NotifydError,
    StoreError,
    StoreUnavailableError,
    TokenError,
    UnreachableError,
)

FAILED, USAGE, UNREACHABLE, TRY_LATER, REFUSED, CONFIG, INTERRUPTED = 1, 2, 69, 75, 77, 78, 130

COMMANDS = {
    "run": "start the daemon in the foreground",
    "demo": "show everything at work: relay, inbox page, daemon, sample config",
    "check": "read the configuration and report every mistake in it",
    "match": "run a trigger's patterns over a file, and send nothing",
    "send": "send a notification through the daemon",
    "status": "show what the daemon does, what is wrong and how to mend it",
    "history": "list notifications and what became of them",
    "explain": "say why there was or was no push: the last matches, step by step",
    "mute": "hold back a trigger's notifications, or all but urgent ones, for a while",
    "cancel": "cancel a notification that was not sent yet",
    "retry": "send again what failed, and what waits at once",
    "reload": "make the daemon read its configuration again",
    "token": "create, list, revoke and delete send tokens",
    "api": "call any endpoint of the platform's API",
    "relay": "serve the Notifications API from this machine, with an inbox page",
}
LATER = {
    *("doctor", "exec", "hook", "mcp"),
    *("ping", "service", "tail"),
}
"""Commands of later versions: who types one has read of it, and made no typing mistake."""

_BY_STATUS = {401: REFUSED, 408: TRY_LATER, 422: USAGE, 429: TRY_LATER, 503: TRY_LATER}
_ERRORS = {"match": USAGE}
"""What a failure is where 1 has a meaning of its own; elsewhere it is FAILED."""


class UsageError(NotifydError):
    """The command line asks for something that cannot be."""


class OutputError(NotifydError):
    """What a command had to say could not be written."""


def say(text: str, end: str = "\n", *, flush: bool = False) -> None:
    """Print; an OutputError says what kept it from being written, but for a reader that left."""
    try:
        print(text, end=end, flush=flush)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the output could not be written: {error.strerror}") from None


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    words = sys.argv[1:] if argv is None else argv
    debug = words[:1] == ["--debug"]
    words = words[1:] if debug else words
    failed = _ERRORS.get(words[0], FAILED) if words else FAILED
    try:
        status = _dispatched(words)
        say("", end="", flush=True)  # here, where a full disk or a closed pipe can still be told
        return status  # noqa: TRY300 - what follows are the other ends
    except SystemExit as leaving:  # argparse, after --help or a usage error
        return leaving.code if isinstance(leaving.code, int) else failed
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _let_go()
        return failed
    except Exception as error:
        if debug:
            raise
        status = _told(innermost(error), words)
        return failed if status == FAILED else status


def _let_go() -> None:
    """Keep the interpreter from failing at exit over what it still has to write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def innermost(error: Exception) -> Exception:
    """Take what a task group failed with out of its wrapping."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _told(error: Exception, words: list[str]) -> int:
    if isinstance(error, OutputError):
        _let_go()
    sentence = (
        str(error)
        if isinstance(error, NotifydError)
        else f"notifyd failed unexpectedly: {type(error).__name__}: {error} "
        f"(run `notifyd --debug {' '.join(words[:1])} …` to see where)"
    )
    with suppress(OSError):  # where it cannot be told, the exit status still says it
        print(sentence, file=sys.stderr)
    return exit_status(error) if isinstance(error, NotifydError) else FAILED


def exit_status(error: NotifydError) -> int:
    """Say an error as the contract's exit status."""
    if isinstance(error, (ConfigError, TokenError, StoreError)):
        return CONFIG
    if isinstance(error, UsageError):
        return USAGE
    if isinstance(error, UnreachableError):
        return UNREACHABLE
    if isinstance(error, StoreUnavailableError):
        return TRY_LATER
    if isinstance(error, AnswerError):
        return _BY_STATUS.get(error.status, FAILED)
    return FAILED


def _dispatched(words: list[str]) -> int:
    name = words[0] if words else ""
    if name in COMMANDS:
        module = import_module(f"notifyd.cli.{name}")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a title in a locale that cannot show it
        # A command that has `read` can do without argparse, unless there is something to explain.
        arguments = module.read(words[1:]) if hasattr(module, "read") else None
        status: int = module.run(arguments or _parsed(name, module, words[1:]))
        return status
    if name in ("-V", "--version"):
        print(f"notifyd {__version__}")
        return 0
    if name in ("-h", "--help", "help"):
        print(_overview())
        return 0
    print(_unknown(name) if name else _overview(), file=sys.stderr)
    return USAGE


def _parsed(name: str, module: ModuleType, words: list[str]) -> object:
    import argparse  # noqa: PLC0415 - costs more than sending a notification

    parser = argparse.ArgumentParser(
        prog=f"notifyd {name}", description=module.HELP, allow_abbrev=False
    )
    module.add_arguments(parser)
    # an optional FILE may stand behind options: `match TRIGGER --count FILE`
    parse = parser.parse_intermixed_args if name == "match" else parser.parse_args
    try:
        return parse(words)
    except SystemExit:
        say("", end="", flush=True)  # as after a command: this was its help
        raise


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {line}" for name, line in COMMANDS.items()]
    return "\n".join(
        [
            "usage: notifyd COMMAND [OPTIONS]",
            "       notifyd [--help | --version | --debug COMMAND …]",
            "",
            *lines,
            "",
            "`notifyd COMMAND --help` tells more. Exit status: 0 done, 1 failed, 2 usage,",
            "69 daemon not reachable, 75 try again later, 77 token refused, 78 config error.",
        ]
    )


def _unknown(name: str) -> str:
    if name in LATER:
        return f"notifyd {name} is not available in this version yet."
    from notifyd.text.suggestions import did_you_mean  # noqa: PLC0415 - only for a mistyped command

    return f"notifyd: there is no command {name!r}" + (
        did_you_mean(name, COMMANDS) or ": `notifyd --help` lists them."
    )
