"""Run inside a booted systemd by test_journal.py: a silent unit, and one that floods."""

import asyncio
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.options import JournalSourceOptions
from notifyd.sources.journal.source import JournalSource
from support.journal import trigger
from support.logs import CountingExecutor, record_matcher_for, scanner_for, until
from support.recorder import Recorder

TRIGGERS = {"t": trigger("quiet.service", patterns="^said")}


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def write(word):
    run("systemd-run", "--quiet", "--wait", "--unit=quiet", "echo", f"said {word}")


@asynccontextmanager
async def running(checkpoints=None, idle_advance=0.2):
    seen = Recorder(checkpoints)
    with CountingExecutor(1) as executor:
        options = JournalSourceOptions(
            TRIGGERS,
            scanner_for(TRIGGERS),
            record_matcher_for(TRIGGERS),
            time.time,
            check_interval=0.1,
            idle_advance=idle_advance,
        )
        seen.source = JournalSource(options, seen.checkpoints, executor=executor)
        task = asyncio.create_task(seen.source.run(seen.emit))
        try:
            await seen.until(lambda: seen.batches)
            yield seen
        finally:
            task.cancel()
            await asyncio.wait([task])


def has_reached(seen, cursor):
    return Cursor.decode(seen.checkpoints["journal:read"]).is_same_entry(Cursor(cursor))


async def silence():
    async with running() as seen:
        write("one")
        await seen.until(lambda: seen.lines == ["said one"])
        run("logger", "of another")
        run("journalctl", "--sync")
        last = run("journalctl", "--lines=1", "--show-cursor", "--quiet").partition("cursor: ")[2]
        await until(lambda: has_reached(seen, last.strip()), within=45.0)
    run("journalctl", "--rotate", "--vacuum-time=1s")
    run("logger", "more of another")
    write("two")
    run("journalctl", "--sync")
    async with running(seen.checkpoints, idle_advance=3600.0) as later:
        await later.until(lambda: later.lines == ["said two"])
        print("problems:", tuple(later.source.health().messages))


async def flood():
    limits = ("--property=LogRateLimitIntervalSec=2s", "--property=LogRateLimitBurst=50")
    script = "for i in $(seq 400); do echo said $i; done; sleep 2.2; echo said last"
    async with running() as seen:
        run("systemd-run", "--quiet", "--wait", "--unit=quiet", *limits, "sh", "-c", script)
        await seen.until(lambda: "said last" in seen.lines)
        health = seen.source.health()
        print("read and dropped:", len(seen.lines) + health.dropped["t"])
        print("problems:", tuple(health.messages))
    async with running(seen.checkpoints) as later:
        print("restored:", later.source.health().dropped == health.dropped)


def misspelt_unit():
    config = Path("/run/match.toml")
    for unit in ("qiuet", "quiet"):
        config.write_text(f'[triggers.t]\ntype = "log"\njournal = "{unit}"\npatterns = "nobody"')
        match = [sys.executable, "-m", "notifyd", "match", "t", "--config", str(config)]
        done = subprocess.run(
            match, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        print(f"match {unit}:", done.returncode, done.stderr.strip())


asyncio.run(silence())
misspelt_unit()
asyncio.run(flood())
