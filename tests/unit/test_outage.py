"""A day without the API, and what the phone receives after it."""

import random

from notifyd.model.attempts import OutcomeKind
from notifyd.model.events import Now
from notifyd.model.notifications import Digest, Status
from notifyd.shaping.rules import Rule, Rules
from support.histories import History, match

DAY = 86_400.0
MATCHES = 100_000


def test_a_day_without_the_api_and_100_000_matches_make_few_notifications_with_exact_counts():
    names = [f"app{number}" for number in range(5)]
    rules = Rules(triggers={name: Rule(name) for name in names})
    run = History(rules, now=Now(1000.0, 1_700_000_000.0))
    rng = random.Random(7)
    began, fed = run.now.mono, 0
    while fed < MATCHES:
        while run.in_flight:
            run.answer(
                OutcomeKind.RETRY,
                pause=min(300.0, 2.0**run.state.global_state.send_state.consecutive_failures),
            )
        number = min(MATCHES - fed, 100 + rng.randrange(50))
        run.feed(*[match(rng.choice(names), line=f"line {fed + n}") for n in range(number)])
        fed += number
        run.sleep(DAY * number / MATCHES)
    assert run.now.mono - began >= 0.99 * DAY
    run.drain()
    arrived = [
        notification
        for notification in run.notifications.values()
        if notification.status is Status.DELIVERED
    ]
    assert sum(run.counted().values()) == MATCHES
    assert len(arrived) <= 20
    assert any(
        isinstance(run.contents[notification.id], Digest) for notification in arrived
    )  # of what expired
