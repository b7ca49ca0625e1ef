"""A delivery counts once, and what is remembered of deliveries is bounded."""

from notifyd.model.events import Event, Match, Now
from notifyd.shaping.codec import all_entries, restore_state
from notifyd.shaping.inputs import Configured, WebhookReceived
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.state import State
from notifyd.shaping.step import step
from notifyd.shaping.webhooks import DUPLICATE, MOST_REMEMBERED

RULES = Rules(triggers={"t": Rule("t", debounce=0.0, cooldown=0.0)})


class World:
    """The fold with one trigger, on a clock that a test sets."""

    def __init__(self) -> None:
        self.state = State()
        self.fold(Configured(RULES), at=0.0)

    def fold(self, *inputs: object, at: float):
        now = Now(at, 1_700_000_000.0 + at)
        decision = step(self.state, inputs, now)
        self.state.adopt(decision, now)
        return decision

    def receive(self, key: str, at: float, remember: float = 600.0) -> tuple[str, int]:
        """Return the refusal and the number of new notifications."""
        matches = (Match((), Event("t", 1.0, "workload.failed: x")),)
        decision = self.fold(WebhookReceived(key, remember, matches), at=at)
        return decision.replies[0].refusal, len(decision.contents)

    def restart(self, at: float) -> None:
        entries = {name: text for name, text in all_entries(self.state).items() if text}
        waiting = list(self.state.notifications.values())
        self.state = restore_state(entries, waiting, seed="s", now=Now(at, 1_700_000_000.0 + at))
        self.fold(Configured(RULES), at=at)


def test_a_repeated_delivery_counts_once_also_after_a_restart() -> None:
    world = World()
    assert world.receive("a", 10.0) == ("", 1)
    assert world.receive("a", 20.0) == (DUPLICATE, 0)
    assert world.receive("b", 20.0) == ("", 1)
    world.restart(30.0)
    assert world.receive("a", 609.0) == (DUPLICATE, 0)
    assert world.receive("a", 610.0) == ("", 1)


def test_two_deliveries_in_one_commit_are_told_apart() -> None:
    world = World()
    request = WebhookReceived("a", 600.0, (Match((), Event("t", 1.0, "e")),))
    decision = world.fold(request, request, at=1.0)
    assert [decision.replies[index].refusal for index in (0, 1)] == ["", DUPLICATE]
    assert len(decision.contents) == 1


def test_an_event_that_no_trigger_waits_for_is_accepted() -> None:
    world = World()
    decision = world.fold(WebhookReceived("a", 600.0, ()), at=1.0)
    assert (decision.replies[0].refusal, decision.contents) == ("", {})


def test_the_deliveries_that_expire_first_are_forgotten_beyond_the_limit() -> None:
    world = World()
    for number in range(MOST_REMEMBERED + 10):
        world.fold(WebhookReceived(str(number), 600.0, ()), at=number / 100)
    assert len(world.state.webhook_deliveries) == MOST_REMEMBERED
    assert world.receive("0", 20.0)[0] == ""
    assert world.receive(str(MOST_REMEMBERED), 20.0)[0] == DUPLICATE


def test_expired_deliveries_are_deleted_from_the_state() -> None:
    world = World()
    for number in range(5):
        world.receive(str(number), 1.0)
    decision = world.fold(WebhookReceived("new", 600.0, ()), at=700.0)
    assert [key for key, value in decision.webhook_deliveries.items() if value is None] == list(
        "01234"
    )
    assert list(world.state.webhook_deliveries) == ["new"]
