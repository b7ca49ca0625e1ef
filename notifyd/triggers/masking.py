"""Takes credentials out of what was counted, before any of it is cut or put together."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from notifyd.model.notifications import MatchSummary

_CUT = "…"


def masked(summary: MatchSummary, redact: Callable[[str], str]) -> MatchSummary:
    """Redact each text by itself: a credential that is cut, or ends a line, is hard to know later.

    Of a line that was cut, the cut may go through any field: each counts as cut.
    """
    mask = cache(redact)  # the same line is often the first, the last and the only one
    event = summary.event
    end = _CUT if _CUT in event.line[-8:] else ""
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
