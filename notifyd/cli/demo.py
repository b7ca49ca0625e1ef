"""`notifyd demo`: relay, inbox page and daemon on one machine, without any other server."""

import argparse
import asyncio
import contextlib
import shlex
import sys
import tempfile
import time
from pathlib import Path

from notifyd.app import App
from notifyd.cli.demo_activity import DemoActivity
from notifyd.cli.exit_status import UsageError
from notifyd.cli.run import serve
from notifyd.config.load import load
from notifyd.config.token import find_token, save_token
from notifyd.model.errors import InUseError
from notifyd.relay.server import open_relay
from notifyd.telemetry import logging

HELP = (
    "Run a relay with its inbox page and the daemon on this machine, with a sample configuration "
    "and things that happen. Ctrl-C stops it."
)

EPILOG = """\
examples:
  notifyd demo
  notifyd demo --dir ~/notifyd-demo --port 9000
"""

PORT = 8788
_LAST_PORT = 65535

_CONFIG = """\
# The configuration of the demo. Test it: notifyd match alerts app.log --config FILE
[api]
url = "{url}"
token_file = "{directory}/send-token"

[budget]
max = 1000

[state]
dir = "{directory}/state"

[socket]
path = "{directory}/notifyd.sock"

[triggers.alerts]
type = "log"
paths = ["{directory}/app.log"]
read_from = "beginning"
patterns = ['ALERT (?P<what>.*)']
title = "{{{{ fields.what }}}}"
priority = "high"
debounce = "300ms"
cooldown = "0s"

[triggers.shop]
type = "log"
paths = ["{directory}/app.log"]
multiline = "python"
patterns = ['Traceback']
cooldown = "0s"

[triggers.reports]
type = "file"
paths = ["{directory}/reports/*"]
debounce = "300ms"
cooldown = "0s"

[triggers.jobs]
type = "process"
name = "demo-job"
cooldown = "0s"

[triggers.service]
type = "command"
run = "test -e {directory}/service.pid || {{ echo the service is down; exit 1; }}"
every = "2s"
cooldown = "0s"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="DIR",
        help="directory of the demo's files (default: a temporary one)",
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"port of the inbox page (default: {PORT})"
    )


def run(args: argparse.Namespace) -> int:
    if not 0 <= args.port <= _LAST_PORT:
        raise UsageError(f"--port: use a number from 0 to {_LAST_PORT} (got {args.port})")
    with contextlib.ExitStack() as stack:
        if args.dir is None:
            directory = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="notifyd-demo-"))
            )
        else:
            directory = args.dir.absolute()
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(_demo(directory, args.port))
    return 0


async def _demo(directory: Path, port: int) -> None:
    logging.configure("warning", "console")
    async with contextlib.AsyncExitStack() as stack:
        try:
            relay = await stack.enter_async_context(open_relay(directory / "relay.db", port=port))
        except InUseError:
            relay = await stack.enter_async_context(open_relay(directory / "relay.db"))
            print(f"port {port} is in use; using {relay.url} instead", file=sys.stderr, flush=True)
        send_token = await relay.mint_token("demo", "notifyd demo")
        save_token(directory / "send-token", send_token)
        activity = DemoActivity(directory, relay.url, send_token, time.time())
        activity.prepare()
        config = directory / "config.toml"
        config.write_text(_CONFIG.format(url=relay.url, directory=directory))
        loaded = load(config, {})
        token = find_token(loaded.settings.api, {})
        _print_instructions(directory, relay.inbox_url)
        logging.configure("info", "console")
        async with asyncio.TaskGroup() as group:
            running = group.create_task(activity.run())
            await serve(App(loaded.settings, token, config=config, environ={}), loaded)
            running.cancel()


def _print_instructions(directory: Path, page: str) -> None:
    notifyd = Path(sys.argv[0]).absolute()
    command = shlex.quote(str(notifyd)) if notifyd.name == "notifyd" else "notifyd"
    path = shlex.quote(str(directory))
    print(
        f"""
notifyd demo: a relay, its inbox page and the daemon, all on this machine.

  Open the inbox page      {page}

  Then, in another shell:
    write a log line       echo "ALERT disk full" >> {path}/app.log
    create a file          touch {path}/reports/results.csv
    end a process          bash -c 'exec -a demo-job bash -c "sleep 1; exit 3"'
    send a message         {command} send --socket {path}/notifyd.sock -t Hi there
    send from a program    curl --unix-socket {path}/notifyd.sock \\
                             http://localhost/notifications/send -d '{{"title":"Hello"}}'
    run a command          {command} exec --socket {path}/notifyd.sock -- false
    ask a question         NOTIFYD_CONFIG={path}/config.toml {command} ask 'Go on?'
    follow the daemon      {command} tail --socket {path}/notifyd.sock
    show the status        {command} status --socket {path}/notifyd.sock

  The configuration is {path}/config.toml. Ctrl-C stops the demo.
""",
        flush=True,
    )
