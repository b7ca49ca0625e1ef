"""What the patterns themselves say about a line, within a time limit."""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import regex

CUT: Final = "… (cut)"
NONE: Final = -1
_LEAST_LIMIT = 0.002

Candidate = tuple[int, int]
"""The numbers of a rule and of a pattern in it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One trigger's patterns. max_line: how many bytes of a line they see.

    first: what matches the first line of a record, if the patterns are for whole records.
    """

    trigger: str
    patterns: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    encoding: str = "utf-8"
    max_line: int = 64 << 10
    first: str | None = None


class Hit(NamedTuple):
    """A line that counts for a trigger.

    offset: where it begins in the block. pattern: the number of the first that matches.

    For a rule with records it is the first line of one: `pattern` is NONE if neither it nor those
    up to the next hit can match, and the line is not read.
    """

    trigger: str
    offset: int
    line: str
    pattern: int
    fields: Mapping[str, str]


class Pattern:
    """One pattern that cannot hold anyone up.

    The limit on a line, in seconds, is halved whenever it runs out, so that many hostile lines in
    a row cost little more than one; `relax` restores it.
    """

    def __init__(self, source: str, limit: float) -> None:
        self._compiled = regex.compile(source)
        self._limit = self._left = limit

    def relax(self) -> None:
        self._left = self._limit

    def search(self, line: str) -> Mapping[str, str] | None:
        """Return the named groups of a match; TimeoutError when it cannot be decided in time."""
        try:
            found = self._compiled.search(line, timeout=self._left, concurrent=True)
        except TimeoutError:
            self._left = max(self._left / 2, _LEAST_LIMIT)
            raise
        return found and {name: value or "" for name, value in found.groupdict().items()}


class Decider:
    """All rules that apply to a file, as their patterns mean them."""

    def __init__(self, rules: Sequence[Rule], limit: float) -> None:
        self._rules = tuple(rules)
        self._patterns = [[Pattern(p, limit) for p in rule.patterns] for rule in rules]
        self._exclude = [[Pattern(p, limit) for p in rule.exclude] for rule in rules]
        self.undecided = {rule.trigger: 0 for rule in rules}
        """By trigger, how many lines ran out of time. Its keys never change."""
        self.late = 0
        """How many in all."""

    def relax(self) -> None:
        for patterns in (*self._patterns, *self._exclude):
            for pattern in patterns:
                pattern.relax()

    def hits(self, raw: bytes, offset: int, candidates: Iterable[Candidate]) -> list[Hit]:
        """Decide one line, its LF already off. The first pattern of a rule that matches counts."""
        by_rule: dict[int, list[int]] = {}
        for number, index in sorted(set(candidates)):
            by_rule.setdefault(number, []).append(index)
        each = (self._hit(number, raw, offset, indexes) for number, indexes in by_rule.items())
        return [hit for hit in each if hit is not None]

    def _hit(self, number: int, raw: bytes, offset: int, indexes: Iterable[int]) -> Hit | None:
        rule, patterns = self._rules[number], self._patterns[number]
        line, cut = text(raw, rule.encoding, rule.max_line)
        late = False
        for index in indexes:
            try:
                fields = patterns[index].search(line)
            except TimeoutError:
                late = True
                continue
            if fields is not None:
                if self._exclude[number] and self._excluded(number, line):
                    return None
                return Hit(rule.trigger, offset, line + CUT if cut else line, index, fields)
        if late:
            self._give_up(rule)
        return None

    def _give_up(self, rule: Rule) -> None:
        self.undecided[rule.trigger] += 1
        self.late += 1

    def _excluded(self, number: int, line: str) -> bool:
        """Say whether an exclusion matches; if none can be decided the line is told, not lost."""
        late = False
        for pattern in self._exclude[number]:
            try:
                if pattern.search(line) is not None:
                    return True
            except TimeoutError:
                late = True
        if late:
            self._give_up(self._rules[number])
        return False


def text(raw: bytes, encoding: str, most: int) -> tuple[str, bool]:
    """Decode one line, and tell whether it was longer than `most` bytes.

    One CR at its end is dropped. What cannot be decoded becomes U+FFFD, but not a character that
    the cut goes through.
    """
    if raw.endswith(b"\r"):
        raw = raw[:-1]
    if len(raw) <= most:
        return raw.decode(encoding, "replace"), False
    return codecs.getincrementaldecoder(encoding)("replace").decode(raw[:most]), True
