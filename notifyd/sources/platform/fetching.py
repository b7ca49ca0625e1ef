"""How the source asks the platform; the engine provides the client."""

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Any, Protocol


class FailureKind(StrEnum):
    """Why there is no answer: nothing answers, the credentials are refused, or anything else."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    OTHER = "other"


class FetchFailedError(Exception):
    """There is no answer. The message is one sentence. retry_after: seconds, 0 if not asked for."""

    def __init__(self, kind: FailureKind, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


class Fetcher(Protocol):
    """Asks the platform, one request for each call: repeats are the source's own matter."""

    async def fetch(self, path: str) -> Any:
        """Return what the answer to GET `path` carries; FetchFailedError if there is none."""
        ...


OpenFetcher = AbstractAsyncContextManager[Fetcher]
