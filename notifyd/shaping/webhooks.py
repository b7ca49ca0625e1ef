"""Deliveries of the platform's webhooks: each counts once, also after a restart."""

from notifyd.shaping.inputs import WebhookReceived
from notifyd.shaping.state import RememberedDelivery, Reply
from notifyd.shaping.step_context import StepContext

MOST_REMEMBERED = 1000
"""Deliveries that are remembered, at most; then the ones that expire first are forgotten."""

DUPLICATE = "duplicate"
"""The refusal of a delivery that was received before."""


def receive(context: StepContext, request: WebhookReceived) -> Reply:
    """Remember a delivery, or refuse one that is remembered; its matches are counted after it."""
    now = context.now.mono
    known = context.deliveries()
    for key, delivery in list(known.items()):
        if delivery.until <= now:
            context.put_delivery(key, None)
            del known[key]
    if request.key in known:
        return Reply(None, DUPLICATE)
    excess = len(known) + 1 - MOST_REMEMBERED
    for key in sorted(known, key=lambda key: known[key].until)[: max(0, excess)]:
        context.put_delivery(key, None)
    context.put_delivery(request.key, RememberedDelivery(now + request.remember))
    return Reply(None)
