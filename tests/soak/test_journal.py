"""Random operations on a real journal: each entry is delivered once, or its loss is reported.

SOAK_SECONDS: how long (300). SOAK_SEED: the seed.
"""

import os
import random

import pytest

from support.booted import drilled, needs_systemd

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600), needs_systemd]

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.mark.parametrize("units", ["speaker", "*"])
def test_each_entry_is_delivered_once_or_its_loss_is_reported(units, record_property):
    output = drilled("soak/journal_operations.py", units, SEED, SECONDS, within=SECONDS + 300)
    record_property("figures", f"seed {SEED}: {output}")
    assert "all entries accounted for" in output
