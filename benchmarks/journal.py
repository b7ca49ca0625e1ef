"""CPU time of reading the journal: notifyd, and the journalctl that it reads through.

    make bench-journal            prints µs of CPU time per entry, and the ratios

All contestants read the same entries of a journal that a real journald wrote, with the same
patterns, one after the other, and must find the same ones. The CPU time of a run without new
entries is subtracted, so start-up and compiling do not count. SYSTEMD_HARNESS names a program that
boots a systemd of its own and runs a command in it, as for tests/systemd.
"""

import argparse
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import corpus
from logs import Run, configured, cpu_of, matches, process

from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import OUTPUT_FIELDS
from support.daemon import Daemon, wait_for
from support.platform import Platform, in_thread

ROOT = Path(__file__).parents[1]
COUNTS = (1, 10, 100)
JOURNALCTL = "journalctl -o export > /dev/null"
DAEMON, MATCHER, PIPE = "notifyd, the whole daemon", "notifyd match --count", "journalctl | rg -c"
LIMITS = "[Journal]\nRateLimitBurst=0\nRuntimeMaxUse=4G\nRuntimeMaxFileSize=1G\n"
_TICK = os.sysconf("SC_CLK_TCK")


class Contestant(NamedTuple):
    """run: reads all entries, and measures all its processes. empty: reads only one entry."""

    title: str
    run: Callable[[], Run]
    empty: Callable[[], Run]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--entries", type=int, default=200_000)
    parser.add_argument("--every", type=int, default=100, help="one in this many entries matches")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patterns", type=int, nargs="*", choices=COUNTS, default=COUNTS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.inside:
        sys.exit(booted())
    with tempfile.TemporaryDirectory() as name, in_thread(Platform()) as platform:
        folder = Path(name)
        bases = {count: armed(folder / f"{count}", count, platform) for count in args.patterns}
        mark = last()
        written(args.entries, args.every)
        for count, daemon in bases.items():
            contestants = make_contestants(daemon, count, mark, folder)
            print_table(count, measured(contestants, args.rounds), args.entries)


def booted() -> int:
    """Run this program in a system whose journal may be filled."""
    harness = os.environ.get("SYSTEMD_HARNESS", "")
    if not harness:
        sys.exit("set SYSTEMD_HARNESS to a program that boots systemd: this fills a journal")
    words = [sys.executable, __file__, *sys.argv[1:], "--inside"]
    environ = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run([harness, "--ro-bind", str(ROOT), "--", *words], env=environ, check=False)
    return done.returncode


def armed(folder: Path, count: int, platform: Platform) -> Daemon:
    """Run a daemon once, so that it reads all entries that are written from now on."""
    folder.mkdir()
    patterns = [sample.pattern for sample in corpus.samples(count)]
    text = configured(folder, patterns).replace("paths = ", "journal = ['*'] # ")
    daemon = Daemon(folder, platform, text)
    for _ in range(2):  # the second time it has compiled its patterns
        daemon_reads(daemon)
    return daemon


