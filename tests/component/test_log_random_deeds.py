"""Random deeds on logs, with the same dice each time; `make soak` throws them anew."""

import pytest

from support.tailers import throw


@pytest.mark.parametrize("steps", [3, 8, 40])
def test_no_line_is_lost_or_doubled_whatever_is_done_to_logs(tmp_path, steps):
    for seed in range(160 // steps):
        folder = tmp_path / str(seed)
        folder.mkdir()
        throw(folder, seed, steps)
