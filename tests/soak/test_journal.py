"""Random deeds on a real journal: each entry comes once, or its loss is told.

SOAK_SECONDS says for how long (300), SOAK_SEED with which dice.
"""

import os
import random

import pytest

from support.booted import drilled, needs_systemd

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600), needs_systemd]

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


@pytest.mark.parametrize("units", ["speaker", "*"])
def test_each_entry_comes_once_or_its_loss_is_told(units, record_property):
    said = drilled("soak/journal_deeds.py", units, SEED, SECONDS, within=SECONDS + 300)
    record_property("figures", f"seed {SEED}: {said}")
    assert "the books balance" in said
