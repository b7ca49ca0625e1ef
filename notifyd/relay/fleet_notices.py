"""What the relay says about missing workspaces: one by one, or of many at once. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay.sends import OwnNotification

SOURCE = "fleet"
"""Source of these notifications, and the workspace of those about many."""

MOST_SINGLE = 3
"""Workspaces of which each gets a notification of its own; of more, all share one."""

_NAMES_SHOWN = 20
_SAME_DAY = 20 * 3600.0


class NoticeBatch(NamedTuple):
    """since: for each workspace that there is something to say about, since when.

    told: how many are known to be missing already, told_since: since when. total: all that count.
    """

    since: Mapping[str, float]
    told: int
    total: int
    told_since: float | None = None

    @property
    def is_mass(self) -> bool:
        return len(self.since) > MOST_SINGLE

    @property
    def is_small_fleet(self) -> bool:
        """Whether there are so few workspaces that there can be no mass loss."""
        return self.total <= MOST_SINGLE


def missing_notices(batch: NoticeBatch, wall: float) -> list[OwnNotification]:
    """Return the notifications about workspaces that are missing."""
    if not batch.is_mass:
        return [
            OwnNotification(
                workspace_id,
                f"{workspace_id} is missing since {_time(since, wall)}",
                "The workspace has sent no report since then, and announced neither a stop nor an"
                " update.",
                _data("failure", "high"),
            )
            for workspace_id, since in batch.since.items()
        ]
    number = len(batch.since) + batch.told
    since = min([*batch.since.values(), *([] if batch.told_since is None else [batch.told_since])])
    title = f"{number:,} of {batch.total:,} workspaces missing since {_time(since, wall)}"
    return [OwnNotification(SOURCE, title, _list(batch.since), _data("failure", "urgent", number))]


def back_notices(batch: NoticeBatch, missing_since: Mapping[str, float]) -> list[OwnNotification]:
    """Return the notifications about workspaces that report again."""
    if not batch.is_mass:
        return [
            OwnNotification(
                workspace_id,
                f"{workspace_id} is back" + _after(since, missing_since.get(workspace_id)),
                "",
                _data("recovered", "default"),
            )
            for workspace_id, since in batch.since.items()
        ]
    number = len(batch.since)
    rest = f"; {batch.told:,} still missing" if batch.told else ""
    title = f"{number:,} workspaces are back{rest}"
    return [
        OwnNotification(SOURCE, title, _list(batch.since), _data("recovered", "default", number))
    ]


def _data(outcome: str, priority: str, count: int = 1) -> Json:
    return {"trigger": SOURCE, "outcome": outcome, "priority": priority, "count": str(count)}


def _list(workspace_ids: Iterable[str]) -> str:
    names = list(workspace_ids)
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f", and {more:,} more" if more > 0 else "")


def _time(since: float, wall: float) -> str:
    """Format a time in the relay's own time zone, with the date if that is another."""
    at = datetime.fromtimestamp(since).astimezone()
    return at.strftime("%H:%M %Z" if wall - since < _SAME_DAY else "%d %b %H:%M %Z")


def _after(since: float, missing_since: float | None) -> str:
    if missing_since is None:
        return ""
    minutes = round((since - missing_since) / 60)
    return f" after {minutes} min" if minutes < 120 else f" after {round(minutes / 60)} h"  # noqa: PLR2004 - 2 h
