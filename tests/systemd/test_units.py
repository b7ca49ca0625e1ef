"""Unit triggers with a real systemd: what fails, loops and fails while the daemon is down."""

import pytest

from support.booted import drilled, needs_systemd

pytestmark = needs_systemd


@pytest.mark.timeout(420)  # it boots a machine, and restart loops take their time
def test_a_phone_gets_each_failure_once():
    output = drilled("systemd/units_drill.py", within=400)
    for words in (
        "problems: [[]]",
        "failure: as the page shows it",
        "example: as its page shows it",
        "loop: loop.service failed",
        "downtime: found",
        "user: found",
    ):
        assert words in output
