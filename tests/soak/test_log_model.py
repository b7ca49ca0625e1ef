"""Ten thousand random deeds on logs: no line is lost, none doubled. SOAK_SEED sets the dice."""

import os
import random
from contextlib import ExitStack
from functools import partial

import pytest

from support.daemon import Daemon
from support.platform import Platform, in_thread
from support.tailers import Real, drill, throw

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
FEW = ("prlimit", "--nofile=64")
STEPS, REAL_STEPS, EACH = 10_000, 1000, 40


def test_ten_thousand_deeds_lose_and_double_no_line(tmp_path):
    for seed in range(SEED, SEED + STEPS // EACH):
        folder = tmp_path / str(seed)
        folder.mkdir()
        throw(folder, seed, EACH)


@pytest.mark.parametrize("part", range(4))
def test_a_thousand_deeds_against_the_daemon_itself(tmp_path, part):
    """Half the histories with so few descriptors that not all files can be open."""
    for seed in range(SEED + part, SEED + REAL_STEPS // EACH, 4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        few = FEW if seed % 2 else ()
        with in_thread(Platform()) as platform, ExitStack() as ends:

            def daemon(config, *, folder=folder, platform=platform, few=few, ends=ends):
                made = Daemon(folder, platform, config, through=few)
                ends.push(made)
                return made

            drill(folder, seed, EACH, partial(Real, make=daemon, platform=platform))
