"""The text of a notification: rendered, redacted and cut to what a phone can show."""

from collections.abc import Mapping

import structlog

from notifyd.model.events import Now
from notifyd.model.notifications import Content, Digest, Json, Message, Notification, Payload
from notifyd.text.limits import truncate_notification
from notifyd.text.redaction import redact, redact_notification
from notifyd.triggers import Trigger, render_digest

log = structlog.get_logger()


class Renderer:
    """is_redacting: mask credentials in everything that leaves."""

    def __init__(self, triggers: Mapping[str, Trigger], *, is_redacting: bool) -> None:
        self._triggers, self._is_redacting = triggers, is_redacting

    def render(self, notification: Notification, content: Content, now: Now) -> Payload:
        """Make the payload of a notification.

        A notification is sent in any case: if rendering fails, its body says so.
        """
        try:
            return self._render(notification, content, now)
        except Exception as error:
            log.exception("cannot render a notification", trigger=notification.trigger)
            body = f"(notifyd could not render the text: {type(error).__name__})"
            return Payload(notification.id, notification.trigger, body, _metadata(notification))

    def _render(self, notification: Notification, content: Content, now: Now) -> Payload:
        data: Json = {}
        match content:
            case Message():
                title, body, data = content.title, content.body, dict(content.data)
            case Digest():
                mask = redact if self._is_redacting else str
                title, body = render_digest(content, now.wall, mask)
            case _:
                trigger = self._triggers[notification.trigger]
                title, body = trigger.render(content, now.wall)
                data = trigger.render_data(content, now.wall)
        if self._is_redacting:
            title, body, data = redact_notification(title, body, data)
        data |= _metadata(notification)
        return Payload(notification.id, *truncate_notification(title, body, data))


def _metadata(notification: Notification) -> Json:
    """Return notifyd's own entries of `data`."""
    return {
        "notification_id": notification.id,
        "trigger": notification.trigger,
        "priority": notification.priority.value,
        "count": str(notification.count),
    }
