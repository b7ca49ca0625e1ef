"""`notifyd relay`: serve the Notifications API on this machine, with an inbox page."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from notifyd.config.paths import ListenAddress, is_loopback, user_state_dir
from notifyd.http.rate_limit import Rate
from notifyd.model.errors import NotifydError
from notifyd.relay.credentials import ClientCredentials
from notifyd.relay.server import RATE, Relay, open_relay
from notifyd.telemetry import logging

HELP = "Serve the Notifications API on this machine, with an inbox page."

_EPILOG = """\
Client credentials come from OBLIEN_CLIENT_ID and OBLIEN_CLIENT_SECRET. Without these variables they
are generated at the first start and printed once. The URL of the inbox page stays the same.
"""

_NOT_LOOPBACK = (
    "warning: other machines can reach this address, and the connection is not encrypted; use it "
    "only in a trusted network"
)

_MAX_RATE = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "--listen",
        type=_address,
        default=ListenAddress("127.0.0.1", 8788),
        metavar="HOST:PORT",
        help="address to listen on (default: 127.0.0.1:8788); port 0 selects a free port",
    )
    parser.add_argument(
        "--database",
        type=Path,
        metavar="FILE",
        help="database file (default: relay.db in $XDG_STATE_HOME/notifyd)",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=RATE.max,
        metavar="N",
        help=f"notifications that each workspace may send per minute (default: {RATE.max})",
    )


def run(args: argparse.Namespace) -> int:
    logging.configure("info", "auto")
    asyncio.run(_serve(args))
    return 0


async def _serve(args: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    address: ListenAddress = args.listen
    async with open_relay(
        args.database or user_state_dir(os.environ) / "relay.db",
        address.host,
        address.port,
        rate=Rate(args.rate, 60.0),
        client=_client(),
    ) as relay:
        if not is_loopback(address.host):
            print(_NOT_LOOPBACK, file=sys.stderr)
        print(_greeting(relay), flush=True)
        await stopped.wait()


def _greeting(relay: Relay) -> str:
    lines = [f"API    {relay.url}", f"Inbox  {relay.inbox_url}"]
    if relay.new_client is not None:
        lines += [
            "New client credentials, printed only once:",
            f"OBLIEN_CLIENT_ID={relay.new_client.id}",
            f"OBLIEN_CLIENT_SECRET={relay.new_client.secret}",
        ]
    return "\n".join(lines)


def _client() -> ClientCredentials | None:
    client_id = os.environ.get("OBLIEN_CLIENT_ID")
    secret = os.environ.get("OBLIEN_CLIENT_SECRET")
    if client_id and secret:
        return ClientCredentials(client_id, secret)
    if client_id or secret:
        missing = "OBLIEN_CLIENT_SECRET" if client_id else "OBLIEN_CLIENT_ID"
        raise NotifydError(f"{missing} is not set; set both variables or none")
    return None


def _address(value: str) -> ListenAddress:
    try:
        return ListenAddress.parse(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"invalid address {value!r}; use HOST:PORT such as 127.0.0.1:8788"
        ) from None


def _rate(value: str) -> int:
    if value.isdecimal() and 1 <= int(value) <= _MAX_RATE:
        return int(value)
    raise argparse.ArgumentTypeError(f"invalid rate {value!r}; use a number from 1 to {_MAX_RATE}")
