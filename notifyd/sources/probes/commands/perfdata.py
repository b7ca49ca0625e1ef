"""The output of plugins that follow the Nagios plugin API: text, and figures after a `|`."""

import re
from typing import Final, NamedTuple

from notifyd.sources.probes.resources.measurement import format_bytes

_FIGURE: Final = re.compile(
    # The label. Only a beginning can match and a quoted one is bounded, or a long line of anything
    # else would take time with the square of its length.
    r"(?:'((?:[^']|''){1,200}+)'|(?<![^\s='|])([^\s='|]++))="
    r"([-+]?[\d.,]+(?:[eE][-+]?\d+)?)([^\s;\d]*)"  # value and unit
    r"((?:;[^\s;]*){0,4})"  # warning, critical, minimum, maximum
)


class Figure(NamedTuple):
    """One value of performance data, as the plugin wrote it; what is missing is empty."""

    label: str
    value: str
    unit: str
    warning: str = ""
    critical: str = ""
    least: str = ""
    most: str = ""

    def __str__(self) -> str:
        """Return "/var: 2643 MB of 5968 (warning 5948, critical 5958)", or "/: 27.0 GiB of …"."""
        value = self._shown(self.value)
        if value == self.value:
            value += self.unit if len(self.unit) <= 1 else f" {self.unit}"
        limits = [
            f"{name} {self._shown(limit)}"
            for name, limit in (("warning", self.warning), ("critical", self.critical))
            if limit
        ]
        text = f"{self.label}: {value}"
        if self.most and self.unit != "%":
            text += f" of {self._shown(self.most)}"
        return f"{text} ({', '.join(limits)})" if limits else text

    def _shown(self, number: str) -> str:
        """Return a number of bytes such that a person can read it, anything else as it is."""
        try:
            return format_bytes(float(number)) if self.unit == "B" else number
        except ValueError:
            return number


def split_output(output: str) -> tuple[str, list[Figure]]:
    """Return the text of an output and its figures.

    What follows the `|` of the first line is performance data, and so is all that follows the `|`
    of a later line.
    """
    first, _, rest = output.partition("\n")
    text, _, data = first.partition("|")
    more, _, more_data = rest.partition("|")
    return f"{text.rstrip()}\n{more}".rstrip(), parse_figures(f"{data} {more_data}")


def parse_figures(data: str) -> list[Figure]:
    """Parse `label=value[unit];warning;critical;least;most` and so on; skip what is none."""
    figures = []
    for quoted, plain, value, unit, limits in _FIGURE.findall(data):
        label = quoted.replace("''", "'") or plain
        figures.append(Figure(label, value, unit, *limits.split(";")[1:]))
    return figures
