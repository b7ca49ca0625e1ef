"""A trigger: which group an event counts for, and the text of a notification."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from notifyd.config.shaping import ResolvedShaping, ShapingConfig
from notifyd.config.templates import compile_template
from notifyd.config.triggers import AnyTrigger, PlatformHealthConfig
from notifyd.model.events import Event, Match, severity_of
from notifyd.model.notifications import ConditionReport, Json, MatchSummary
from notifyd.text.durations import format_duration
from notifyd.text.limits import ELLIPSIS
from notifyd.triggers.check_text import check_body, check_title
from notifyd.triggers.default_text import default_body, default_title, format_time, overflow_title
from notifyd.triggers.heartbeat_text import heartbeat_body, heartbeat_title
from notifyd.triggers.resource_text import resource_body, resource_title
from notifyd.triggers.unit_text import unit_body, unit_title

if TYPE_CHECKING:
    from jinja2 import Template

_OUTPUT_LIMIT = 8_000
"""Characters after which text is cut: far more than a notification can hold."""
_BODY_BEFORE_ERRORS = 1_500
"""Characters of the body that leave room for template errors."""
_NUMBERS = ("pid", "exit_code", "restarts")
_FACTS = (
    *("name", "cmdline", "signal", "outcome", "unit", "result"),
    *("before", "after", "trace", "value"),
)


class Fields:
    """Fields for templates: `fields.items` is the field `items`, never a method.

    `fields.http.status` is the field of a nested JSON key, as is `fields["http.status"]`.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> "str | Fields":
        if name in self._values:
            return self._values[name]
        prefix = f"{name}."
        nested = {
            key.removeprefix(prefix): value
            for key, value in self._values.items()
            if key.startswith(prefix)
        }
        if not nested:
            raise KeyError(name)
        return Fields(nested)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self._values.items())


