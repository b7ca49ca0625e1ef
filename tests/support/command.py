"""The `notifyd` command as a process: what it prints and how it exits."""

import asyncio
import os
import sys
from dataclasses import dataclass

from support import forked

PATIENCE = 45.0
NOTIFYD = [sys.executable, "-m", "notifyd"]


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


async def run(*words: str, stdin: bytes = b"", uid: int | None = None, **environ: str) -> Ran:
    """uid: of the user who runs it; the tests' own if it is None."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TZ": "UTC", **environ}
    ended = await asyncio.to_thread(
        forked.run, words, environ=environ, stdin=stdin, text=True, uid=uid
    )
    assert "Traceback" not in ended.stderr
    return Ran(*ended)
