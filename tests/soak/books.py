"""The reckoning: what was written and sent against what the API has seen. Times are monotonic."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from email.utils import parsedate_to_datetime
from itertools import pairwise

from notifyd.model.notifications import SOCKET
from notifyd.triggers.default_text import TIMES
from support.platform import Received

_COUNTED = re.compile(rf"^(\d+) {TIMES} (\w+)$", re.MULTILINE)
_TRIGGERS = {"messages": SOCKET}
"""What digests call a trigger by another name than it has."""
_SAME = 0.7
"""Seconds within which an answer may have been lost by a kill: it was not on disk yet."""


def messages(received: Iterable[Received]) -> dict[str, dict]:
    """Collect what was delivered, by id; whatever came under one id must always be the same."""
    texts: dict[str, dict] = {}
    for request in received:
        assert request.json["data"]["notification_id"] == request.id
        assert texts.setdefault(request.id, request.json) == request.json
    return {request.id: request.json for request in received if request.succeeded}


def told(delivered: dict[str, dict]) -> Counter[str]:
    """Add the counts up by trigger; a digest of several names them in its body."""
    total: Counter[str] = Counter()
    for message in delivered.values():
        data = message["data"]
        counts = Counter({data["trigger"]: int(data["count"])})
        if not data["trigger"]:
            found = _COUNTED.findall(message["body"])
            counts = Counter({_TRIGGERS.get(name, name): int(count) for count, name in found})
        assert counts.total() == int(data["count"]), message
        total += counts
    return total


def doubled(delivered: dict[str, dict], triggers: Iterable[str]) -> list[str]:
    """Find the numbered titles of these triggers that came under more than one id."""
    titles = Counter(
        (message["data"]["trigger"], message["title"])
        for message in delivered.values()
        if message["data"]["trigger"] in triggers and " more " not in message["title"]
    )
    return [f"{trigger}: {title}" for (trigger, title), times in titles.items() if times > 1]


def missing(acknowledged: Iterable[str], delivered: dict[str, dict], ask: Callable) -> list[dict]:
    """Find the acknowledged requests that were neither delivered nor counted into a digest."""
    lost = []
    for notification_id in acknowledged:
        row = {"id": notification_id}
        name = notification_id
        while name not in delivered:
            (row,) = ask("GET", f"/v1/notifications/{name}")["notifications"]
            if row["status"] != "merged":
                break
            name = row["merged_into"]
        if name not in delivered and row.get("status") != "replaced":
            lost.append(row)
    return lost


def crowded(received: list[Received], most: int, per: float) -> list[float]:
    """Find the windows, by their lengths, in which more than `most` requests came."""
    times = [request.time for request in received]
    spans = (after - first for first, after in zip(times, times[most:], strict=False))
    return [span for span in spans if span < per]


def hurried(received: list[Received], kills: list[float], full: list[tuple[float, float]]) -> list:
    """Find requests that came before the time that the API had asked for with the last answer.

    An answer that could not be stored before a kill is not known any more.
    """
    found = []
    for asked, after in pairwise(received):
        seconds = _asked(asked)
        known = asked.time + _SAME
        for since, until in full:
            if since - _SAME <= asked.time <= until:
                known = until + _SAME + 2.0  # a failed commit is tried again after that
        if any(asked.time <= kill <= known for kill in kills):
            continue
        if after.time < asked.time + seconds:
            found.append((seconds, after.time - asked.time))
    return found


def _asked(request: Received) -> float:
    text = request.reply.headers.get("Retry-After", "")
    if not text or text.isdigit():
        return float(text or 0)
    return max(0.0, parsedate_to_datetime(text).timestamp() - request.wall - 0.01)


def stubborn(
    received: list[Received], revoked: list[tuple[float, float, str]], nudges: list[float]
) -> list[int]:
    """Find how often each revoked token was used beyond what it takes to learn of it."""
    found = []
    for since, _, token in revoked:
        used = [request.time for request in received if request.token == token]
        late = sum(time > since for time in used)
        # once to learn of it, once more for whatever made the daemon try again, with some slack
        # for the one that is under way
        until = max(used, default=since) + 1.0
        allowed = 1 + sum(since - 1.0 <= nudge <= until for nudge in nudges)
        if late > allowed:
            found.append(late - allowed)
    return found