def written(entries: int, every: int) -> None:
    """Fill the journal through journald's own socket."""
    drop_in = Path("/run/systemd/journald.conf.d/bench.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    drop_in.write_text(LIMITS)
    subprocess.run(["systemctl", "restart", "systemd-journald"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "corpus.log"
        corpus.write(log, 120 * entries, corpus.samples(COUNTS[-1]), every)
        lines = log.read_bytes().splitlines()[:entries]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.connect("/run/systemd/journal/socket")
        for line in lines:
            journald.send(b"MESSAGE=" + line + b"\nSYSLOG_IDENTIFIER=bench\nPRIORITY=6\n")


def last() -> Cursor:
    """Write an entry that matches nothing, and return its cursor."""
    subprocess.run(["logger", "nothing of interest"], check=True)
    subprocess.run(["journalctl", "--sync"], check=True)
    words = ["journalctl", "--quiet", "--lines=1", "--output=json", "--output-fields=_PID"]
    entry = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    return Cursor(entry["__CURSOR"], int(entry["__REALTIME_TIMESTAMP"]))


def make_contestants(base: Daemon, count: int, mark: Cursor, folder: Path) -> Iterator[Contestant]:
    patterns = folder / f"patterns{count}"
    patterns.write_text("".join(f"{sample.pattern}\n" for sample in corpus.samples(count)))
    export = f"journalctl -q -o export --output-fields={OUTPUT_FIELDS} --cursor="
    pipe = f"journalctl -q -o cat --cursor='%s' | rg -c -f {patterns}"
    match = [sys.executable, "-m", "notifyd", "match", "all", "--count", "--config", base.config]
    end, text = last(), base.config.read_text()

    def shell(text: str) -> Run:
        return process(["sh", "-c", text], {}, lambda said: int(said or 0))

    yield Contestant(
        JOURNALCTL,
        lambda: shell(f"{export}'{mark.text}' > /dev/null"),
        lambda: shell(f"{export}'{end.text}' > /dev/null"),
    )
    yield Contestant(
        DAEMON,
        lambda: daemon_reads(copied(base)),
        lambda: daemon_reads(Daemon(base.folder.with_name("copy"), base.platform, text)),
    )
    yield Contestant(
        MATCHER,
        lambda: process(match, base.environ, int),
        lambda: process([*match, "/dev/null"], base.environ, int),
    )
    if shutil.which("rg"):
        yield Contestant(PIPE, lambda: shell(pipe % mark.text), lambda: shell(pipe % end.text))


def measured(contestants: Iterator[Contestant], rounds: int) -> dict[str, float]:
    """Run all contestants in turns; returns seconds of CPU time by title."""
    programs = list(contestants)
    cpu: defaultdict[str, list[float]] = defaultdict(list)
    empty: defaultdict[str, list[float]] = defaultdict(list)
    found: dict[str, int] = {}
    for _ in range(rounds):
        for program in programs:
            run = program.run()
            cpu[program.title].append(run.cpu)
            found[program.title] = run.lines
            empty[program.title].append(program.empty().cpu)
    del found[JOURNALCTL]
    if len(set(found.values())) > 1:
        sys.exit(f"the contestants found different entries: {found}")
    median = statistics.median
    return {title: median(cpu[title]) - median(empty[title]) for title in cpu}


def copied(base: Daemon) -> Daemon:
    """Copy a daemon that has run once, in place of the previous copy."""
    folder = base.folder.with_name("copy")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base.folder, folder, ignore=shutil.ignore_patterns("run"))
    return Daemon(folder, base.platform, base.config.read_text())


def daemon_reads(daemon: Daemon) -> Run:
    """Start a daemon and wait until it has read what was written since it stopped.

    Its journalctls are its children: their CPU time counts once they have ended.
    """
    end = last()
    with daemon:
        wait_for(lambda: following(daemon), within=300, what="what it is to read")
        wait_for(lambda: committed(daemon.folder, end), within=300, what="its commit")
        used = cpu_of(daemon.process.pid) + children(daemon.process.pid)
        lines = matches(daemon)
        daemon.stop()
    return Run(used, lines)


def following(daemon: Daemon) -> bool:
    """Return whether it has read the existing entries, and follows new ones."""
    found = ["pgrep", "--parent", str(daemon.process.pid), "--full", "journalctl.*--follow"]
    return subprocess.run(found, check=False, capture_output=True).returncode == 0


def committed(folder: Path, end: Cursor) -> bool:
    with closing(sqlite3.connect(f"file:{folder}/state/notifyd.db?mode=ro", uri=True)) as store:
        query = "SELECT value FROM positions WHERE key = 'journal:read'"
        ((value,),) = store.execute(query).fetchall()
    return not end.is_after(Cursor.decode(value))


def children(pid: int) -> float:
    """Return the CPU seconds of a process's children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICK


def print_table(count: int, cpu: dict[str, float], entries: int) -> None:
    """Print µs of CPU time per entry, and the ratio to journalctl alone."""
    base = cpu[JOURNALCTL]
    print(
        f"\n{count} pattern{'s' * (count > 1):26} µs per entry  x journalctl  without journalctl's"
    )
    for title, seconds in cpu.items():
        row = f"{title:33}{seconds * 1e6 / entries:12.2f}{seconds / base:13.2f}"
        if title in (DAEMON, MATCHER):
            row += f"{(seconds - base) / base:21.2f}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
