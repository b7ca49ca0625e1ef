"""What the patterns themselves say about a line, within a time limit."""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import regex

from notifyd.matching.cost import safe_length

CUT: Final = "… (cut)"
NONE: Final = -1
_LEAST_LIMIT = 0.002

NOTHING: Final[Mapping[str, str]] = {}
"""The fields of a pattern without named groups; shared, and read-only by its type."""

Raw = bytes | bytearray
Candidate = tuple[int, int]
"""The numbers of a rule and of a pattern in it."""


@dataclass(frozen=True, slots=True)
class PatternSet:
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
        self._named = bool(self._compiled.groupindex)
        self._easy = safe_length(source)
        self._limit = self._left = limit

    def relax(self) -> None:
        self._left = self._limit

    def search(self, line: str) -> Mapping[str, str] | None:
        """Return the named groups of a match; TimeoutError when it cannot be decided in time."""
        if len(line) <= self._easy:
            found = self._compiled.search(line, concurrent=True)
        else:
            found = self._timed(line)
        if found is None:
            return None
        return found.groupdict("") if self._named else NOTHING

    def _timed(self, line: str) -> "regex.Match[str] | None":
        try:
            return self._compiled.search(line, timeout=self._left, concurrent=True)
        except TimeoutError:
            self._left = max(self._left / 2, _LEAST_LIMIT)
            raise


class _RulePatterns(NamedTuple):
    """What decides for one rule."""

    rule: PatternSet
    patterns: Sequence[Pattern]
    exclude: Sequence[Pattern]


class Verifier:
    """All rules that apply to a file, as their patterns mean them."""

    def __init__(self, rules: Sequence[PatternSet], limit: float) -> None:
        self._courts = [
            _RulePatterns(
                rule,
                [Pattern(source, limit) for source in rule.patterns],
                [Pattern(source, limit) for source in rule.exclude],
            )
            for rule in rules
        ]
        self.undecided = {rule.trigger: 0 for rule in rules}
        """By trigger, how many lines ran out of time. Its keys never change."""
        self.late = 0
        """How many in all."""

    def relax(self) -> None:
        for court in self._courts:
            for pattern in (*court.patterns, *court.exclude):
                pattern.relax()

    def hits(self, raw: Raw, offset: int, candidates: Sequence[Candidate]) -> list[Hit]:
        """Decide one line, its LF already off. The first pattern of a rule that matches counts."""
        if len(candidates) == 1:
            ((number, index),) = candidates
            hit = self._hit(self._courts[number], raw, offset, (index,))
            return [] if hit is None else [hit]
        by_rule: dict[int, list[int]] = {}
        for number, index in sorted(set(candidates)):
            by_rule.setdefault(number, []).append(index)
        each = (self._hit(self._courts[one], raw, offset, by_rule[one]) for one in by_rule)
        return [hit for hit in each if hit is not None]

    def matches(self, raw: Raw) -> bool:
        """Decide one line by the one pattern that there is, if it is the only one."""
        ((rule, (pattern,), _),) = self._courts
        try:
            return pattern.search(text(raw, rule.encoding, rule.max_line)[0]) is not None
        except TimeoutError:
            self._give_up(rule)
            return False

    def _hit(
        self, court: _RulePatterns, raw: Raw, offset: int, indexes: Iterable[int]
    ) -> Hit | None:
        rule = court.rule
        line, cut = text(raw, rule.encoding, rule.max_line)
        late = False
        for index in indexes:
            try:
                fields = court.patterns[index].search(line)
            except TimeoutError:
                late = True
                continue
            if fields is not None:
                if court.exclude and self._excluded(court, line):
                    return None
                return Hit(rule.trigger, offset, line + CUT if cut else line, index, fields)
        if late:
            self._give_up(rule)
        return None

    def _give_up(self, rule: PatternSet) -> None:
        self.undecided[rule.trigger] += 1
        self.late += 1

    def _excluded(self, court: _RulePatterns, line: str) -> bool:
        """Say whether an exclusion matches; if none can be decided the line is told, not lost."""
        late = False
        for pattern in court.exclude:
            try:
                if pattern.search(line) is not None:
                    return True
            except TimeoutError:
                late = True
        if late:
            self._give_up(court.rule)
        return False


def text(raw: Raw, encoding: str, most: int) -> tuple[str, bool]:
    """Decode one line, and tell whether it was longer than `most` bytes.

    One CR at its end is dropped. What cannot be decoded becomes U+FFFD, but not a character that
    the cut goes through.
    """
    if raw.endswith(b"\r"):
        raw = raw[:-1]
    if len(raw) <= most:
        return raw.decode(encoding, "replace"), False
    return codecs.getincrementaldecoder(encoding)("replace").decode(raw[:most]), True
