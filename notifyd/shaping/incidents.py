"""What befell the store: told in one notification each, and shown in status for a while."""

from dataclasses import replace

from notifyd.model.notifications import Message, Priority
from notifyd.shaping.admission import admit, new_row
from notifyd.shaping.step_context import StepContext

TRIGGER = "notifyd"
"""The trigger's name of what notifyd tells of itself."""


def announce(draft: StepContext) -> None:
    """Tell what was not told yet, by this start or by the one that did not get so far."""
    for incident in draft.incidents():
        if incident.reported:
            continue
        row = replace(new_row(draft, TRIGGER, Priority.HIGH, 1), title=incident.title)
        admit(draft, row, Message(incident.title, incident.message))
        draft.put_incident(replace(incident, reported=True))


def forget_old(draft: StepContext, before: float) -> None:
    """Show no longer in status what history does not know any more. before: wall-clock."""
    for incident in draft.incidents():
        if incident.reported and incident.wall < before:
            draft.forget_incident(incident)
