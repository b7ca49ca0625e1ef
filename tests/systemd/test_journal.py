"""The journal source with a real journald, in a booted systemd."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HARNESS = os.environ.get("SYSTEMD_HARNESS", "")
SCRIPT = r"""
for path in {root} $(realpath {python}); do   # of a private root: one drill is another user's
  while [ "$path" != / ]; do chmod a+x "$path" 2>/dev/null || true; path=$(dirname "$path"); done
done
PYTHONPATH={root}:{root}/tests exec {python} {root}/tests/systemd/{drill}.py
"""

pytestmark = pytest.mark.skipif(
    not HARNESS, reason="SYSTEMD_HARNESS names no program that boots systemd"
)


def drilled(drill):
    """Run a drill in a system of its own; returns what it said."""
    script = SCRIPT.format(root=ROOT, python=sys.executable, drill=drill)
    done = subprocess.run(
        [HARNESS, "--ro-bind", str(ROOT), "--timeout", "55", "--", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_entry_comes_once_over_kills_rotations_reboots_and_restarts_of_journald():
    said = drilled("journal_drill")
    for words in (
        "unit: all of them",
        "logged: all of them",
        "boots: 2",
        "left behind: []",
        "  - journal: the system's journal cannot be read by the user nobody: run usermod -aG ",
        "0 warning: the system's journal cannot be read by the user nobody: run usermod -aG ",
    ):
        assert words in said


def test_silence_for_longer_than_the_journal_is_kept_is_no_gap_and_what_a_flood_loses_is_counted():
    said = drilled("journal_source_drill")
    for words in (
        "problems: ()",
        "said and lost: 401",
        "problems: ('t: journald dropped ",
        "still known: True",
    ):
        assert words in said, said
