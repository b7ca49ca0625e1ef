"""The text of a digest: how many notifications it replaces, why, and of which triggers."""

from collections.abc import Callable

from notifyd.model.notifications import SOCKET, Digest
from notifyd.text.limits import clip
from notifyd.triggers.default_text import TIMES, fitting_lines, format_span

_REASONS = {
    "budget": (" more", "", "Held back by the budget"),
    "storm": (" more", "", "Held back because too many notifications were waiting"),
    "full": (" more", "", "Held back because the outbox was full"),
    "expired": ("", " expired", "Not delivered in time"),
    "mute": ("", " while muted", "Held back while muted"),
    "removed": (
        "",
        ", changed or removed",
        "Still being counted when the trigger was changed or removed",
    ),
}
"""By reason: the words of the title behind the count and at its end, and the body's first words."""

_LINES_OF_MANY = ("storm", "expired")
"""The reasons whose lines are titles, each of which may stand for several matches."""
_TRIGGERS_LISTED = 12
_LINES_ROOM = 1000
"""Characters of the lines below the counts."""
_LINE_CLIP = 200
"""Characters of each line, so that several fit."""


def render_digest(
    digest: Digest, wall: float | None = None, redact: Callable[[str], str] = str
) -> tuple[str, str]:
    """Return title and body. wall: now; times of another day carry their date.

    redact: masks credentials in lines, before they are cut.
    """
    now = digest.last if wall is None else wall
    more, suffix, reason = _REASONS.get(digest.reason, (" more", "", ""))
    counts = sorted(digest.counts.items(), key=lambda item: (-item[1], item[0]))
    title = f"{digest.count}{more}{_source([name for name, _ in counts], digest.count)}{suffix}"
    span = format_span(digest.first, digest.last, now)
    body = [f"{reason}, {span}." if reason else f"{span.capitalize()}."]
    if len(counts) > 1:  # otherwise the title says it
        body += [f"{count} {TIMES} {_name(name)}" for name, count in counts[:_TRIGGERS_LISTED]]
    if others := counts[_TRIGGERS_LISTED:]:
        triggers = "1 other trigger" if len(others) == 1 else f"{len(others)} other triggers"
        body.append(f"{sum(count for _, count in others)} {TIMES} {triggers}")
    if digest.lines:
        redacted = [redact(line) for line in digest.lines]
        lines = fitting_lines(redacted, _LINES_ROOM, _LINE_CLIP)
        body += ["", *(clip(line, _LINE_CLIP) for line in lines)]
        hidden = digest.count - sum(line in lines for line in redacted)
        if hidden > 0 and digest.reason not in _LINES_OF_MANY:
            body.append(f"and {hidden} more")
    return title, "\n".join(body)


def _source(triggers: list[str], count: int) -> str:
    if len(triggers) != 1:
        return f" from {len(triggers)} triggers"
    if _is_socket(triggers[0]):
        return " message" if count == 1 else " messages"
    return f" from {triggers[0]}"


def _name(trigger: str) -> str:
    return "messages" if _is_socket(trigger) else trigger


def _is_socket(trigger: str) -> bool:
    return trigger in ("", SOCKET)
