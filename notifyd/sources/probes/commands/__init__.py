"""Command probes: a process of their own runs the commands; their results become events."""

from pathlib import Path
from typing import Final

RUNNER_PROGRAM: Final = Path(__file__).with_name("runner_process.py")
"""What runs the commands, started by its path."""
