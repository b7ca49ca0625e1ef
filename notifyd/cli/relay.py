"""`notifyd relay`: serve the Notifications API on this machine, with an inbox page."""

import argparse
import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from notifyd.cli import relay_devices
from notifyd.cli.output import write
from notifyd.config.paths import ListenAddress, is_loopback, user_state_dir
from notifyd.http.rate_limit import Rate
from notifyd.http.tcp import is_wildcard, outward_address
from notifyd.model.errors import NotifydError
from notifyd.relay import credentials
from notifyd.relay.credentials import ClientCredentials
from notifyd.relay.sends import RATE
from notifyd.relay.server import LIMITS, Relay, inbox_url, open_relay
from notifyd.relay.store.base import RelayStore
from notifyd.relay.store.location import Database, open_store, parse_database
from notifyd.telemetry import logging

HELP = "Serve the Notifications API on this machine, with an inbox page."

EPILOG = """\
Client credentials come from OBLIEN_CLIENT_ID and OBLIEN_CLIENT_SECRET. Without these variables they
are generated at the first start and printed once: of the secret only a hash is stored.
`notifyd relay credentials` shows the client id, `notifyd relay inbox` the URL of the inbox page,
which stays the same. With --renew they replace the credentials, or the secret in the URL, and a
running relay accepts the new ones at once.

Other users of this machine see the arguments of a process. A URL with a password therefore belongs
in NOTIFYD_RELAY_DATABASE; or leave the password to PGPASSFILE or PGPASSWORD.

examples:
  notifyd relay
  notifyd relay --listen 127.0.0.1:9000 --database ./relay.db
  notifyd relay --listen 0.0.0.0:8788 --tls-cert cert.pem --tls-key key.pem
  notifyd relay --behind-proxy https://inbox.example.org
  notifyd relay inbox
  echo 'tgram://TOKEN/CHAT' | notifyd relay device add --name telegram --workspace home
"""

_NOT_LOOPBACK = (
    "warning: other machines can reach this address, and the connection is not encrypted: pushes, "
    "installing the page as an app and opening it offline need HTTPS, by --tls-cert and --tls-key "
    "or by a proxy and --behind-proxy"
)

_MAX_RATE = 100_000

_VARIABLE = "NOTIFYD_RELAY_DATABASE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_actions(parser)
    parser.add_argument("--renew", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(
        "--listen",
        type=_address,
        default=ListenAddress("127.0.0.1", 8788),
        metavar="HOST:PORT",
        help="address to listen on (default: 127.0.0.1:8788); port 0 selects a free port",
    )
    parser.add_argument(
        "--tls-cert",
        type=Path,
        metavar="FILE",
        help="serve HTTPS with this certificate chain, in PEM",
    )
    parser.add_argument(
        "--tls-key",
        type=Path,
        metavar="FILE",
        help="key of --tls-cert (default: in the same file)",
    )
    _add_database(parser, None)
    parser.add_argument(
        "--rate",
        type=_rate,
        default=RATE.max,
        metavar="N",
        help=f"notifications that each workspace may send per minute (default: {RATE.max})",
    )
    parser.add_argument(
        "--url",
        "--behind-proxy",
        type=_url,
        metavar="URL",
        help="address at which a proxy serves this relay, such as https://relay.example",
    )
    parser.add_argument(
        "--access-log", action="store_true", help="log each request, without secrets"
    )
    parser.add_argument(
        "--ephemeral",
        action="append",
        default=[],
        metavar="PATTERN",
        help="names of workspaces or hosts that come and go, such as 'ci-*', and are never reported"
        " as missing; may be repeated",
    )


def _add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", help="instead of serving, on the database of a relay:"
    )
    for name, what, renewed in (
        ("credentials", "show the client credentials", "replace the credentials"),
        (
            "inbox",
            "show the URL of the inbox page",
            "replace the secret in the URL, and end the pushes of pages that knew the old one",
        ),
    ):
        action = actions.add_parser(name, help=what)
        action.add_argument("--renew", action="store_true", default=argparse.SUPPRESS, help=renewed)
        _add_database(action, argparse.SUPPRESS)
    device = actions.add_parser("device", help="add, list or remove devices, which get pushes")
    for operation in relay_devices.add_arguments(device):
        _add_database(operation, argparse.SUPPRESS)


def _add_database(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--database",
        type=_database,
        default=default,
        metavar="DATABASE",
        help="a file, or postgresql://USER@HOST/NAME (default: $NOTIFYD_RELAY_DATABASE, else"
        " relay.db in $XDG_STATE_HOME/notifyd)",
    )


def run(args: argparse.Namespace) -> int:
    logging.configure("info", "auto")
    if args.action:
        database = _chosen_database(args)
        if isinstance(database, Path) and not database.is_file():
            raise _never_started(database)
        if args.action == "device":
            relay_devices.prepare(args)
            write(asyncio.run(_run_device_action(database, args)))
        else:
            write(asyncio.run(_ACTIONS[args.action](database, args.renew)))
    elif args.renew:
        raise NotifydError("--renew needs an action: credentials or inbox")
    else:
        asyncio.run(_serve(args))
    return 0


