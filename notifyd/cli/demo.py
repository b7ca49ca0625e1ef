"""`notifyd demo`: everything at work on one machine, with nobody else's server."""

import argparse
import asyncio
import contextlib
import itertools
import os
import shlex
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from notifyd.app import App
from notifyd.cli.run import serve
from notifyd.config.load import load
from notifyd.config.token import find_token
from notifyd.model.errors import InUseError
from notifyd.relay.server import Relay
from notifyd.telemetry import logging

HELP = "Show everything at work: relay, inbox page, daemon, a log that is being written."

PORT = 8788

_CONFIG = """\
# The demo's configuration. `notifyd match alerts app.log --config this-file` tries its patterns.
[api]
url = "{url}"
token_file = "{folder}/send-token"

[budget]
max = 1000

[state]
dir = "{folder}/state"

[socket]
path = "{folder}/notifyd.sock"

[triggers.alerts]
type = "log"
paths = ["{folder}/app.log"]
read_from = "beginning"
patterns = ['ALERT (?P<what>.*)', 'Traceback']
title = "{{{{ fields.what or 'Something broke' }}}}"
priority = "high"
debounce = "300ms"
cooldown = "0s"

[triggers.reports]
type = "file"
paths = ["{folder}/reports/*"]
debounce = "300ms"
cooldown = "0s"

[triggers.jobs]
type = "process"
name = "demo-job"
cooldown = "0s"
"""

_STORY = (
    "INFO  request served in 12 ms",
    "INFO  request served in 9 ms",
    "ALERT the nightly build broke: 3 tests failed",
    "INFO  request served in 15 ms",
    "INFO  epoch 41 done, loss 0.31",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="keep the demo's files here (default: a new folder)"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"the page's port (default: {PORT})")


def run(args: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        if args.dir is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="notifyd-demo-")))
        else:
            folder = args.dir.absolute()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(_demo(folder, args.port))
    return 0


async def _demo(folder: Path, port: int) -> None:
    (folder / "reports").mkdir(exist_ok=True)
    log_file = folder / "app.log"
    log_file.touch()
    logging.configure("warning", "console")
    async with contextlib.AsyncExitStack() as stack:
        try:
            relay = await stack.enter_async_context(Relay(folder / "relay.db", port=port))
        except InUseError:
            relay = await stack.enter_async_context(Relay(folder / "relay.db"))
        _keep_token(folder / "send-token", await relay.mint_token("demo", "notifyd demo"))
        config = folder / "config.toml"
        config.write_text(_CONFIG.format(url=relay.url, folder=folder))
        loaded = load(config, {})
        token = find_token(loaded.settings.api, {})
        _explain(folder, relay.inbox_url)
        logging.configure("info", "console")
        async with asyncio.TaskGroup() as group:
            story = group.create_task(_tell_story(log_file, folder))
            await serve(App(loaded.settings, token, config=config, environ={}), loaded)
            story.cancel()


def _keep_token(path: Path, token: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)


def _explain(folder: Path, page: str) -> None:
    notifyd = Path(sys.argv[0]).absolute()
    command = shlex.quote(str(notifyd)) if notifyd.name == "notifyd" else "notifyd"
    where = shlex.quote(str(folder))
    print(
        f"""
notifyd demo: a relay, its inbox page and the daemon, all on this machine.

  Open the inbox page      {page}

  Then, in a second shell:
    a log line             echo "ALERT disk full" >> {where}/app.log
    a file                 touch {where}/reports/results.csv
    the end of a process   bash -c 'exec -a demo-job bash -c "sleep 1; exit 3"'
    a message              {command} send --socket {where}/notifyd.sock -t Hi there
    from any program       curl --unix-socket {where}/notifyd.sock \\
                             http://localhost/notifications/send \\
                             -H 'Content-Type: application/json' -d '{{"title":"Hello"}}'
    how it is              {command} status --socket {where}/notifyd.sock

  The configuration is {where}/config.toml. Ctrl-C ends the demo.
""",
        flush=True,
    )


async def _tell_story(log_file: Path, folder: Path) -> None:
    """Write a log line every other second, and let a job end badly once."""
    for number, line in enumerate(itertools.chain(_STORY, itertools.cycle(_STORY[:2]))):
        await asyncio.sleep(2)
        with log_file.open("a") as file:
            file.write(f"{datetime.now().astimezone():%H:%M:%S} {line}\n")
        if number == len(_STORY):
            job = await asyncio.create_subprocess_exec(
                "bash", "-c", 'exec -a demo-job bash -c "sleep 2; exit 3"', cwd=folder
            )
            await job.wait()
