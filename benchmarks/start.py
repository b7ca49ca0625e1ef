"""How long a start takes and how much memory it leaves in use, beside the libraries alone.

    make bench-start              medians of 15 starts, alternating, with one log trigger

The peer in the same run is `python -c 'import aiohttp, pydantic_settings'`: the interpreter and the
two libraries that every start needs. A development environment may hold packages that structlog
imports if they are there (rich), which the figures of an installation do not have.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support.daemon import AT_ONCE, Daemon
from support.platform import Platform, in_thread

PEER = "import aiohttp, pydantic_settings"
MEASURE_PEER = f"{PEER}\nprint(open('/proc/self/status').read())"
_SETTLE = 2.0
_MIB = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=15)
    starts = parser.parse_args().starts
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name, in_thread(Platform()) as platform:
        folder = Path(name)
        (folder / "app.log").write_text("nothing\n")
        daemon = Daemon(folder, platform, AT_ONCE.format(paths=[str(folder / "app.log")]))
        for _ in range(starts):
            theirs.append(seconds_of_peer())
            ours.append(seconds_to_socket(daemon))
            daemon.stop()
        daemon.start()
        time.sleep(_SETTLE)
        memory = resident_mib(Path(f"/proc/{daemon.process.pid}/status").read_text())
        daemon.stop()
    print_ratio("start to socket, ms", 1000 * median(ours), 1000 * median(theirs))
    print_ratio("resident memory, MiB", memory, resident_mib(peer_status()))


def seconds_to_socket(daemon: Daemon) -> float:
    began = time.perf_counter()
    daemon.launch()
    while not daemon.socket.exists():
        time.sleep(0.001)
    return time.perf_counter() - began


def seconds_of_peer() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", PEER], check=True)
    return time.perf_counter() - began


def peer_status() -> str:
    done = subprocess.run([sys.executable, "-c", MEASURE_PEER], check=True, capture_output=True)
    return done.stdout.decode()


def resident_mib(status: str) -> float:
    return int(status.partition("VmRSS:")[2].split()[0]) / _MIB


def median(values: list[float]) -> float:
    return statistics.median(values)


def print_ratio(what: str, ours: float, theirs: float) -> None:
    print(f"{what:24} notifyd {ours:7.1f}   libraries {theirs:7.1f}   ratio {ours / theirs:5.2f}")


if __name__ == "__main__":
    main()
