"""Random operations on logs, with fixed seeds; `make soak` uses new ones."""

import pytest

from support.examples import THOROUGH
from support.tailers import run_in_process


@pytest.mark.parametrize("steps", [3, 8, 40])
def test_no_line_is_lost_or_doubled_by_random_operations_on_logs(tmp_path, steps):
    for seed in range((160 if THOROUGH else 64) // steps):
        folder = tmp_path / str(seed)
        folder.mkdir()
        run_in_process(folder, seed, steps)
