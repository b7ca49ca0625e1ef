"""Limits of resources, as triggers write them: `"90%"`, `"5GiB free"`, `"< 10%"`, `85`."""

import re
from dataclasses import dataclass, replace
from typing import Literal, Self

from notifyd.config.times import parse_persistence
from notifyd.model.persistence import Persistence

LimitMeasure = Literal["number", "percent", "celsius", "bytes"]
ResourceName = Literal[
    "disk",
    "inodes",
    "memory",
    "swap",
    "load",
    "pressure-cpu",
    "pressure-memory",
    "pressure-io",
    "oom",
    "gpu-utilization",
    "gpu-memory",
    "gpu-temperature",
]

_FORM = re.compile(
    r"(<=|>=|<|>)?\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?!used|free)([%°A-Za-z]*)\s*(used|free|)"
)
_BYTES = {
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
_MEASURES: dict[str, LimitMeasure] = {"": "number", "%": "percent", "C": "celsius", "°C": "celsius"}
_SPACES = ("disk", "memory", "swap", "gpu-memory")
"""Resources that are measured in bytes, and in percent of all there is."""
_UNITS: dict[str, LimitMeasure] = {"load": "number", "gpu-temperature": "celsius"}
"""The units of a plain number, other than percent."""
_MOST_PERCENT = 100
_DEFAULTS = {
    "disk": ("80%", "95%"),
    "inodes": ("80%", "95%"),
    "memory": ("90%", "95%"),
    "swap": ("80%", "95%"),
}
_GAP_PERCENT = 2.0
"""Points by which the use of space must fall again, so that a value at the limit is no flood."""
_INVALID = 'invalid limit; use for example "90%", "5GiB free", "< 10%" or a number'


@dataclass(frozen=True, slots=True)
class ResourceValue:
    """A measured value. value: in percent, °C, or the number that `load` has.

    used, free: bytes or inodes, where a resource has them. percent: of the CPUs, for `load`.
    """

    value: float
    used: float | None = None
    free: float | None = None
    percent: float | None = None


@dataclass(frozen=True, slots=True)
class ResourceLimit:
    """A limit. text: as written. is_floor: values below it pass it. is_strict: equal ones do not.

    of: `used`, `free` or empty, for the resource's own value.
    """

    text: str
    number: float
    measure: LimitMeasure
    of: str = ""
    is_floor: bool = False
    is_strict: bool = False

    @classmethod
    def parse(cls, value: object) -> Self:
        """Parse a number or a text; ValueError with a message that shows the right form."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(_INVALID)  # noqa: TRY004 - pydantic reports it
        text = str(value).strip()
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(_INVALID)
        operator, digits, unit, of = found.groups(default="")
        measure: LimitMeasure | None
        number = float(digits)
        number *= _BYTES.get(unit, 1)
        measure = "bytes" if unit in _BYTES else _MEASURES.get(unit)
        if measure is None:
            raise ValueError(f'unknown unit "{unit}"; {_INVALID.partition("; ")[2]}')
        if measure == "bytes" and not of:
            raise ValueError(f'say of what, for example "{text} free" or "{text} used"')
        is_floor = operator.startswith("<") or (not operator and of == "free")
        is_strict = operator in ("<", ">")
        if of and measure == "percent":  # 10% free is 90% used
            if of == "free":
                number, is_floor = 100 - number, not is_floor
            of = ""
        return cls(text, number, measure, of, is_floor, is_strict)

    def in_units_of(self, resource: str) -> Self:
        """Return the limit in the units of a resource; ValueError if it has other ones."""
        native = _UNITS.get(resource, "percent")
        if self.of:
            needed = "bytes" if resource in _SPACES else "number" if resource == "inodes" else None
            if self.measure != needed:
                raise ValueError(_example(resource))
            return self
        measure = native if self.measure == "number" else self.measure
        if measure != native and (resource, measure) != ("load", "percent"):
            raise ValueError(_example(resource))
        if native == "percent":
            if self.number > _MOST_PERCENT:
                raise ValueError("must be at most 100%")
            if self.measure == "number" and 0 < self.number < 1:
                raise ValueError(f'means {self.text}%; use "{self.number * 100:g}%"')
        return replace(self, measure=measure)

    def is_passed(self, value: ResourceValue) -> bool:
        """Whether a value has reached the limit. False where the resource has no such value."""
        measured = self._select(value)
        if measured is None:
            return False
        if measured == self.number:
            return not self.is_strict
        return measured < self.number if self.is_floor else measured > self.number

    def _select(self, value: ResourceValue) -> float | None:
        if self.of:
            return value.free if self.of == "free" else value.used
        if self.measure == "percent" and value.percent is not None:
            return value.percent
        return value.value

    def is_comparable(self, other: "ResourceLimit") -> bool:
        """Whether both, in the units of one resource, limit the same quantity."""
        return (self.measure, self.of) == (other.measure, other.of)

    def is_beyond(self, other: "ResourceLimit") -> bool:
        """Whether this limit, comparable with the other, is passed later than that one."""
        return self.number < other.number if other.is_floor else self.number > other.number

    def like(self, other: "ResourceLimit") -> "ResourceLimit":
        """Return the limit on the side on which the other is, unless it names its side itself."""
        is_plain = self.text[:1] not in "<>"
        return replace(self, is_floor=other.is_floor) if is_plain else self

    @property
    def label(self) -> str:
        """The text, with the unit where it was left out."""
        is_plain = self.text.replace(".", "", 1).isdecimal()
        return self.text + {"percent": "%", "celsius": " °C"}.get(self.measure, "") * is_plain

    def eased_by(self, gap: float) -> "ResourceLimit":
        """Return the limit that a value passes earlier, by this much."""
        number = self.number + gap if self.is_floor else self.number - gap
        return replace(self, number=number)


@dataclass(frozen=True)
class ClearingLimit(Persistence):
    """In place of a time: a level ends where a value is back behind this limit."""

    limit: ResourceLimit | None = None


def default_limits(resource: str) -> tuple[ResourceLimit | None, ResourceLimit | None]:
    """Return `warning` and `critical` of a resource for which neither is set; None without one."""
    texts = _DEFAULTS.get(resource)
    if texts is None:
        return None, None
    return ResourceLimit.parse(texts[0]), ResourceLimit.parse(texts[1])


def default_gap(limit: ResourceLimit, resource: str) -> float:
    """Return how far behind a limit a level ends without `clear`, in the unit of the limit."""
    is_share = limit.measure == "percent" and resource in (*_SPACES, "inodes")
    return _GAP_PERCENT if is_share else 0.0


def _example(resource: str) -> str:
    match resource:
        case "load":
            return 'use a number such as 8, or percent of the CPUs such as "200%"'
        case "gpu-temperature":
            return "use degrees Celsius, such as 85"
        case "inodes":
            return 'use for example "90%" or "10000 free"'
        case _ if resource in _SPACES:
            return 'use for example "90%" or "5GiB free"'
    return 'use percent, for example "90%"'


def parse_limit(value: object) -> object:
    return ResourceLimit.parse(value)


def parse_clear(value: object) -> object:
    """Parse a limit, a duration such as "10m", or a number of times such as "3 times"."""
    try:
        return parse_persistence(value)
    except ValueError:
        pass
    try:
        return ClearingLimit(limit=ResourceLimit.parse(value))
    except ValueError:
        raise ValueError(
            'must be a limit such as "75%", a duration such as "10m" or a number of times such as '
            '"3 times"'
        ) from None
