"""An ordinary user beside a hostile one: whatever that one does, all that has to arrive does.

SOAK_SECONDS: how long (600). SOAK_SEED: the seed.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
DRILL = Path(__file__).with_name("neighbour_drill.py")


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user, so root")
def test_a_hostile_neighbour_costs_an_ordinary_user_nothing(record_property):
    paths = os.pathsep.join([str(DRILL.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, DRILL, str(SECONDS), str(SEED)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=SECONDS + 600,
        check=False,
    )
    assert done.returncode == 0, f"seed {SEED}: {done.stdout}{done.stderr}"
    record_property("figures", f"seed {SEED}: {done.stdout}")
    assert "the books balance" in done.stdout
