"""Reports of this workspace's state to a relay of notifyd."""

import asyncio
import json
from http import HTTPStatus
from typing import NamedTuple, Self

from notifyd.delivery.client import BODY_LIMIT, Secret
from notifyd.delivery.response import sanitize
from notifyd.http.outgoing import OutgoingPool, read_bounded
from notifyd.model.notifications import Json

TIMEOUT = 10.0
"""Seconds for a whole report."""

_UNKNOWN = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
)


class ReportOutcome(NamedTuple):
    """is_supported: False if the server takes no reports, as the platform. error: why it failed."""

    is_accepted: bool
    is_supported: bool = True
    error: str = ""


class FleetClient:
    """Has connections of its own, so that it is never in the way of a delivery."""

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/fleet/report"
        self._pool = OutgoingPool(url)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._pool.__aexit__(*exception)

    async def report(self, report: Json, token: Secret) -> ReportOutcome:
        """Send one report. Raises only if cancelled; nothing is repeated."""
        secret = token.get_secret_value()
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._pool.request(
                    "POST", self._url, headers=headers, data=json.dumps(report).encode()
                ) as response,
            ):
                await read_bounded(response, BODY_LIMIT)
                status = response.status
        except Exception as error:  # noqa: BLE001 - whatever went wrong on the way, in words
            _, sentence = self._pool.fault(error, TIMEOUT)
            return ReportOutcome(is_accepted=False, error=sanitize(sentence, secret))
        if status == HTTPStatus.OK:
            return ReportOutcome(is_accepted=True)
        refusal = f"{self._pool.host} refused with {status}"
        return ReportOutcome(is_accepted=False, is_supported=status not in _UNKNOWN, error=refusal)
