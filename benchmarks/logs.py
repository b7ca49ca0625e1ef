"""How much log one second of CPU time reads: notifyd beside the tools that people use for it.

    make bench-logs               prints MB/s of CPU and the ratios to rg and to mtail

Everything reads the same generated corpus, with the same patterns, in turns, and must find the
same lines. What a tool needs for an empty log is subtracted, so start-up and compiling do not
count. The daemon is measured from its first block to the commit of its last, in a process that
has read a log before.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

import corpus
from peers import PEERS, Peer

from support.daemon import PLENTY, Daemon, wait_for
from support.platform import Platform, in_thread

COUNTS = (1, 10, 100)
SHARES = {10_000: "0.01%", 100: "1%"}
DAEMON, MATCHER = "notifyd, the whole daemon", "notifyd match --count"
_MIB = 1 << 20


class Run(NamedTuple):
    """cpu: seconds, user and system. lines: how many matched."""

    cpu: float
    lines: int


class Contestant(NamedTuple):
    """run: reads a whole file. empty: what it takes for none of it, in seconds of CPU."""

    title: str
    size: int
    run: Callable[[], Run]
    empty: Callable[[], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=256, help="MiB of corpus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patterns", type=int, nargs="*", choices=COUNTS, default=COUNTS)
    parser.add_argument("--coloured", action="store_true", help="colours in every line")
    programs = [peer.program for peer in PEERS]
    parser.add_argument("--only", nargs="*", choices=programs, help="measured beside notifyd")
    args = parser.parse_args()
    wanted = [peer for peer in PEERS if args.only is None or peer.program in args.only]
    peers = [peer for peer in wanted if shutil.which(peer.program)]
    for peer in wanted:
        if peer not in peers:
            print(f"{peer.program} is not installed: it is left out", file=sys.stderr)
    for every, share in SHARES.items():
        speeds = {}
        for count in args.patterns:
            with tempfile.TemporaryDirectory() as name:
                speeds[count] = measured(
                    Path(name),
                    count,
                    peers,
                    every=every,
                    size=args.size,
                    rounds=args.rounds,
                    coloured=args.coloured,
                )
        print_table(f"{share} of lines match", speeds)


def measured(
    folder: Path,
    count: int,
    peers: Sequence[Peer],
    *,
    every: int,
    size: int,
    rounds: int,
    coloured: bool,
) -> dict[str, float]:
    """Let everyone read in turns; returns MB per second of CPU by title."""
    samples = corpus.samples(count)
    log = folder / "whole.log"
    planted = corpus.write(log, size * _MIB, samples, every, coloured=coloured)
    cpu: defaultdict[str, list[float]] = defaultdict(list)
    empty: defaultdict[str, list[float]] = defaultdict(list)
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    with in_thread(Platform()) as platform:
        patterns = [sample.pattern for sample in samples]
        contestants = list(everyone(log, planted, patterns, peers, platform))
        for _ in range(rounds):
            for one in contestants:
                run = one.run()
                cpu[one.title].append(run.cpu)
                found[one.size][one.title] = run.lines
                empty[one.title].append(one.empty())
    for lines in found.values():
        if len(set(lines.values())) > 1:
            sys.exit(f"with {count} patterns they do not find the same lines: {lines}")
    median = statistics.median
    return {
        one.title: one.size / 1e6 / (median(cpu[one.title]) - median(empty[one.title]))
        for one in contestants
    }


def everyone(
    log: Path,
    planted: int,
    patterns: Sequence[str],
    peers: Sequence[Peer],
    platform: Platform,
) -> Iterator[Contestant]:
    folder = log.parent
    config = folder / "match.toml"
    text = configured(folder, patterns)
    config.write_text(text)
    nothing = folder / "empty.log"
    nothing.touch()
    environ = {"NOTIFYD_SEND_TOKEN": platform.token}
    match = [sys.executable, "-m", "notifyd", "match", "all"]
    count = ["--count", "--config", str(config)]
    whole = log.stat().st_size
    yield Contestant(
        DAEMON,
        whole,
        lambda: daemon_reads(log, planted, text, platform),
        lambda: 0.0,
    )
    yield Contestant(
        MATCHER,
        whole,
        lambda: process([*match, str(log), *count], environ, int),
        lambda: process([*match, str(nothing), *count], environ, int).cpu,
    )
    for peer in peers:
        part = log
        if peer.slices and (size := peer.slices[len(patterns)] * _MIB) < whole:
            part = folder / f"{size}.log"
            part.write_bytes(b"".join(corpus.lines(log, size)))
        run = partial(process, environ=peer.environ, counted=peer.counted)
        read, skip = (peer.command(patterns, file, folder) for file in (part, nothing))
        yield Contestant(
            peer.title,
            part.stat().st_size,
            partial(run, read),
            lambda run=run, skip=skip: run(skip).cpu,
        )


def configured(folder: Path, patterns: Sequence[str]) -> str:
    """Write a config as a user would; JSON's strings are TOML's too."""
    paths = json.dumps([f"{folder}/logs/*.log"])
    trigger = f'[triggers.all]\ntype = "log"\npaths = {paths}\npatterns = {json.dumps(patterns)}\n'
    return f'{PLENTY}{trigger}catch_up = "100GiB"\n'


def process(argv: Sequence[str], environ: dict[str, str], counted: Callable[[str], int]) -> Run:
    """Run a program to its end; its CPU time is what the kernel says when it is reaped."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            argv, stdout=output, stderr=subprocess.DEVNULL, env={**os.environ, **environ}
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if child.returncode not in (0, 1):
        sys.exit(f"{argv[0]} failed with status {child.returncode}")
    return Run(usage.ru_utime + usage.ru_stime, counted(text))


