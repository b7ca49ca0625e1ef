"""`notifyd hook install`, `uninstall` and `status`: the lines in the settings of agents."""

import argparse
import os
import sys
from pathlib import Path
from types import SimpleNamespace

from notifyd.agents.installation import AgentHooks, HookState
from notifyd.agents.places import INSTALLABLE, AgentPlaces, own_program
from notifyd.agents.recognition import canonical_name
from notifyd.agents.settings_file import AgentSettingsError
from notifyd.cli.exit_status import FAILED, UsageError
from notifyd.cli.output import format_json, format_pairs, write
from notifyd.text.suggestions import did_you_mean


def add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        prog=parser.prog, dest="action", required=True, metavar="ACTION"
    )
    install = actions.add_parser("install", help="write the lines that call this notifyd")
    remove = actions.add_parser("uninstall", help="remove the lines that call any notifyd")
    status = actions.add_parser("status", help="show which agents have them, and what is wrong")
    for action in (install, remove):
        action.add_argument(
            "--all", action="store_true", help="every agent that is on this machine"
        )
    for action in (install, remove, status):
        action.add_argument("agents", metavar="AGENT", nargs="*", help=", ".join(INSTALLABLE))
        action.add_argument(
            "--project",
            type=Path,
            metavar="DIR",
            help="settings of a project (default: those of the user)",
        )
        action.add_argument("--json", action="store_true", help="print the result as JSON")


def run_action(args: SimpleNamespace | argparse.Namespace) -> int:
    """Run `install`, `uninstall` or `status`; return the exit status."""
    if args.project is not None and not args.project.is_dir():
        raise UsageError(f"--project: {args.project} is not a directory")
    project = args.project.absolute() if args.project else None
    places = AgentPlaces(Path.home(), os.environ, project)
    names = _names(args.agents)
    if args.action == "status":
        return _status(places, names, as_json=args.json)
    if args.all and names:
        raise UsageError("--all cannot be combined with the names of agents")
    if args.all:
        names = _all(places, args.action)
        if not names:
            print(
                "notifyd hook: no known agent was found on this machine; to prepare for one, name "
                f"it: {', '.join(INSTALLABLE)}",
                file=sys.stderr,
            )
            return FAILED
    if not names:
        raise UsageError(f"name an agent ({', '.join(INSTALLABLE)}), or use --all")
    return _change(places, names, args)


def _names(words: list[str]) -> list[str]:
    names = []
    for word in words:
        name = canonical_name(word)
        if name not in INSTALLABLE:
            hint = did_you_mean(word, list(INSTALLABLE)) or f"; known are {', '.join(INSTALLABLE)}"
            raise UsageError(f"AGENT: unknown agent {word!r}{hint}")
        names.append(name)
    return list(dict.fromkeys(names))


def _all(places: AgentPlaces, action: str) -> list[str]:
    """Return the agents that are here; to remove lines, also those that were here."""
    if action == "install":
        return [agent for agent in INSTALLABLE if places.is_present(agent)]
    return list(INSTALLABLE)


def _change(
    places: AgentPlaces, names: list[str], args: SimpleNamespace | argparse.Namespace
) -> int:
    installs = args.action == "install"
    program = own_program() if installs else ""
    results: list[dict[str, object]] = []
    for name in names:
        hooks = places.hooks(name)
        result: dict[str, object] = {"agent": name, "file": str(hooks.path)}
        try:
            result["changed"] = hooks.install(program) if installs else hooks.uninstall()
        except AgentSettingsError as error:
            result["error"] = str(error)
        results.append(result | ({"note": hooks.note} if installs and hooks.note else {}))
        if not args.json:
            _print_result(hooks, result, installs=installs, quiet=args.all and not installs)
    if args.json:
        write(format_json(results))
    return FAILED if any("error" in result for result in results) else 0


def _print_result(
    hooks: AgentHooks, result: dict[str, object], *, installs: bool, quiet: bool
) -> None:
    """Print what was done. quiet: not what was not there."""
    if "error" in result:
        print(f"{hooks.agent}: {result['error']}", file=sys.stderr)
        return
    if result["changed"]:
        write(f"{hooks.agent}: {'installed in' if installs else 'removed from'} {hooks.path}")
    elif installs:
        write(f"{hooks.agent}: already installed in {hooks.path}")
    elif not quiet:
        write(f"{hooks.agent}: not installed in {hooks.path}")
    if installs and hooks.note:
        write(f"  {hooks.note}")


def _status(places: AgentPlaces, names: list[str], *, as_json: bool) -> int:
    program = own_program()
    found = [
        places.hooks(agent).status(program, is_present=places.is_present(agent))
        for agent in names or INSTALLABLE
    ]
    shown = [each for each in found if names or each.is_present or each.state != HookState.MISSING]
    if as_json:
        write(
            format_json(
                [
                    {**each._asdict(), "file": str(each.file), "state": each.state.value}
                    for each in shown
                ]
            )
        )
    elif not shown:
        write(f"no agent is on this machine; known are {', '.join(INSTALLABLE)}")
    else:
        write(format_pairs([[each.agent, each.state, str(each.file)] for each in shown]))
        for each in shown:
            if each.problem:
                write(f"{each.agent}: {each.problem}")
    return FAILED if any(each.problem for each in shown) else 0
