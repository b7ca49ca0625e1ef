"""How many examples a property test tries: few in every run, many in `make soak`."""

import os

from hypothesis import settings

THOROUGH = bool(os.environ.get("THOROUGH"))


def examples(quick: int, thorough: int) -> settings:
    """Decorate a test with its number of examples. No deadline: a busy machine is no failure."""
    return settings(max_examples=thorough if THOROUGH else quick, deadline=None)
