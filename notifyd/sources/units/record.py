"""What is stored of a unit, so that the next process finds what happened meanwhile."""

import json
from dataclasses import dataclass
from typing import Self

from notifyd.sources.stored_values import StoredFields


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """boot: the kernel's boot id. invocation, restarts: as in UnitStatus.

    is_failing: a failure was reported, and its end was not. unreported: failures that wait to be
    reported.
    """

    boot: str
    is_up: bool = False
    is_failing: bool = False
    invocation: str = ""
    restarts: int = 0
    unreported: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether it says the same as no record."""
        return not (self.is_up or self.is_failing or self.restarts or self.unreported)

    @property
    def has_failed(self) -> bool:
        return self.is_failing or self.unreported > 0

    def encode(self) -> str:
        fields = {
            "boot": self.boot,
            "up": self.is_up,
            "failing": self.is_failing,
            "invocation": self.invocation,
            "restarts": self.restarts,
            "unreported": self.unreported,
        }
        return json.dumps(fields)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode a stored value; CheckpointValueError if it is unusable."""
        fields = StoredFields.decode(text)
        return cls(
            fields.text("boot"),
            fields.boolean("up", default=False),
            fields.boolean("failing", default=False),
            fields.text("invocation", ""),
            fields.integer("restarts", 0),
            fields.integer("unreported", 0),
        )


@dataclass(frozen=True, slots=True)
class UnitTerms:
    """What a trigger was armed with.

    boot: the kernel's boot id. What happened while notifyd was stopped is reported only if the
    others are the same as before.
    """

    bus: str
    units: tuple[str, ...]
    on: tuple[str, ...]
    boot: str

    def has_same_selection(self, other: Self) -> bool:
        return (self.bus, self.units, self.on) == (other.bus, other.units, other.on)

    def encode(self) -> str:
        fields = {"bus": self.bus, "units": self.units, "on": self.on, "boot": self.boot}
        return json.dumps(fields)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode a stored value; CheckpointValueError if it is unusable."""
        fields = StoredFields.decode(text)
        units, on = fields.texts("units"), fields.texts("on")
        return cls(fields.text("bus"), tuple(units), tuple(on), fields.text("boot"))
