"""Asks the platform for the platform source, with the client of the platform's API."""

from typing import Any, Self

from notifyd.config.credentials import ApiCredentials
from notifyd.platform.client import Client
from notifyd.platform.errors import (
    AuthenticationError,
    ForbiddenError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
    ServerError,
)
from notifyd.sources.platform.fetching import FailureKind, FetchFailedError

_TIMEOUT = 10.0
"""Seconds for a request; the requests of all triggers wait for each other."""


class PlatformFetcher:
    """One client for as long as the source runs. It makes one attempt for each call."""

    def __init__(self, credentials: ApiCredentials, base_url: str) -> None:
        self._client = Client(
            credentials.client_id,
            credentials.client_secret,
            base_url=base_url,
            timeout=_TIMEOUT,
            max_wait=0.0,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._client.__aexit__(*exception)

    async def fetch(self, path: str) -> Any:
        try:
            return await self._client.request("GET", path)
        except (AuthenticationError, ForbiddenError) as error:
            raise FetchFailedError(FailureKind.REFUSED, str(error)) from error
        except (ServerError, RateLimitedError) as error:
            kind = FailureKind.UNREACHABLE if isinstance(error, ServerError) else FailureKind.OTHER
            raise FetchFailedError(kind, str(error), error.retry_after) from error
        except PlatformUnreachableError as error:
            raise FetchFailedError(FailureKind.UNREACHABLE, str(error)) from error
        except PlatformError as error:
            raise FetchFailedError(FailureKind.OTHER, str(error)) from error
