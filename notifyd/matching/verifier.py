"""Decides with the patterns themselves whether a candidate line matches, within a time limit."""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import regex

from notifyd.matching.ascii_pattern import AsciiPattern, compile_ascii
from notifyd.matching.cost import safe_length

CUT_MARK: Final = "… (cut)"
"""Appended to a line that is longer than `max_line`."""
NO_MATCH: Final = -1
"""The pattern of a hit that only marks the start of a record."""
_MIN_TIME_LIMIT = 0.002
_ASCII_AFTER: Final = 500
"""Lines to be decided by a pattern before it is compiled once more, for short ASCII lines."""

NO_FIELDS: Final[Mapping[str, str]] = {}
"""The fields of a pattern without named groups: shared, and read-only by its type."""

Raw = bytes | bytearray
Candidate = tuple[int, int]
"""The indexes of a pattern set and of a pattern in it."""


@dataclass(frozen=True, slots=True)
class PatternSet:
    """The patterns of one trigger. max_line: how many bytes of a line they see.

    first: what matches the first line of a record, if the patterns apply to whole records.
    """

    trigger: str
    patterns: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    encoding: str = "utf-8"
    max_line: int = 64 << 10
    first: str | None = None


class Hit(NamedTuple):
    """A line that matches for a trigger.

    offset: where it begins in the block. pattern: the index of the first pattern that matches.

    For a pattern set with records a hit marks the first line of a record. Its text is not read, and
    `pattern` is NO_MATCH if neither it nor any record up to the next hit can match.
    """

    trigger: str
    offset: int
    line: str
    pattern: int
    fields: Mapping[str, str]


class TimedPattern:
    """A pattern with a time limit for each line, in seconds.

    The limit is halved whenever it is exceeded, so that many hostile lines in a row cost little
    more than one, and the pattern added to `slow`. `reset_time_limit` restores it.
    """

    def __init__(self, source: str, time_limit: float, slow: "list[TimedPattern]") -> None:
        self._source = source
        self._compiled = regex.compile(source)
        self._has_groups = bool(self._compiled.groupindex)
        self._safe_length = safe_length(source)
        self._full_limit = self._limit = time_limit
        self._slow = slow
        self._searches = 0

    @cached_property
    def _ascii(self) -> AsciiPattern:
        """The pattern for short ASCII lines. Compiling it takes as long as hundreds of lines."""
        return compile_ascii(self._source)

    def reset_time_limit(self) -> None:
        self._limit = self._full_limit

    def search(self, line: str) -> Mapping[str, str] | None:
        """Return the named groups of a match; raise TimeoutError if it takes too long."""
        self._searches += 1
        if self._searches > _ASCII_AFTER and not self._has_groups and line.isascii():
            search, max_length = self._ascii
            if len(line) <= max_length:
                return None if search(line.encode()) is None else NO_FIELDS
        if len(line) <= self._safe_length:
            found = self._compiled.search(line, concurrent=True)
        else:
            found = self._search_with_limit(line)
        if found is None:
            return None
        return found.groupdict("") if self._has_groups else NO_FIELDS

    def _search_with_limit(self, line: str) -> "regex.Match[str] | None":
        try:
            return self._compiled.search(line, timeout=self._limit, concurrent=True)
        except TimeoutError:
            if self._limit == self._full_limit:
                self._slow.append(self)
            self._limit = max(self._limit / 2, _MIN_TIME_LIMIT)
            raise


class _RulePatterns(NamedTuple):
    """A pattern set with its compiled patterns."""

    pattern_set: PatternSet
    patterns: Sequence[TimedPattern]
    exclude: Sequence[TimedPattern]


class Verifier:
    """Verifies candidate lines of all pattern sets that apply to a file."""

    def __init__(self, pattern_sets: Sequence[PatternSet], time_limit: float) -> None:
        self._slow: list[TimedPattern] = []
        self._rules = [
            _RulePatterns(
                pattern_set,
                [TimedPattern(source, time_limit, self._slow) for source in pattern_set.patterns],
                [TimedPattern(source, time_limit, self._slow) for source in pattern_set.exclude],
            )
            for pattern_set in pattern_sets
        ]
        self.timed_out = {pattern_set.trigger: 0 for pattern_set in pattern_sets}
        """The number of lines that ran out of time, by trigger. Its keys never change."""
        self.timeouts = 0
        """Their total."""

    def reset_time_limits(self) -> None:
        for pattern in self._slow:
            pattern.reset_time_limit()
        self._slow.clear()

    def verify(self, raw: Raw, offset: int, candidates: Sequence[Candidate]) -> Sequence[Hit]:
        """Return the hits of one line without its LF: one for each pattern set that matches."""
        if len(candidates) == 1:
            ((number, index),) = candidates
            hit = self._verify_rule(self._rules[number], raw, offset, (index,))
            return () if hit is None else (hit,)
        by_rule: dict[int, list[int]] = {}
        for number, index in sorted(set(candidates)):
            by_rule.setdefault(number, []).append(index)
        hits = (self._verify_rule(self._rules[one], raw, offset, by_rule[one]) for one in by_rule)
        return [hit for hit in hits if hit is not None]

    def matches(self, raw: Raw) -> bool:
        """Return whether a line matches the only pattern of the only pattern set."""
        ((pattern_set, (pattern,), _),) = self._rules
        try:
            line, _ = decode_line(raw, pattern_set.encoding, pattern_set.max_line)
            return pattern.search(line) is not None
        except TimeoutError:
            self._count_timeout(pattern_set)
            return False

    def _verify_rule(
        self, rule: _RulePatterns, raw: Raw, offset: int, indexes: Iterable[int]
    ) -> Hit | None:
        pattern_set = rule.pattern_set
        line, is_cut = decode_line(raw, pattern_set.encoding, pattern_set.max_line)
        has_timed_out = False
        for index in indexes:
            try:
                fields = rule.patterns[index].search(line)
            except TimeoutError:
                has_timed_out = True
                continue
            if fields is not None:
                if rule.exclude and self._is_excluded(rule, line):
                    return None
                shown = line + CUT_MARK if is_cut else line
                return Hit(pattern_set.trigger, offset, shown, index, fields)
        if has_timed_out:
            self._count_timeout(pattern_set)
        return None

    def _is_excluded(self, rule: _RulePatterns, line: str) -> bool:
        """Return whether an exclusion matches. One that times out does not suppress the line."""
        has_timed_out = False
        for pattern in rule.exclude:
            try:
                if pattern.search(line) is not None:
                    return True
            except TimeoutError:
                has_timed_out = True
        if has_timed_out:
            self._count_timeout(rule.pattern_set)
        return False

    def _count_timeout(self, pattern_set: PatternSet) -> None:
        self.timed_out[pattern_set.trigger] += 1
        self.timeouts += 1


def decode_line(raw: Raw, encoding: str, max_line: int) -> tuple[str, bool]:
    """Decode one line, and return whether it was longer than `max_line` bytes.

    One CR at its end is dropped. Undecodable bytes become U+FFFD; a character that the limit cuts
    is dropped.
    """
    if raw.endswith(b"\r"):
        raw = raw[:-1]
    if len(raw) <= max_line:
        return raw.decode(encoding, "replace"), False
    return codecs.getincrementaldecoder(encoding)("replace").decode(raw[:max_line]), True
