"""Names to addresses, without a thread that anybody must wait for."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp.abc import ResolveResult

Infos = list[tuple[Any, ...]]
"""What socket.getaddrinfo returns."""


def resolve_results(host: str, infos: Infos) -> list[ResolveResult]:
    """Convert what `addresses` returns for aiohttp's resolvers."""
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return [
        ResolveResult(
            hostname=host, host=at[0], port=at[1], family=kind, proto=proto, flags=numeric
        )
        for kind, _, proto, _, at in infos
    ]


async def addresses(
    host: str,
    port: int,
    family: socket.AddressFamily,
    *,
    resolve: Callable[..., Infos] = socket.getaddrinfo,
) -> Infos:
    """Resolve in a daemon thread; OSError when there is no such name.

    The threads of an executor are joined when the process ends: a name server that never answers
    would hold up the stop for as long as the C library tries.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Infos] = loop.create_future()

    def settle(infos: Infos, error: OSError | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(infos)
        else:
            found.set_exception(error)

    def run() -> None:
        infos: Infos = []
        error: OSError | None = None
        try:
            infos = resolve(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
        except OSError as failed:
            error = failed
        except UnicodeError:
            error = socket.gaierror(socket.EAI_NONAME, "not a host name")
        with suppress(RuntimeError):  # the loop has closed: nobody asks any more
            loop.call_soon_threadsafe(settle, infos, error)

    threading.Thread(target=run, name="lookup", daemon=True).start()
    return await found
