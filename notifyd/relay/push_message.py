"""What a notification looks like on a phone: the message of Web Push, and its headers."""

import base64
import json
from hashlib import sha256

from notifyd.model.notifications import Json
from notifyd.relay.deliveries import Delivery
from notifyd.relay.notifications import text_of

LARGEST = 4096
"""Bytes of an encrypted message that every push service takes."""

_OVERHEAD = 103
"""Bytes that aes128gcm adds to one record: header with the key, delimiter and tag (RFC 8188)."""

_LONGEST_TITLE = 200
_LONGEST_URL = 1000
_TOPIC_LENGTH = 32
_URGENCIES = {"min": "very-low", "low": "low", "high": "high", "urgent": "high"}


def render(delivery: Delivery) -> bytes:
    """Return the message for the page's worker as JSON; a long body is cut so that it fits."""
    body = delivery.body or ""
    message: Json = {
        "title": title_of(delivery)[:_LONGEST_TITLE],
        "tag": tag_of(delivery),
        "seq": delivery.seq,
        "priority": delivery.priority,
        "url": link_of(delivery),
    }
    room = LARGEST - _OVERHEAD
    low, high = 0, len(body)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if len(_encode(message, body, middle)) <= room:
            low = middle
        else:
            high = middle - 1
    return _encode(message, body, low)


def headers(delivery: Delivery) -> dict[str, str]:
    """Return how long the push service keeps the message, how urgent it is, and what it replaces.

    Messages of one topic replace each other while the phone is away (RFC 8030).
    """
    digest = sha256(tag_of(delivery).encode()).digest()
    return {
        "TTL": str(int(delivery.seconds)),
        "Urgency": _URGENCIES.get(delivery.priority, "normal"),
        "Topic": base64.urlsafe_b64encode(digest).decode()[:_TOPIC_LENGTH],
    }


def title_of(delivery: Delivery) -> str:
    return delivery.title or delivery.token_name or delivery.workspace_id


def tag_of(delivery: Delivery) -> str:
    """Return what repeats of a notification have in common, so that they replace each other."""
    name = text_of(delivery.data, "key") or text_of(delivery.data, "notification_id")
    return f"{delivery.workspace_id}/{name or delivery.workspace_seq}"


def link_of(delivery: Delivery) -> str:
    """Return the URL that the notification opens; empty if it is none, or too long."""
    url = text_of(delivery.data, "url")
    is_link = url.startswith(("http://", "https://")) and len(url) <= _LONGEST_URL
    return url if is_link else ""


def _encode(message: Json, body: str, length: int) -> bytes:
    shown = body if length == len(body) else body[:length].rstrip() + "…"
    text = json.dumps({**message, "body": shown}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
