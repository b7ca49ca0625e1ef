"""Processes that commands leave behind, recognized by an argument that occurs nowhere else."""

import itertools
import os
from pathlib import Path

from support.daemon import wait_for

_NUMBERS = itertools.count(1)


def long_sleep():
    """Return a command that sleeps for hours, and that no other test uses."""
    return f"sleep {40_000 + next(_NUMBERS)}.{os.getpid()}"


def pids_of(command):
    """Return the processes that run this command line and are no zombies."""
    words = command.encode().replace(b" ", b"\0") + b"\0"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes() == words:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_until_gone(command):
    wait_for(lambda: not pids_of(command), what=lambda: f"{command}: {pids_of(command)}")


def wait_until_running(command):
    return wait_for(lambda: pids_of(command), what=command)
