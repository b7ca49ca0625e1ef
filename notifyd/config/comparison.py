"""Comparisons of a value with a constant, as triggers write them: `"< 5"`, `'== "failed"'`."""

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

CHANGED = "changed"

_FORM = re.compile(r"(==|!=|<=|>=|<|>)\s*(\S.*)", re.DOTALL)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison. text: as written. operand: a JSON value; what is no JSON is a string."""

    text: str
    operator: str
    operand: Any

    def holds(self, value: Any) -> bool | None:
        """Whether it holds; None if an ordered comparison meets a value that is no number.

        A string that holds a number counts as that number.
        """
        if self.operator == "==":
            return bool(value == self.operand)
        if self.operator == "!=":
            return bool(value != self.operand)
        left, right = as_number(value), as_number(self.operand)
        if left is None or right is None:
            return None
        return _ORDER[self.operator](left, right)


def parse_comparison(text: str, *alternatives: str) -> Comparison:
    """Parse `== x`, `!= x`, `< n`, `<= n`, `> n` or `>= n`; ValueError says what is wrong.

    alternatives: other texts that the caller accepts, for the message.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        also = "".join(f'"{each}", ' for each in alternatives)
        raise ValueError(f'invalid comparison; use {also}\'== "failed"\' or "< 5"')
    try:
        operand = json.loads(found[2])
    except ValueError:
        operand = found[2].strip()
    if found[1] in _ORDER and as_number(operand) is None:
        raise ValueError(f'"{found[1]}" compares numbers; use for example "{found[1]} 5"')
    return Comparison(text.strip(), found[1], operand)


def as_number(value: Any) -> float | None:
    """Return a number, also from a string that holds one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
