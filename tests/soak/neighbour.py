"""A program of another user that does what it can to disturb the daemon, until it is killed.

Arguments: its own directory, which the daemon watches, the socket, the shared spool, a log that it
may not read, the number of seconds after which it ends by itself, the name of jobs of others.
"""

import os
import random
import resource
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from notifyd.client.spool import new_id

UID = 54321
OWN, SOCKET, SPOOL, FOREIGN = map(Path, sys.argv[1:5])
SECONDS, JOB = float(sys.argv[5]), sys.argv[6]
EXECS = 800
"""A second, as a build with many small compilations does."""
PROCESSES, DESCRIPTORS, CONNECTIONS = 150, 900, 300


def swap_links() -> None:
    """Put regular files, links, directories and FIFOs in turn at the paths of logs."""
    path = OWN / f"{random.randrange(8)}.log"
    kind = random.randrange(8)
    with suppress(OSError):
        path.unlink()
    with suppress(OSError):
        path.rmdir()
    with suppress(OSError):
        if kind < 3:
            path.write_text("line of the neighbour\n" * random.randrange(1, 100))
        elif kind < 6:
            targets = [FOREIGN, OWN / "deep" / "0.log", "/dev/zero", "/etc/shadow", "nowhere", OWN]
            path.symlink_to(random.choice(targets))
        elif kind == 6:
            path.mkdir()
        else:
            os.mkfifo(path)
    with suppress(OSError):
        deep, aside = OWN / "deep", OWN / "aside"
        if deep.is_symlink():
            deep.unlink()
            aside.rename(deep)
        else:
            deep.mkdir(exist_ok=True)
            (deep / "0.log").write_text("line of the neighbour\n")
            deep.rename(aside)
            deep.symlink_to(random.choice([FOREIGN.parent, aside, OWN]))
    time.sleep(0.005)


def punch_holes() -> None:
    """Make logs of terabytes without content, and truncate them again."""
    with (OWN / f"hole-{random.randrange(3)}.log").open("ab", buffering=0) as file:
        with suppress(OSError):
            file.truncate(random.choice([0, 1 << 20, 1 << 30, 1 << 42]))
        file.write(b"line after a hole\n" * random.randrange(3) + b"\0" * random.randrange(5000))
    time.sleep(0.02)


def half_send() -> None:
    """Open connections, send the beginnings of requests, and wait to be thrown out."""
    held = []
    with suppress(OSError):
        for number in range(CONNECTIONS):
            one = socket.socket(socket.AF_UNIX)
            one.settimeout(1)
            held.append(one)
            one.connect(str(SOCKET))
            head = b"POST /notifications/send HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n"
            one.sendall(head[: random.randrange(1, len(head))] if number % 2 else head + b"\r\n{")
    time.sleep(random.uniform(0, 3))
    for one in held:
        one.close()


def plant_in_spool() -> None:
    """Leave links, FIFOs, directories, garbage and huge files in the shared spool for a while."""
    planted = [SPOOL / new_id(time.time()) for _ in range(12)]
    for number, path in enumerate(planted):
        with suppress(OSError):
            plant(path, number % 6)
    time.sleep(random.uniform(0, 1))
    for path in planted:
        with suppress(OSError):
            path.unlink()
        with suppress(OSError):
            path.rmdir()


def plant(path: Path, kind: int) -> None:
    if kind == 0:
        path.symlink_to(random.choice([FOREIGN, "/etc/shadow", "/dev/zero"]))
    elif kind == 1:
        os.mkfifo(path, 0o666)
    elif kind == 2:
        path.mkdir()
    elif kind == 3:
        path.write_bytes(os.urandom(500))
    elif kind == 4:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    else:
        path.write_text('{"format": 1, "kind": "send", "time": 1e999, "request": {"title": 1}}')


def exhaust() -> None:
    """Use up the processes and descriptors that this user may have, and release them."""
    children, files = [], []
    with suppress(OSError):
        while True:
            child = os.posix_spawn("/bin/sleep", [JOB, "60"], {})
            children.append(child)
    with suppress(OSError):
        while True:
            files.append(os.open("/dev/null", os.O_RDONLY))
    time.sleep(1)
    for file in files:
        os.close(file)
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    time.sleep(5)


def build() -> None:
    with suppress(OSError):
        os.waitpid(os.posix_spawn("/bin/true", [JOB], {}), 0)
    time.sleep(1 / EXECS)


def repeat(work) -> None:
    while True:
        with suppress(OSError):  # out of descriptors or processes
            work()


def main() -> None:
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    for work in (swap_links, punch_holes, half_send, plant_in_spool, exhaust, build):
        threading.Thread(target=repeat, args=[work], name=work.__name__, daemon=True).start()
    time.sleep(SECONDS)


main()
