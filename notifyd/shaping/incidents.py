"""What befell the store: told in one notification each, and shown in status for a while."""

from dataclasses import replace

from notifyd.model.notifications import Message, Priority
from notifyd.shaping.admission import admit, new_notification
from notifyd.shaping.step_context import StepContext

TRIGGER = "notifyd"
"""The trigger's name of what notifyd tells of itself."""


def report_incidents(context: StepContext) -> None:
    """Tell what was not told yet, by this start or by the one that did not get so far."""
    for incident in context.incidents():
        if incident.reported:
            continue
        notification = replace(
            new_notification(context, TRIGGER, Priority.HIGH, 1), title=incident.title
        )
        admit(context, notification, Message(incident.title, incident.message))
        context.put_incident(replace(incident, reported=True))


def prune_incidents(context: StepContext, before: float) -> None:
    """Show no longer in status what history does not know any more. before: wall-clock."""
    for incident in context.incidents():
        if incident.reported and incident.wall < before:
            context.forget_incident(incident)
