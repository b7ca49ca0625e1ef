"""`notifyd relay device`: add, list and remove the devices of a relay, which may be running."""

import argparse
import getpass
import secrets
import sys
import time

from notifyd.cli.exit_status import UsageError
from notifyd.cli.output import format_json, format_short_time, format_table, printable
from notifyd.model.errors import NotifydError
from notifyd.relay import apprise_sender, devices
from notifyd.relay.devices import Device, DeviceKind, NewDevice, Subscription
from notifyd.relay.store.base import RelayStore
from notifyd.relay.web_push import PushAddress

_LONGEST_ADDRESS = 4096
_PROMPT = "Apprise address (not shown): "
_ADD_HELP = (
    "add an Apprise address, which is read from stdin and never shown again; for example "
    "tgram://TOKEN/CHAT or gotify://HOST/TOKEN"
)


def add_arguments(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Return the parser of each operation."""
    operations = parser.add_subparsers(dest="operation", required=True, metavar="OPERATION")
    add = operations.add_parser("add", help=_ADD_HELP, description=f"A{_ADD_HELP[1:]}.")
    add.add_argument("--name", metavar="NAME", help="name shown in lists and on the inbox page")
    add.add_argument(
        "--workspace",
        action="append",
        default=[],
        metavar="W",
        help="only notifications of this workspace; may be repeated (default: of all)",
    )
    add.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="C",
        help="only notifications of this channel; may be repeated (default: of all, and without)",
    )
    listing = operations.add_parser("list", help="list devices, without their secrets")
    listing.add_argument("--json", action="store_true", help="print as JSON")
    remove = operations.add_parser("remove", help="remove a device, and what waits for it")
    remove.add_argument("id", metavar="ID", help="as printed by `notifyd relay device list`")
    return [add, listing, remove]


def prepare(args: argparse.Namespace) -> None:
    """Read what an operation needs, before the database is opened; NotifydError if it is wrong."""
    if args.operation == "add":
        args.address = _read_address()
        apprise_sender.check_address(args.address)


async def run(store: RelayStore, args: argparse.Namespace) -> str:
    """Do what the arguments say; return what to print."""
    return await {"add": _add, "list": _list, "remove": _remove}[args.operation](store, args)


async def _add(store: RelayStore, args: argparse.Namespace) -> str:
    masked = apprise_sender.mask(args.address)
    new = NewDevice(
        f"apprise-{secrets.token_hex(6)}",
        DeviceKind.APPRISE,
        args.name or masked,
        args.address,
        Subscription(tuple(args.workspace), tuple(args.channel)),
    )
    device = await store.run(devices.add, new, time.time())
    return f"added device {device.id} ({masked}): {_subscription(device)}"


async def _list(store: RelayStore, args: argparse.Namespace) -> str:
    found = await store.read(devices.list_all)
    addresses = await store.read(devices.load_addresses)
    shown = [(device, _address(device, addresses.get(device.id, ""))) for device in found]
    if args.json:
        return format_json([{**device.as_json(), "address": where} for device, where in shown])
    if not shown:
        return "no devices; inbox pages add themselves in their settings"
    rows = [
        [
            str(device.id),
            printable(device.name or device.device_id),
            where,
            printable(_subscription(device)),
            printable(_state(device)),
        ]
        for device, where in shown
    ]
    return format_table([["ID", "NAME", "ADDRESS", "GETS", "STATE"], *rows])


async def _remove(store: RelayStore, args: argparse.Namespace) -> str:
    if not await store.run(devices.delete, args.id):
        raise NotifydError(
            f"no device {printable(args.id)}; `notifyd relay device list` shows the devices"
        )
    return f"removed device {printable(args.id)}"


def _read_address() -> str:
    if sys.stdin is None:
        raise UsageError("the Apprise address is read from stdin, but stdin is closed")
    if sys.stdin.isatty():
        address = getpass.getpass(_PROMPT)
    else:
        address = sys.stdin.readline(_LONGEST_ADDRESS + 1)
    if len(address) > _LONGEST_ADDRESS:
        raise UsageError(f"the Apprise address is longer than {_LONGEST_ADDRESS} characters")
    if not address.strip():
        raise UsageError("no Apprise address on stdin; for example: echo 'gotify://…' | …")
    return address.strip()


def _address(device: Device, address: str) -> str:
    match device.kind:
        case DeviceKind.APPRISE:
            return apprise_sender.mask(address)
        case DeviceKind.WEB_PUSH:
            return apprise_sender.mask(PushAddress.parse(address).endpoint)
        case DeviceKind.APP:
            return device.platform or "app"


def _subscription(device: Device) -> str:
    workspaces, channels = device.subscription
    parts = []
    if workspaces:
        parts.append(f"workspace {', '.join(workspaces)}")
    if channels:
        parts.append(f"channel {', '.join(channels)}")
    return "; ".join(parts) or "everything"


def _state(device: Device) -> str:
    if device.muted_until > time.time():
        return f"muted until {format_short_time(device.muted_until)}"
    return device.problem or "ok"
