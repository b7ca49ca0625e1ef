"""The daemon, with a fault: while FILE exists, its next commit hangs, but not its event loop.

Usage: hanging_daemon.py FILE. The file is removed when the hang begins.
"""

import asyncio
import os
import sys

from notifyd.cli import main
from notifyd.outbox.store import OutboxStore

FAULT = sys.argv[1]
commit = OutboxStore.commit


async def hang_or_commit(store, new):
    try:
        os.unlink(FAULT)  # noqa: PTH108 - a blocking call either way
    except FileNotFoundError:
        await commit(store, new)
    else:
        await asyncio.Event().wait()


OutboxStore.commit = hang_or_commit
sys.exit(main(["run"]))
