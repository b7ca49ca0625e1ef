"""Devices that are addresses of other services, through Apprise."""

import asyncio
import importlib.util
import logging
import re
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import structlog

from notifyd.http.tcp import is_address
from notifyd.model.errors import NotifydError
from notifyd.relay import push_message
from notifyd.relay.deliveries import Delivery, DeliveryResult, DeliveryStatus
from notifyd.relay.notifications import text_of

log = structlog.get_logger()

TIMEOUT = 30.0
"""Seconds for one notification."""

MISSING = "Apprise is not installed: install workspace-notifyd[apprise] where the relay runs"

_TYPES = {
    "failure": "failure",
    "critical": "failure",
    "warning": "warning",
    "unknown": "warning",
    "success": "success",
    "recovered": "success",
}
_HOST_NAME = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}", re.IGNORECASE)


def check_address(address: str) -> None:
    """Raise NotifydError unless Apprise can use the address."""
    if importlib.util.find_spec("apprise") is None:
        raise NotifydError(MISSING)
    apprise = _import()
    if apprise.Apprise.instantiate(address) is None:
        raise NotifydError(
            "Apprise does not know this address;"
            " https://appriseit.com/services/ shows those of all services"
        )


def mask(address: str) -> str:
    """Return the scheme, and the host if it is one: many services have a secret in its place."""
    scheme, _, _ = address.partition(":")
    host = ""
    with suppress(ValueError):
        host = urlsplit(address).hostname or ""
    is_host = host == "localhost" or is_address(host) or _HOST_NAME.fullmatch(host)
    return f"{scheme}://{host if is_host else '…'}"


class AppriseSender:
    """Each notification has a thread of its own, which nobody waits for when the relay ends."""

    def __init__(self) -> None:
        self._busy: set[int] = set()

    async def send(self, delivery: Delivery) -> DeliveryResult:
        if importlib.util.find_spec("apprise") is None:
            return DeliveryResult(DeliveryStatus.RETRY, MISSING)
        if delivery.device in self._busy:
            reason = f"{mask(delivery.address)} has not answered for long"
            return DeliveryResult(DeliveryStatus.RETRY, reason)
        self._busy.add(delivery.device)
        try:
            async with asyncio.timeout(TIMEOUT):
                is_sent = await self._start(delivery)
        except TimeoutError:
            reason = f"no answer from {mask(delivery.address)} within {TIMEOUT:g} s"
            return DeliveryResult(DeliveryStatus.RETRY, reason)
        if is_sent:
            return DeliveryResult(DeliveryStatus.DONE)
        reason = f"{mask(delivery.address)} cannot be reached or refused it"
        return DeliveryResult(DeliveryStatus.RETRY, reason)

    def _start(self, delivery: Delivery) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def settle(is_sent: bool) -> None:  # noqa: FBT001 - called by the thread alone
            self._busy.discard(delivery.device)
            if not done.done():
                done.set_result(is_sent)

        def run() -> None:
            is_sent = False
            try:
                is_sent = _notify(delivery)
            except Exception as error:  # noqa: BLE001 - Apprise has a hundred services
                log.warning(
                    "Apprise failed", device=delivery.device_name, error=type(error).__name__
                )
            with suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(settle, is_sent)

        threading.Thread(target=run, name="apprise", daemon=True).start()
        return done


def _notify(delivery: Delivery) -> bool:
    apprise = _import()
    asset = apprise.AppriseAsset(app_id="notifyd", app_desc="notifyd", app_url="")
    service = apprise.Apprise(asset=asset)
    if not service.add(delivery.address):
        return False
    parts = (delivery.body or "", push_message.link_of(delivery))
    body = "\n".join(part for part in parts if part)
    title = push_message.title_of(delivery)
    kind = _TYPES.get(text_of(delivery.data, "outcome"), "info")
    return bool(service.notify(body=body or title, title=title if body else "", notify_type=kind))


def _import() -> Any:
    """Import Apprise, which may log addresses with their secrets: what it logs is dropped."""
    import apprise  # noqa: PLC0415 - takes long, and only some relays have such devices

    logging.getLogger("apprise").disabled = True
    return apprise
