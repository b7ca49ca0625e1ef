"""`notifyd token`: create, list, revoke and delete send tokens."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from notifyd.cli import platform_access
from notifyd.cli.exit_status import UsageError
from notifyd.cli.output import format_json, format_table, printable, write
from notifyd.cli.platform_times import with_iso_times
from notifyd.config.load import load
from notifyd.config.token import save_token, token_file
from notifyd.platform.errors import PlatformError

HELP = "Create, list, revoke and delete the send tokens of workspaces."

EPILOG = """\
Credentials come from OBLIEN_CLIENT_ID and OBLIEN_CLIENT_SECRET.

examples:
  notifyd token create --workspace ws_1 --name agent --save
  notifyd token list --workspace ws_1
  notifyd token revoke 12

exit status: 0 done, 1 failed, 2 usage, 69 not reachable, 75 try again later, 77 credentials
refused, 78 no credentials.
"""
_MAX_NAME = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="create a token, which is shown only once")
    create.add_argument(
        "--workspace", metavar="ID", help="workspace (default: $OBLIEN_WORKSPACE_ID)"
    )
    create.add_argument("--name", metavar="NAME", help="name shown in lists")
    create.add_argument("--channel", metavar="CHANNEL", help="merged into each notification's data")
    create.add_argument(
        "--device", metavar="ID", help="deliver to this device only (metadata.device_id)"
    )
    create.add_argument(
        "--save",
        action="store_true",
        help="write the token where the daemon reads it, mode 0600, and do not show it; a token "
        "that is there already is replaced only if you confirm it",
    )
    create.add_argument("--yes", action="store_true", help="with --save: replace without asking")
    listing = actions.add_parser("list", help="list tokens, without their secrets")
    listing.add_argument("--workspace", metavar="ID", help="only this workspace")
    for name, what in (
        ("revoke", "stop a token for good, and keep its record"),
        ("delete", "delete a token and its record"),
    ):
        action = actions.add_parser(name, help=what)
        action.add_argument("id", metavar="ID", help="id, as printed by `notifyd token list`")
        action.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="print the API's answer as JSON")
        platform_access.add_arguments(action)


def run(args: argparse.Namespace) -> int:
    try:
        return {"create": _create, "list": _list, "revoke": _end_token, "delete": _end_token}[
            args.action
        ](args)
    except PlatformError as error:
        return platform_access.report_failure(error)


def _create(args: argparse.Namespace) -> int:
    workspace = args.workspace or os.environ.get("OBLIEN_WORKSPACE_ID")
    if not workspace:
        raise UsageError("no workspace: use --workspace, or set OBLIEN_WORKSPACE_ID")
    if args.name and len(args.name) > _MAX_NAME:
        raise UsageError(f"--name is longer than {_MAX_NAME} characters")
    target = _target(args) if args.save else None
    if target is not None and not args.yes and _holds_token(target):
        question = (
            f"{target} already holds a token, which the daemon will no longer use: replace it?"
        )
        if not _confirmed(question):
            write("nothing changed")
            return 1
    metadata = {
        key: value
        for key, value in (("channel", args.channel), ("device_id", args.device))
        if value
    }
    answer = asyncio.run(_call(args, "create_token", workspace, args.name, metadata or None))
    token = _token(answer)
    secret = token.pop("token", None)
    if not isinstance(secret, str) or not secret:
        raise PlatformError(
            "the platform created a token but did not send it: delete it, try again"
        )
    if target is not None:
        save_token(target, secret)
    if args.json:
        shown = token if target is not None else {**token, "token": secret}
        write(format_json(with_iso_times(shown)))
    elif target is None:
        write(
            f"Token {printable(token.get('id'))} for {printable(workspace)}, shown only this once:"
        )
        write(secret)
    else:
        write(
            f"Token {printable(token.get('id'))} for {printable(workspace)} saved in {target}. "
            "A running daemon uses it within seconds."
        )
    return 0


def _target(args: argparse.Namespace) -> Path:
    """Return the file that the daemon reads its token from."""
    loaded = load(args.config, os.environ)
    return token_file(loaded.settings.api, loaded.files, os.environ)


def _holds_token(target: Path) -> bool:
    """Return whether a file holds anything; what cannot be read is reported when it is written."""
    try:
        return target.stat().st_size > 0
    except OSError:
        return False


def _list(args: argparse.Namespace) -> int:
    answer = asyncio.run(_call(args, "list_tokens", args.workspace))
    if args.json:
        write(format_json(with_iso_times(answer)))
        return 0
    tokens = answer.get("tokens", []) if isinstance(answer, dict) else answer
    if not tokens:
        write("no tokens")
        return 0
    columns = ("id", "workspace_id", "name", "status", "token_prefix", "last_used_at")
    write(
        format_table(
            [
                ["ID", "WORKSPACE", "NAME", "STATUS", "BEGINS WITH", "LAST USED"],
                *([printable(token.get(column) or "-") for column in columns] for token in tokens),
            ],
            text=columns.index("name"),
        )
    )
    return 0


def _end_token(args: argparse.Namespace) -> int:
    if not args.yes and not _confirmed(f"{args.action} token {args.id}?"):
        write("nothing changed")
        return 1
    answer = asyncio.run(_call(args, f"{args.action}_token", args.id))
    done = "revoked" if args.action == "revoke" else "deleted"
    write(
        format_json(with_iso_times(answer)) if args.json else f"Token {printable(args.id)} {done}."
    )
    return 0


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Cannot ask without a terminal: add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _call(args: argparse.Namespace, name: str, *values: Any) -> Any:
    async with platform_access.open_client(args, token=False) as client:
        tokens = client.notifications
        match name:
            case "create_token":
                workspace, label, metadata = values
                return await tokens.create_token(
                    workspace_id=workspace, name=label, metadata=metadata
                )
            case "list_tokens":
                return await tokens.list_tokens(workspace_id=values[0])
            case "revoke_token":
                return await tokens.revoke_token(values[0])
            case _:
                return await tokens.delete_token(values[0])


def _token(answer: Any) -> dict[str, Any]:
    """Return the token's record from either form of the answer."""
    record = answer.get("token") if isinstance(answer, dict) else None
    if isinstance(record, dict):
        return dict(record)
    return dict(answer) if isinstance(answer, dict) else {}
