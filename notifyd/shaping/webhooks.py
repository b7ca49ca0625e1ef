"""Deliveries of the platform's webhooks: each counts once, also after a restart."""

from notifyd.shaping.inputs import WebhookReceived
from notifyd.shaping.state import Reply, WebhookDelivery
from notifyd.shaping.step_context import StepContext

MOST_REMEMBERED = 1000
"""Deliveries that are remembered at most; those that expire first are forgotten."""

DUPLICATE = "duplicate"
"""The refusal of a delivery that was received before."""


def receive(context: StepContext, request: WebhookReceived) -> Reply:
    """Remember a delivery, or refuse a duplicate. The caller counts the matches of a new one."""
    now = context.now.mono
    known = context.webhook_deliveries()
    for key, delivery in list(known.items()):
        if delivery.until <= now:
            context.put_webhook_delivery(key, None)
            del known[key]
    if request.key in known:
        return Reply(None, DUPLICATE)
    excess = len(known) + 1 - MOST_REMEMBERED
    for key in sorted(known, key=lambda key: known[key].until)[: max(0, excess)]:
        context.put_webhook_delivery(key, None)
    context.put_webhook_delivery(request.key, WebhookDelivery(now + request.remember))
    return Reply(None)