async def _show_credentials(database: Database, renew: bool) -> str:  # noqa: FBT001 - a command's flag
    async with _open_store(database) as store:
        url = await store.run(credentials.load_url)
        if renew:
            new = await store.run(credentials.renew_client)
            return "\n".join(_exports(url, new))
        client_id = await store.run(credentials.load_client_id)
    return "\n".join(
        [
            f"OBLIEN_CLIENT_ID={client_id or '(stored as a hash only)'}",
            "The secret is stored as a hash only; --renew makes new credentials and prints them.",
        ]
    )


async def _show_inbox(database: Database, renew: bool) -> str:  # noqa: FBT001 - a command's flag
    async with _open_store(database) as store:
        load = credentials.renew_inbox_key if renew else credentials.ensure_inbox_key
        key = await store.run(load)
        return inbox_url(await store.run(credentials.load_url), key)


async def _run_device_action(database: Database, args: argparse.Namespace) -> str:
    async with _open_store(database) as store:
        return await relay_devices.run(store, args)


_ACTIONS = {"credentials": _show_credentials, "inbox": _show_inbox}


@asynccontextmanager
async def _open_store(database: Database) -> AsyncIterator[RelayStore]:
    """Open the database of a relay, which may be running; NotifydError if none was ever started."""
    store = await open_store(database)
    try:
        if not await store.read(credentials.load_url):
            raise _never_started(database)
        yield store
    finally:
        await store.close()


def _never_started(database: Database) -> NotifydError:
    return NotifydError(
        f"{database}: no relay has been started with this database;"
        " run `notifyd relay` first, or name its database with --database"
    )


def _chosen_database(args: argparse.Namespace) -> Database:
    if args.database is not None:
        given: Database = args.database
        return given
    if text := os.environ.get(_VARIABLE):
        try:
            return parse_database(text)
        except ValueError as error:
            raise NotifydError(f"{_VARIABLE} is invalid: {error}") from None
    return user_state_dir(os.environ) / "relay.db"


async def _serve(args: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    address: ListenAddress = args.listen
    tls = _tls(args)
    # A proxy is one client, however many people are behind it.
    limits = replace(LIMITS, per_client=LIMITS.connections) if args.url else LIMITS
    async with open_relay(
        _chosen_database(args),
        address.host,
        address.port,
        rate=Rate(args.rate, 60.0),
        client=_client(),
        ephemeral=args.ephemeral,
        limits=limits,
        tls=tls,
        public_url=args.url or "",
        is_logging=args.access_log,
    ) as relay:
        is_open = not is_loopback(address.host)
        if is_open and tls is None and not (args.url or "").startswith("https:"):
            print(_NOT_LOOPBACK, file=sys.stderr)
        print(_greeting(relay), flush=True)
        if is_open or args.url:
            _print_phone_url(relay, address.host)
        await stopped.wait()


def _tls(args: argparse.Namespace) -> ssl.SSLContext | None:
    if args.tls_cert is None:
        if args.tls_key is not None:
            raise NotifydError("--tls-key needs --tls-cert, the certificate of the key")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(args.tls_cert, args.tls_key, "")  # no password, and no question
    except OSError as error:  # ssl.SSLError is one
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        files = " and ".join(str(file) for file in (args.tls_cert, args.tls_key) if file)
        raise NotifydError(
            f"cannot serve HTTPS with {files}: {reason or error};"
            " use a certificate chain and its key, in PEM and without a password"
        ) from None
    return context


def _print_phone_url(relay: Relay, host: str) -> None:
    """Print the address for a phone and, on a terminal, a code that its camera reads."""
    url = relay.inbox_url
    if is_wildcard(host) and (outward := outward_address()) and "127.0.0.1" in relay.url:
        url = url.replace("127.0.0.1", outward, 1)
        print(f"Phone  {url}", flush=True)
    if sys.stdout.isatty():
        import segno  # noqa: PLC0415 - only for this

        segno.make(url, micro=False).terminal(compact=True, border=2)


def _greeting(relay: Relay) -> str:
    lines = [f"API    {relay.url}", f"Inbox  {relay.inbox_url}"]
    if relay.new_client is not None:
        lines += [
            "New client credentials, which `notifyd token` needs. The secret is printed only once:"
        ]
        lines += _exports(relay.url, relay.new_client)
    return "\n".join(lines)


def _exports(url: str, client: ClientCredentials) -> list[str]:
    """Return the lines that a shell takes to use this relay."""
    return [
        f"export OBLIEN_BASE_URL={url}",
        f"export OBLIEN_CLIENT_ID={client.id}",
        f"export OBLIEN_CLIENT_SECRET={client.secret}",
    ]


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


def _database(value: str) -> Database:
    try:
        return parse_database(value)
    except ValueError as error:  # the value is not repeated: it may hold a password
        raise argparse.ArgumentTypeError(f"invalid database: {error}") from None


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_base = parts.scheme in ("http", "https") and parts.hostname and not parts.path.strip("/")
    except ValueError:
        is_base = None
    if not is_base or parts.query or parts.fragment or parts.username:
        raise argparse.ArgumentTypeError(
            f"invalid address {value!r}; use a URL without a path such as https://relay.example"
        )
    return value


def _rate(value: str) -> int:
    if value.isdecimal() and 1 <= int(value) <= _MAX_RATE:
        return int(value)
    raise argparse.ArgumentTypeError(f"invalid rate {value!r}; use a number from 1 to {_MAX_RATE}")
