"""How a source is, and what is wrong at it: for the log, for people, for Prometheus."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ALIKE = 20
"""How many problems of one kind are said one by one; of the others the number."""


class Problem(NamedTuple):
    """What is wrong at a source: a sentence that says what, where and how to mend it.

    kind: one word for all that are alike. about: tells it from others of its kind, where the
    sentence has figures that change; empty where the sentence itself does. past: it happened, and
    was told in the log then, which no restart repeats.
    """

    kind: str
    sentence: str
    about: str = ""
    past: bool = False


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How one source is; `dead` means that it no longer watches.

    undecided: lines that no pattern could decide in time, by trigger. lost: journal entries
    that journald is known to have dropped, by trigger. begun: it has looked at what is there;
    before that, nobody knows of its problems. awaited: paths that name nothing yet.
    """

    name: str
    watching: int
    problems: tuple[Problem, ...] = ()
    dead: bool = False
    undecided: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    begun: bool = True
    awaited: tuple[str, ...] = ()

    @property
    def news(self) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
        """Give what the daemon's log tells of it, for a comparison with what it was before."""
        return self.problems, self.awaited

    @property
    def sentences(self) -> list[str]:
        """Say what is wrong, at a bounded length."""
        counts: Counter[str] = Counter()
        said = []
        for kind, sentence, *_ in self.problems:
            counts[kind] += 1
            if counts[kind] <= ALIKE:
                said.append(sentence)
        more = (count - ALIKE for count in counts.values())
        return said + [f"and {count} more like these" for count in more if count > 0]
