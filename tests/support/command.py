"""The `notifyd` command as a process: what it prints and how it exits."""

import asyncio
import os
import sys
from dataclasses import dataclass

PATIENCE = 45.0
NOTIFYD = [sys.executable, "-m", "notifyd"]


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


async def run(*words: str, stdin: bytes = b"", **environ: str) -> Ran:
    process = await asyncio.create_subprocess_exec(
        *NOTIFYD,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TZ": "UTC", **environ},
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), PATIENCE)
    assert b"Traceback" not in err
    return Ran(process.returncode, out.decode(), err.decode())
