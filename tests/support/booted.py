"""Scripts run inside a system that the program named by SYSTEMD_HARNESS boots for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HARNESS = os.environ.get("SYSTEMD_HARNESS", "")
REACHABLE = r"""
for path in {root} $(realpath {python}); do   # of a private root: others than root come here
  while [ "$path" != / ]; do chmod a+x "$path" 2>/dev/null || true; path=$(dirname "$path"); done
done
"""
DRILL = r"""
PYTHONPATH={root}:{root}/tests exec {python} {root}/tests/{drill} "$@"
"""

needs_systemd = pytest.mark.skipif(
    not HARNESS, reason="SYSTEMD_HARNESS names no program that boots systemd"
)


def drilled(drill, *words, within=170):
    """Run one of the scripts below tests/ in a system of its own; returns what it said."""
    return booted(DRILL, *words, within=within, drill=drill)


def booted(script, *words, within=170, folders=(), **names):
    """Run a shell script in a system of its own; returns what it said.

    In it {root} is the project, {python} this interpreter, and others as named. folders: what it
    sees besides the project, read only.
    """
    script = (REACHABLE + script).format(root=ROOT, python=sys.executable, **names)
    inside = ["sh", "-c", script, "sh", *map(str, words)]
    options = ["--timeout", str(within), "--journal-on-failure"]
    for folder in (ROOT, *folders):
        options += ["--ro-bind", str(folder)]
    done = subprocess.run(
        [HARNESS, *options, "--", *inside],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
