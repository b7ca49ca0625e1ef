"""Which lines of a block match which triggers: a fast engine proposes, the real pattern decides."""

from notifyd.matching.decide import Hit, Rule
from notifyd.matching.judge import Judge
from notifyd.matching.scanner import Scan, Scanner
from notifyd.matching.widen import Widened, widen, widen_in_records

__all__ = ["Hit", "Judge", "Rule", "Scan", "Scanner", "Widened", "widen", "widen_in_records"]