def daemon_reads(log: Path, planted: int, config: str, platform: Platform) -> Run:
    """Start a daemon, show it a first line, then the whole log; the files are gone afterwards."""
    own, logs = log.parent / "daemon", log.parent / "logs"
    own.mkdir()
    logs.mkdir()
    with Daemon(own, platform, config) as daemon:
        prime = logs / "prime.log"
        prime.write_text("nothing of interest\n")
        wait_for(lambda: committed(own, prime), within=60, what="the first line")
        before = cpu_of(daemon.process.pid)
        backlog = log.rename(logs / "backlog.log")
        wait_for(lambda: committed(own, backlog), within=300, what="the backlog")
        used = cpu_of(daemon.process.pid) - before
        wait_for(lambda: matches(daemon) >= planted, what=lambda: f"{matches(daemon)} matches")
        lines = matches(daemon)
        daemon.stop()
    backlog.rename(log)
    shutil.rmtree(own)
    shutil.rmtree(logs)
    return Run(used, lines)


def matches(daemon: Daemon) -> int:
    return daemon.ask("GET", "/v1/status")["triggers"]["all"]["matches"]


def committed(folder: Path, log: Path) -> bool:
    """Say whether the daemon has stored that it read all of a file."""
    with closing(sqlite3.connect(f"file:{folder}/state/notifyd.db?mode=ro", uri=True)) as store:
        rows = store.execute("SELECT value FROM positions").fetchall()
    positions = [json.loads(value) for (value,) in rows if value.startswith("{")]
    return (str(log), log.stat().st_size) in [(at["path"], at["offset"]) for at in positions]


def cpu_of(pid: int) -> float:
    """Read the CPU clock of another process, all its threads together: seconds."""
    return time.clock_gettime(~pid << 3 | 2)


def print_table(title: str, speeds: dict[int, dict[str, float]]) -> None:
    """Print MB/s of CPU, and how many times that of rg and of mtail it is."""
    heads = "".join(f"   {count:>4} pattern{'s' * (count > 1):13}" for count in speeds)
    print(f"\n{title:27}{heads}".rstrip() + f"\n{'':27}{'     MB/s    x rg x mtail' * len(speeds)}")
    for name in next(iter(speeds.values())):
        row = f"{name:27}"
        for speed in speeds.values():
            row += f"{speed[name]:9.{0 if speed[name] >= 10 else 1}f}"
            for peer, width in (("rg -c -f", 8), ("mtail", 8)):
                ratio = speed[name] / speed[peer] if peer in speed else None
                row += f"{'-':>{width}}" if ratio is None else f"{ratio:{width}.2f}"
        print(row.rstrip(), flush=True)


if __name__ == "__main__":
    main()
