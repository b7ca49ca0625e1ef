"""Run inside a booted systemd by test_journal.py: a unit that is silent, and one that floods."""

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


def say(word):
    run("systemd-run", "--quiet", "--wait", "--unit=quiet", "echo", f"said {word}")


@asynccontextmanager
async def listening(checkpoints=None, idle_advance=0.2):
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


def reached(seen, cursor):
    return Cursor.decode(seen.checkpoints["journal:read"]).is_same_entry(Cursor(cursor))


async def silence():
    async with listening() as seen:
        say("one")
        await seen.until(lambda: seen.lines == ["said one"])
        run("logger", "of another")
        run("journalctl", "--sync")
        last = run("journalctl", "--lines=1", "--show-cursor", "--quiet").partition("cursor: ")[2]
        await until(lambda: reached(seen, last.strip()), within=10.0)
    run("journalctl", "--rotate", "--vacuum-time=1s")
    run("logger", "more of another")
    say("two")
    run("journalctl", "--sync")
    async with listening(seen.checkpoints, idle_advance=3600.0) as later:
        await later.until(lambda: later.lines == ["said two"])
        print("problems:", tuple(later.source.health().messages))


async def flood():
    limits = ("--property=LogRateLimitIntervalSec=2s", "--property=LogRateLimitBurst=50")
    script = "for i in $(seq 400); do echo said $i; done; sleep 2.2; echo said last"
    async with listening() as seen:
        run("systemd-run", "--quiet", "--wait", "--unit=quiet", *limits, "sh", "-c", script)
        await seen.until(lambda: "said last" in seen.lines)
        health = seen.source.health()
        print("said and lost:", len(seen.lines) + health.dropped["t"])
        print("problems:", tuple(health.messages))
    async with listening(seen.checkpoints) as later:
        print("still known:", later.source.health().dropped == health.dropped)


def mistaken_name():
    config = Path("/run/match.toml")
    for unit in ("qiuet", "quiet"):
        config.write_text(f'[triggers.t]\ntype = "log"\njournal = "{unit}"\npatterns = "nobody"')
        match = [sys.executable, "-m", "notifyd", "match", "t", "--config", str(config)]
        done = subprocess.run(
            match, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        print(f"match {unit}:", done.returncode, done.stderr.strip())


asyncio.run(silence())
mistaken_name()
asyncio.run(flood())