class Trigger:
    """One trigger of the configuration, with its templates compiled.

    host, workspace: values for templates. redact: masks credentials in what was observed, before
    a template sees it or anything is cut.
    """

    def __init__(
        self,
        name: str,
        config: AnyTrigger | PlatformHealthConfig,
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
        self._title = _compile(config.title)
        self._body = _compile(config.body)
        self._data = {key: _compile_data(value) for key, value in config.data.items()}

    @property
    def identity(self) -> str:
        """What must be equal for groups to survive a reload: name, type and group_by."""
        return "\0".join((self.name, self.config.type, *self.shaping.group_by))

    def match(self, event: Event) -> Match:
        """Return an event with the values of its group, one for each name in group_by."""
        names = self.shaping.group_by
        return Match(tuple([_value(event, name) for name in names]) if names else (), event)

    def render(self, summary: MatchSummary, wall: float | None = None) -> tuple[str, str]:
        """Return title and body. wall: now; times of another day carry their date.

        A template that fails is replaced by the default text, and the body says so.
        """
        now = summary.last if wall is None else wall
        summary = mask_summary(summary, self._redact)
        names = self._template_names(summary, now)
        group = self.match(summary.event).group

        def fallback_title() -> str:
            return self._default_title(summary, group, now)

        def fallback_body() -> str:
            return self._default_body(summary, now, title)

        # Templates would name the last of many groups as if it were the only one.
        own_title, own_body = (None, None) if summary.is_overflow else (self._title, self._body)
        title, title_error = _render(own_title, names, fallback_title)
        body, body_error = _render(own_body, names, fallback_body)
        if not title.strip() and not body.strip():
            title = fallback_title()
        errors = [
            f"(The template for the {key} failed: {error})"
            for key, error in (("title", title_error), ("body", body_error))
            if error
        ]
        if errors:
            body = "\n".join([body[:_BODY_BEFORE_ERRORS], *errors])
        return title[:_OUTPUT_LIMIT], body[:_OUTPUT_LIMIT]

    def _default_title(self, summary: MatchSummary, group: tuple[str, ...], now: float) -> str:
        if summary.is_overflow:
            return overflow_title(self.name, self.shaping.max_groups, summary)
        match self.config.type:
            case "heartbeat":
                return heartbeat_title(self.name, summary, now)
            case "resource" if summary.condition_report or summary.count == 1:
                return resource_title(summary)
            case "command":
                return check_title(self.name, group, summary)
            case "unit":
                return unit_title(self.name, group, summary)
        return default_title(self.name, self.config.type, group, summary)

    def _default_body(self, summary: MatchSummary, now: float, title: str) -> str:
        match self.config.type:
            case "heartbeat":
                return heartbeat_body(summary, now)
            case "resource":
                return resource_body(summary, now, title)
            case "command":
                return check_body(summary, now)
            case "unit":
                return unit_body(summary, now, title)
        return default_body(summary, now)

    def render_data(self, summary: MatchSummary, wall: float | None = None) -> Json:
        """Return the trigger's own entries of `data`, in which every string is a template.

        A template that fails is replaced by what failed. `outcome` is added where one is known.
        """
        names = self._template_names(
            mask_summary(summary, self._redact), summary.last if wall is None else wall
        )
        data: Json = {key: _render_data(value, names) for key, value in self._data.items()}
        outcome = _outcome(summary)
        return {"outcome": outcome, **data} if outcome else data

    def _template_names(self, summary: MatchSummary, now: float) -> dict[str, object]:
        event = summary.event
        facts = event.facts
        names: dict[str, object] = {
            **self._constants,
            "count": summary.count,
            "first": format_time(summary.first, now),
            "last": format_time(summary.last, now),
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


def _outcome(summary: MatchSummary) -> str:
    """Return the worst outcome of the matches, or `recovered`; empty if there is none."""
    if summary.condition_report in {ConditionReport.RESOLVED, ConditionReport.FIRED_AND_RESOLVED}:
        return "recovered"
    return max(summary.outcomes, key=lambda name: severity_of((name,)), default="")


def _value(event: Event, name: str) -> str:
    if name in event.fields:
        return event.fields[name] or ""
    match name:
        case "path":
            return event.path
        case "line":
            return event.line
    return event.facts.get(name, "")


@dataclass(frozen=True, slots=True)
class _DataTemplate:
    """A compiled template in the place of a string of a JSON value."""

    template: "Template"


def _compile(source: str | None) -> "Template | None":
    return None if source is None else compile_template(source)


def _compile_data(value: object) -> object:
    """Replace the strings of a JSON value that contain template syntax by compiled templates."""
    match value:
        case str():
            return _DataTemplate(compile_template(value)) if "{" in value else value
        case dict():
            return {key: _compile_data(item) for key, item in value.items()}
        case list():
            return [_compile_data(item) for item in value]
    return value


def _render_data(value: object, names: dict[str, object]) -> object:
    match value:
        case _DataTemplate():
            text, error = _render(value.template, names, str)
            return f"(The template failed: {error})" if error else text
        case dict():
            return {key: _render_data(item, names) for key, item in value.items()}
        case list():
            return [_render_data(item, names) for item in value]
    return value


def _render(
    template: "Template | None", names: dict[str, object], fallback: Callable[[], str]
) -> tuple[str, str]:
    """Return the rendered text and an error; without a template or with an error, the fallback."""
    if template is None:
        return fallback(), ""
    parts, length = [], 0
    try:
        for part in template.generate(names):
            parts.append(part)
            length += len(part)
            if length > _OUTPUT_LIMIT:
                break
    except Exception as error:  # noqa: BLE001 - a notification goes out whatever a template does
        return fallback(), str(error) or type(error).__name__
    return "".join(parts), ""


def _number(text: str) -> int | str:
    """Convert to a number, so that `exit_code == 0` works in templates; else keep the text."""
    try:
        return int(text)
    except ValueError:
        return text


def _duration(text: str) -> str:
    try:
        return format_duration(float(text))
    except (ValueError, OverflowError):
        return text


def mask_summary(summary: MatchSummary, redact: Callable[[str], str]) -> MatchSummary:
    """Redact each text on its own: joined or cut texts would hide where a credential ends.

    If the line was cut, each field counts as cut: the cut may go through any of them.
    """
    mask = cache(redact)  # the same line is often the first, the last and the only one
    event = summary.event
    end = ELLIPSIS if ELLIPSIS in event.line[-8:] else ""
    return replace(
        summary,
        first_line=mask(summary.first_line),
        lines=tuple(map(mask, summary.lines)),
        paths=tuple(map(mask, summary.paths)),
        event=event._replace(
            line=mask(event.line),
            path=mask(event.path),
            fields={
                name: mask(value + end).removesuffix(end) for name, value in event.fields.items()
            },
            facts={name: mask(value) for name, value in event.facts.items()},
        ),
    )
