"""What the generated groups of endpoints share."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from notifyd.platform.answers import Answer


class EndpointCaller(Protocol):
    """Calls endpoints; the client is one."""

    async def call(
        self, key: str, path: Mapping[str, str | int], fields: Mapping[str, Any]
    ) -> Answer:
        """Call the endpoint with this key; `path` holds the values of its path parameters."""
        ...

    async def upload(
        self, path: str, files: Sequence[str | Path], fields: Mapping[str, str]
    ) -> Answer:
        """Post files and fields as a multipart form."""
        ...


class EndpointGroup:
    """The base of the groups: one method for each endpoint."""

    def __init__(self, caller: EndpointCaller) -> None:
        self._caller = caller
