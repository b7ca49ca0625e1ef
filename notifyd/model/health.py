"""The health of a source: what it watches and what is wrong with it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

LISTED_PER_KIND = 20
"""Problems of one kind that are listed one by one; the others are only counted."""


class Problem(NamedTuple):
    """Something wrong at a source. message: what, where and how to fix it, in one sentence.

    kind: one word shared by all problems of a sort. subject: identifies the problem among its kind
    where figures in the message change; if empty, the message identifies it. already_logged: it
    happened once and its source has logged it, so a restart does not log it again.
    """

    kind: str
    message: str
    subject: str = ""
    already_logged: bool = False


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The health of one source.

    watching: how many files, units or processes it watches. dead: it watches nothing until it is
    restarted. timed_out: lines that no pattern could decide within the time limit, by trigger.
    cut_lines: lines of logs that were longer than `max_line`, by trigger. unfinished_bytes: by
    trigger, how long the longest last line without a newline is. dropped: journal entries
    that journald dropped, by trigger. ready: the first scan is complete; before that, the problems
    are unknown. missing_paths: configured paths that do not exist yet.
    """

    name: str
    watching: int
    problems: tuple[Problem, ...] = ()
    dead: bool = False
    timed_out: Mapping[str, int] = field(default_factory=dict)
    cut_lines: Mapping[str, int] = field(default_factory=dict)
    unfinished_bytes: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    ready: bool = True
    missing_paths: tuple[str, ...] = ()

    @property
    def changed_key(self) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
        """Return what the daemon's log reports; the health has changed if this differs."""
        return self.problems, self.missing_paths

    @property
    def messages(self) -> list[str]:
        """Return the problems' messages: `LISTED_PER_KIND` of each kind, then the number left."""
        counts: Counter[str] = Counter()
        listed = []
        for problem in self.problems:
            counts[problem.kind] += 1
            if counts[problem.kind] <= LISTED_PER_KIND:
                listed.append(problem.message)
        more = (count - LISTED_PER_KIND for count in counts.values())
        return listed + [f"and {count} more like these" for count in more if count > 0]
