"""How firm a change of a condition's state must be before it counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long a state must last, in seconds, or how often in a row it must be reported."""

    seconds: float = 0.0
    times: int = 1


AT_ONCE = Persistence()
