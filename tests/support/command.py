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


async def run(*words: str, stdin: bytes = b"", **environ: str) -> Ran:
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TZ": "UTC", **environ}
    ended = await asyncio.to_thread(forked.run, words, environ=environ, stdin=stdin, text=True)
    assert "Traceback" not in ended.stderr
    return Ran(*ended)
