"""The daemon's side of the process that runs commands."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from notifyd.model.errors import SourceError
from notifyd.sources.probes.commands import RUNNER_PROGRAM
from notifyd.sources.probes.commands.environment import base_environment

_LINE_LIMIT: Final = 1 << 20
"""Bytes of the longest reply: what is kept of the outputs, written as JSON."""
_EXIT_TIMEOUT: Final = 2.0
_ENDED: Final = "the process that runs commands has ended"


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command to run. name: of its trigger. timeout: seconds.

    is_joined: write standard error into standard output, in the order in which it comes.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    timeout: float
    is_joined: bool = False


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a run has led to.

    status: negative if a signal killed the command; None if it timed out or could not be started.
    error: why it could not be started. out: with a mark in place of what was too long. err: the
    beginning.
    """

    status: int | None
    out: bytes = b""
    err: bytes = b""
    error: str = ""


class CommandRunner:
    """Runs commands in a child process, from entering it to leaving it. Leaving kills them all."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[CommandResult]] = {}
        self._last_id = 0

    async def __aenter__(self) -> Self:
        self._process, connection = _start_process()
        try:
            reader, self._writer = await asyncio.open_unix_connection(
                sock=connection, limit=_LINE_LIMIT
            )
        except BaseException:  # cancelled: the process ends with its socket
            connection.close()
            await asyncio.to_thread(self._wait)
            raise
        self._receiving = asyncio.create_task(self._receive(reader))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._receiving.cancel()
        self._writer.transport.abort()
        await asyncio.to_thread(self._wait)

    def _wait(self) -> None:
        try:
            self._process.wait(_EXIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def run(self, request: CommandRequest) -> CommandResult:
        """Run a command to its end or its timeout; SourceError if the runner has ended."""
        if self._receiving.done():
            raise SourceError(_ENDED)
        self._last_id += 1
        number = self._last_id
        fields = {
            "id": number,
            "name": request.name,
            "argv": request.argv,
            "env": request.env,
            "cwd": request.cwd,
            "timeout": request.timeout,
            "is_joined": request.is_joined,
        }
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(json.dumps(fields).encode() + b"\n")
            return await self._waiting[number]
        finally:
            del self._waiting[number]

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            with suppress(OSError):
                while line := await reader.readline():
                    reply = json.loads(line)
                    waiting = self._waiting.get(reply["id"])
                    if waiting is not None and not waiting.done():
                        waiting.set_result(_decode(reply))
        finally:  # whatever has ended it, nobody waits for ever
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(SourceError(_ENDED))


def _start_process() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process; also returns the daemon's end of its socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", str(RUNNER_PROGRAM)],
                env=base_environment(os.environ),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for the daemon
            )
        except OSError as error:
            ours.close()
            raise SourceError(f"commands cannot be run: {error.strerror}") from None
    return process, ours


def _decode(reply: Mapping[str, object]) -> CommandResult:
    if "error" in reply:
        return CommandResult(None, error=str(reply["error"]))
    out, end, err = (str(reply[key]).encode("latin-1") for key in ("out", "end", "err"))
    if reply["omitted"]:
        mark = f"\n… {reply['omitted']} bytes left out …\n".encode()
        _, _, end = end.partition(b"\n")
        out = out + mark + end
    else:
        out += end
    status = reply["status"]
    return CommandResult(status if isinstance(status, int) else None, out, err)
