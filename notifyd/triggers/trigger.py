"""One trigger, compiled: Event → Match, and Tally → title and body."""

from collections.abc import Callable, Iterator, Mapping

from jinja2 import Template

from notifyd.config.templates import SANDBOX
from notifyd.config.triggers import AnyTrigger, ResolvedShaping, ShapingConfig
from notifyd.model.events import Event, Match
from notifyd.model.notifications import MatchSummary
from notifyd.text.durations import format_duration
from notifyd.triggers import default_text
from notifyd.triggers.masking import masked
from notifyd.triggers.times import moment

_OUTPUT_LIMIT = 8_000
"""Characters after which text is cut: far more than a notification can hold."""
_WITH_FAULTS = 1_500
"""Characters of the body that leave room for what went wrong."""
_NUMBERS = ("pid", "exit_code")
_FACTS = ("name", "cmdline", "signal", "unit", "before", "after")


class Fields:
    """The named groups for templates: `fields.items` is the group `items`, never a method."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._values.items())


class Trigger:
    """`host` and `workspace` are what templates show under these names.

    redact: masks credentials in what was seen, before templates see it or anything is cut.
    """

    def __init__(
        self,
        name: str,
        config: AnyTrigger,
        defaults: ShapingConfig,
        *,
        host: str = "",
        workspace: str = "",
        redact: Callable[[str], str] = str,
    ) -> None:
        self.name = name
        self.config = config
        self.shaping: ResolvedShaping = config.shaping(defaults)
        self._constants = {
            "trigger": name,
            "type": config.type,
            "host": host,
            "workspace": workspace,
        }
        self._redact = redact
        self._title = _compiled(config.title)
        self._body = _compiled(config.body)

    @property
    def identity(self) -> str:
        """Name what makes it the same trigger over reloads: name, type and group_by."""
        return "\0".join((self.name, self.config.type, *self.shaping.group_by))

    def match(self, event: Event) -> Match:
        """Find the group that an event counts for: one value for each name in group_by."""
        by = self.shaping.group_by
        return Match(tuple([_value(event, name) for name in by]) if by else (), event)

    def render(self, summary: MatchSummary, wall: float | None = None) -> tuple[str, str]:
        """Write title and body. `wall` is now; left out, the day of the last match is today.

        A template that fails is replaced by the default text, and the body says so.
        """
        now = summary.last if wall is None else wall
        summary = masked(summary, self._redact)
        names = self._names(summary, now)
        group = self.match(summary.event).group

        def own_title() -> str:
            return default_text.title(self.name, self.config.type, group, summary)

        title, title_fault = _rendered(self._title, names, own_title)
        body, body_fault = _rendered(self._body, names, lambda: default_text.body(summary, now))
        if not title.strip() and not body.strip():
            title = own_title()
        faults = [
            f"(The template for the {key} failed: {fault})"
            for key, fault in (("title", title_fault), ("body", body_fault))
            if fault
        ]
        if faults:
            body = "\n".join([body[:_WITH_FAULTS], *faults])
        return title[:_OUTPUT_LIMIT], body[:_OUTPUT_LIMIT]

    def _names(self, summary: MatchSummary, now: float) -> dict[str, object]:
        event = summary.event
        facts = event.facts
        names: dict[str, object] = {
            **self._constants,
            "count": summary.count,
            "first": moment(summary.first, now),
            "last": moment(summary.last, now),
            "path": event.path,
            "paths": summary.paths,
            "line": event.line,
            "first_line": summary.first_line,
            "lines": summary.lines,
            "fields": Fields(event.fields),
            "state": summary.condition_report.value,
            "reminder": summary.reminder,
            "duration": _duration(facts.get("duration", "")),
        }
        names |= {name: facts.get(name, "") for name in _FACTS}
        names |= {name: _number(facts.get(name, "")) for name in _NUMBERS}
        return names


def _value(event: Event, name: str) -> str:
    if name in event.fields:
        return event.fields[name] or ""
    match name:
        case "path":
            return event.path
        case "line":
            return event.line
    return event.facts.get(name, "")


def _compiled(source: str | None) -> Template | None:
    return None if source is None else SANDBOX.from_string(source)


def _rendered(
    template: Template | None, names: dict[str, object], own: Callable[[], str]
) -> tuple[str, str]:
    """Render, and say what went wrong; the default text where that happened or nothing came."""
    if template is None:
        return own(), ""
    parts, length = [], 0
    try:
        for part in template.generate(names):
            parts.append(part)
            length += len(part)
            if length > _OUTPUT_LIMIT:
                break
    except Exception as error:  # noqa: BLE001 - whatever a template does, the news must arrive
        return own(), str(error) or type(error).__name__
    return "".join(parts), ""


def _number(text: str) -> int | str:
    """Give a number, so that `exit_code == 0` means what it says; text where it is unknown."""
    try:
        return int(text)
    except ValueError:
        return text


def _duration(text: str) -> str:
    try:
        return format_duration(float(text))
    except (ValueError, OverflowError):
        return text
