"""The checkpoints of units: what was reported of each, and what each trigger was armed with."""

from collections.abc import Mapping
from typing import Final

from notifyd.sources.stored_values import CheckpointValueError, RefusedValues
from notifyd.sources.units.record import UnitRecord, UnitTerms

_PREFIX: Final = "unit:"
_TRIGGER: Final = "trigger"


def terms_key(trigger: str) -> str:
    """Return the key of what a trigger was armed with."""
    return f"{_PREFIX}{_TRIGGER}:{trigger}"


def unit_key(bus: str, unit: str) -> str:
    """Return the key of a unit on a bus."""
    return f"{_PREFIX}{bus}:{unit}"


class UnitRegistry:
    """records: of units, by bus and name. armed: the boot in which a trigger was last armed.

    Triggers whose selection has changed are not armed. obsolete_keys: to be deleted. refused:
    unusable checkpoints.
    """

    def __init__(self, terms: Mapping[str, UnitTerms], checkpoints: Mapping[str, str]) -> None:
        self.records: dict[tuple[str, str], UnitRecord] = {}
        self.armed: dict[str, str] = {}
        self.obsolete_keys: set[str] = set()
        self.refused = RefusedValues("unit")
        buses = {each.bus for each in terms.values()}
        for key, value in checkpoints.items():
            kind, _, name = key.removeprefix(_PREFIX).partition(":")
            if kind == _TRIGGER and name in terms:
                self._restore_terms(key, name, terms[name], value)
            elif kind in buses:
                self._restore_record(key, kind, name, value)
            else:
                self.obsolete_keys.add(key)

    def _restore_terms(self, key: str, trigger: str, terms: UnitTerms, value: str) -> None:
        try:
            stored = UnitTerms.decode(value)
        except CheckpointValueError as error:
            consequence = "what happened while notifyd was stopped is not reported"
            self.refused.add(key, f"selection of trigger {trigger}", error, consequence)
            return
        if stored.has_same_selection(terms):
            self.armed[trigger] = stored.boot

    def _restore_record(self, key: str, bus: str, unit: str, value: str) -> None:
        try:
            self.records[bus, unit] = UnitRecord.decode(value)
        except CheckpointValueError as error:
            self.obsolete_keys.add(key)
            consequence = "a failure while notifyd was stopped may be reported again"
            self.refused.add(key, f"state of {unit}", error, consequence)
