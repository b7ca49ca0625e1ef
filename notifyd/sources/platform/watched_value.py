"""What a trigger knows of its value, how it is stored, and the event that an answer makes of it."""

import json
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from notifyd.config.comparison import CHANGED, Comparison, parse_comparison
from notifyd.config.triggers import OblienTriggerConfig
from notifyd.model.events import AlertState, Event
from notifyd.sources.stored_values import StoredFields
from notifyd.text.limits import clip

_CLIP = 1_000
"""Characters kept of a value's text."""


@dataclass(frozen=True, slots=True)
class KnownValue:
    """The last value of a trigger, as text that may be clipped, and the digest of all of it.

    state: of its condition; empty where nothing is known. streak: how often in a row it had this
    state.
    """

    text: str
    digest: str = ""
    state: AlertState = AlertState.NONE
    streak: int = 1

    def encode(self, terms: str) -> str:
        fields = {
            "terms": terms,
            "value": self.text,
            "digest": self.digest,
            "state": self.state.value,
            "streak": self.streak,
        }
        return json.dumps(fields, ensure_ascii=False)


def decode_known(text: str, terms: str) -> KnownValue | None:
    """Decode a stored value; None if it was stored for other terms.

    CheckpointValueError if it is unusable.
    """
    fields = StoredFields.decode(text)
    if fields.text("terms") != terms:
        return None
    states = {state.value: state for state in AlertState}
    state = states.get(fields.text("state"), AlertState.NONE)
    streak = fields.integer("streak", 1, least=1)
    return KnownValue(fields.text("value"), fields.text("digest", ""), state, streak)


class ValueWatch:
    """Compares the answers to one trigger's request with what is known of its value.

    counted: how often in a row a state is reported, so that `for` and `clear` can count it.
    """

    def __init__(self, name: str, config: OblienTriggerConfig, counted: int = 1) -> None:
        self.name = name
        self.path = config.get or ""
        self.terms = json.dumps([config.get, config.value, config.when])
        self._select = jmespath.compile(config.value)
        self._comparison: Comparison | None = None
        if config.when != CHANGED:
            self._comparison = parse_comparison(config.when)
        self._counted = counted

    def evaluate(
        self, answer: Any, known: KnownValue | None, wall: float
    ) -> tuple[KnownValue, Event | None]:
        """Return what is known after an answer, and the event that it makes."""
        value = self._value(answer)
        after = _known(value)
        if self._comparison is not None:
            return self._compare(self._comparison, value, after, known, wall=wall)
        if known is None or known.digest == after.digest:
            return after, None
        return after, self._changed(known.text, after.text, wall)

    def is_number_missing(self, answer: Any) -> bool:
        """Whether the comparison needs a number and the answer's value is none."""
        return self._comparison is not None and self._comparison.holds(self._value(answer)) is None

    def _value(self, answer: Any) -> Any:
        """Return the selected value; None if a function does not take what the answer holds."""
        try:
            return self._select.search(answer)
        except JMESPathError:
            return None

    def _changed(self, before: str, after: str, wall: float) -> Event:
        facts = {"event": CHANGED, "before": before, "after": after, "value": after}
        return Event(self.name, wall, f"{before} \N{RIGHTWARDS ARROW} {after}", facts=facts)

    def _compare(
        self,
        comparison: Comparison,
        value: Any,
        after: KnownValue,
        known: KnownValue | None,
        *,
        wall: float,
    ) -> tuple[KnownValue, Event | None]:
        holds = comparison.holds(value)
        if holds is None:  # a condition neither begins nor ends on what cannot be compared
            return known or after, None
        state = AlertState.FIRING if holds else AlertState.RESOLVED
        if known is not None and known.state is state:
            if known.streak >= self._counted:
                return known, None
            after = replace(after, streak=known.streak + 1)
        after = replace(after, state=state)
        line = f"{after.text} ({'' if holds else 'no longer '}{comparison.text})"
        facts = {
            "event": "comparison",
            "before": known.text if known else "",
            "after": after.text,
            "value": after.text,
        }
        return after, Event(self.name, wall, line, facts=facts, alert_state=state)


def _known(value: Any) -> KnownValue:
    """Write a value as a person reads it: strings as they are, anything else as JSON."""
    is_text = isinstance(value, str)
    text = value if is_text else json.dumps(value, ensure_ascii=False, sort_keys=True)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return KnownValue(clip(text, _CLIP), digest)
