"""What a digest says: how many were held back, why, and by which triggers."""

from collections.abc import Callable

from notifyd.model.notifications import SOCKET, Digest
from notifyd.triggers.times import TIMES, span

_REASONS = {
    "budget": ("{} more from {}", "Held back: the budget for this span of time was used up."),
    "storm": ("{} more from {}", "Held back: too many notifications were waiting at once."),
    "full": ("{} more from {}", "Held back: the outbox was full."),
    "expired": ("{} from {}, too late", "Could not be delivered in time."),
    "mute": ("{} from {} while muted", "Held back while muted."),
    "removed": (
        "{} from {}, changed or removed",
        "Still being counted when their trigger was changed or removed.",
    ),
}
"""By reason: the title, and the first sentence of the body."""

_NAMED = 12
_LINES = 5
_LONGEST = 200
"""Characters of each line, so that several fit below the counts."""


def render_digest(
    digest: Digest, wall: float | None = None, redact: Callable[[str], str] = str
) -> tuple[str, str]:
    """Write title and body. `wall` is now; left out, times are told as on the last one's day.

    redact: masks credentials in what was seen, before it is cut.
    """
    now = digest.last if wall is None else wall
    title, why = _REASONS.get(digest.reason, ("{} more from {}", ""))
    named = sorted(digest.counts.items(), key=lambda item: (-item[1], item[0]))
    source = _name(named[0][0]) if len(named) == 1 else f"{len(named)} triggers"
    body = [f"{why} {span(digest.first, digest.last, now).capitalize()}.".strip()]
    body += [f"{count} {TIMES} {_name(name)}" for name, count in named[:_NAMED]]
    if len(named) > _NAMED:
        rest = sum(count for _, count in named[_NAMED:])
        body.append(f"{rest} {TIMES} {len(named) - _NAMED} others")
    if digest.lines:
        body += ["", *(redact(line)[:_LONGEST] for line in digest.lines[-_LINES:])]
    return title.format(digest.count, source), "\n".join(body)


def _name(trigger: str) -> str:
    return "messages" if trigger in ("", SOCKET) else trigger
