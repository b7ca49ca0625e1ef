"""Matches many patterns against blocks of lines: a fast prefilter, then the patterns themselves."""

from notifyd.matching.approximate import Approximation, approximate, approximate_in_records
from notifyd.matching.record_matcher import RecordMatcher
from notifyd.matching.scanner import Scan, Scanner
from notifyd.matching.verifier import Hit, PatternSet

__all__ = [
    "Approximation",
    "Hit",
    "PatternSet",
    "RecordMatcher",
    "Scan",
    "Scanner",
    "approximate",
    "approximate_in_records",
]
