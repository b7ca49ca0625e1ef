"""Ten thousand random operations on logs lose and double no line. SOAK_SEED sets the seed."""

import os
import random
from contextlib import ExitStack
from functools import partial

import pytest

from support.daemon import Daemon
from support.platform import Platform, in_thread
from support.tailers import KilledDaemon, run_in_process, run_operations

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
FEW_DESCRIPTORS = ("prlimit", "--nofile=64")
STEPS = int(os.environ.get("SOAK_STEPS", "10000"))
KILLED_STEPS, EACH = STEPS // 10, 40


def test_ten_thousand_operations_lose_and_double_no_line(tmp_path):
    for seed in range(SEED, SEED + STEPS // EACH):
        folder = tmp_path / str(seed)
        folder.mkdir()
        run_in_process(folder, seed, EACH)


@pytest.mark.parametrize("part", range(4))
def test_a_thousand_operations_on_logs_of_the_daemon_itself(tmp_path, part):
    """In every second run, not all files can be open."""
    for seed in range(SEED + part, SEED + KILLED_STEPS // EACH, 4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        through = FEW_DESCRIPTORS if seed % 2 else ()
        with in_thread(Platform()) as platform, ExitStack() as ends:

            def daemon(config, *, folder=folder, platform=platform, through=through, ends=ends):
                made = Daemon(folder, platform, config, through=through)
                ends.push(made)
                return made

            make = partial(KilledDaemon, make=daemon, platform=platform)
            run_operations(folder, seed, EACH, make)
