"""Whatever happens in whatever order, each match is counted exactly once."""

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from notifyd.model.attempts import OutcomeKind
from notifyd.model.events import AlertState
from notifyd.model.notifications import Peer, Priority, Status
from notifyd.model.persistence import AT_ONCE, Persistence
from notifyd.model.time_windows import TimeWindow
from notifyd.shaping.admission import DIGEST_PREFIX
from notifyd.shaping.inputs import Cancelled, Configured, Muted, Retried, SendingAllowed
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from notifyd.shaping.state import TriggerStats
from notifyd.shaping.step import step
from support.examples import examples
from support.histories import PEER, History, match

HALF_HOURS = TimeWindow("h", tuple((hour * 60, hour * 60 + 30) for hour in range(24)), zone="UTC")

durations = st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0, 60.0, 300.0])

persistences = st.sampled_from(
    [AT_ONCE, AT_ONCE, Persistence(times=2), Persistence(seconds=30.0), Persistence(400.0, 3)]
)

shapes = st.builds(
    Rule,
    trigger=st.just(""),
    identity=st.sampled_from(["a", "b"]),
    priority=st.sampled_from(list(Priority)),
    max_groups=st.integers(1, 3),
    threshold=st.sampled_from([1, 1, 2, 5]),
    window=durations.filter(bool),
    debounce=durations,
    max_wait=st.just(300.0),
    cooldown=durations,
    cooldown_max=st.sampled_from([0.0, 60.0, 900.0]),
    mute=st.sampled_from([(), (), (HALF_HOURS,)]),
    has_conditions=st.booleans(),
    repeat=st.sampled_from([(), (30.0,), (60.0, 600.0)]),
    resolve=st.booleans(),
    begin_after=persistences,
    end_after=persistences,
)


@st.composite
def rulebooks(draw):
    names = draw(st.sets(st.sampled_from(["app", "disk", "train"]), min_size=1))
    triggers = {}
    for name in sorted(names):
        shape = draw(shapes)
        triggers[name] = Rule(name, *[getattr(shape, f) for f in Rule.__slots__[1:]])
    return Rules(
        triggers=triggers,
        rate=Limit(draw(st.integers(1, 5)), draw(st.sampled_from([1.0, 60.0]))),
        budget=Budget(
            draw(st.integers(1, 3)),
            draw(st.sampled_from([10.0, 3600.0])),
            draw(st.integers(1, 5)),
            draw(st.sampled_from([1.0, 600.0])),
        ),
        expire=draw(st.sampled_from([5.0, 100.0, 86400.0])),
        digest=draw(st.booleans()),
        capacity=draw(st.sampled_from([3, 10, 10_000])),
    )


outcomes = st.sampled_from(["", "", "success", "warning", "failure", "critical"])

actions = st.one_of(
    st.tuples(
        st.just("match"),
        st.sampled_from(["app", "disk", "train"]),
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(1, 8),
        outcomes,
    ),
    st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.3, 1.0, 3.0, 60.0, 400.0, 7200.0])),
    st.tuples(st.just("clock"), st.sampled_from([-7200.0, -1.0, 30.0, 7200.0])),
    st.tuples(st.just("restart"), st.sampled_from([0.0, 1.0, 3600.0])),
    st.tuples(st.just("answer"), st.sampled_from(list(OutcomeKind))),
    st.tuples(st.just("lost commit")),
    st.tuples(
        st.just("submit"),
        st.sampled_from(["", "k"]),
        st.sampled_from([0.0, 10.0]),
        st.sampled_from([PEER, Peer(0, 0, 1)]),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("retry"), st.integers(0, 20)),
    st.tuples(st.just("worker restarts")),
    st.tuples(st.just("allow")),
    st.tuples(
        st.just("condition"),
        st.sampled_from(["app", "disk", "train"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([AlertState.FIRING, AlertState.RESOLVED]),
        outcomes,
    ),
    st.tuples(
        st.just("mute"),
        st.sampled_from(["", "app", "socket"]),
        st.sampled_from([0.0, 30.0, 4000.0]),
    ),
    st.tuples(st.just("reload"), rulebooks()),
)


def matches(history, trigger):
    return history.state.trigger_stats.get(trigger, TriggerStats()).matches


def condition(trigger, group, alert_state):
    plain = match(trigger, group)
    return plain._replace(event=plain.event._replace(alert_state=alert_state))


def with_outcome(match, outcome):
    facts = {"outcome": outcome} if outcome else {}
    return match._replace(event=match.event._replace(facts=facts))


def play(history, action, fed, reports):  # noqa: C901, PLR0912 - one `match` over the actions
    match action:
        case ("match", trigger, group, number, outcome):
            history.feed(*[with_outcome(match(trigger, group), outcome)] * number)
            fed[trigger] += number
        case ("sleep", seconds):
            history.sleep(seconds)
        case ("clock", jump):
            history.sleep(0.0, wall=jump)
        case ("restart", down):
            history.pause(down)
            history.restart()
        case ("answer", kind):
            if history.in_flight:
                history.answer(kind, pause=1.0, own_pause=5.0)
        case ("lost commit",):
            step(history.state, [match("app", "a")] * 3, history.now)
            history.sleep(1.0)
            history.feed(*[match("app", "a")] * 3)
            fed["app"] += 3
        case ("cancel", number):
            waiting = sorted(history.state.notifications)
            if waiting:
                request = Cancelled(PEER, id=waiting[number % len(waiting)])
                history.feed(request)
        case ("retry", number):
            # not expired ones: a digest has counted them
            over = (Status.FAILED, Status.NO_DEVICE)
            if ended := [
                notification
                for notification in history.notifications.values()
                if notification.status in over
            ]:
                history.feed(Retried(PEER, ended[number % len(ended)], is_admin=True))
        case ("worker restarts",):
            history.start_worker()
        case ("submit", key, delay, peer):
            history.submit_if_room(key=key, delay=delay, peer=peer)
        case ("condition", trigger, group, alert_state, outcome):
            history.feed(with_outcome(condition(trigger, group, alert_state), outcome))
            reports[trigger] += 1
        case ("mute", trigger, seconds):
            history.feed(Muted(trigger, seconds))
        case ("allow",):
            history.feed(SendingAllowed())
        case ("reload", rules):
            history.configure(rules)


@examples(120, 2000)
@given(rulebooks(), st.lists(actions, max_size=30), st.sampled_from([0.0, 0.7]))
def test_every_match_and_every_request_is_in_exactly_one_count(rules, history_of_actions, lag):
    history, fed, reports = History(rules, lag=lag), Counter(), Counter()
    for action in history_of_actions:
        play(history, action, fed, reports)
        assert_charges(history)
    over = {
        name: replace(rule, has_conditions=False, repeat=())
        for name, rule in history.rules.triggers.items()
    }
    history.feed(Configured(replace(history.rules, triggers=over)))  # reminders would never end
    history.drain()
    counted = history.counted(Status.DELIVERED, Status.FAILED, Status.NO_DEVICE)
    withdrawn = history.counted(Status.CANCELLED, Status.REPLACED)
    assert counted.pop("socket", 0) + withdrawn["socket"] == len(history.acknowledged)
    total = Counter({name: matches(history, name) for name in fed | reports})
    assert counted + history.below_threshold() + history.ended_while_muted() == +total
    for name, count in total.items():
        # a report of a state counts at once, when it is confirmed, or not if it changes nothing
        assert fed[name] <= count <= fed[name] + reports[name]
    assert_rate(history)


def assert_charges(history):
    """Each charge is of one notification that was queued and not withdrawn before an attempt."""
    charges = history.state.global_state.charges
    assert len({charge.notification_id for charge in charges}) == len(charges)
    assert list(charges) == sorted(charges, key=lambda charge: charge.at)
    for charge in charges:
        notification = history.notifications[charge.notification_id]
        assert notification.priority.rank <= Priority.DEFAULT.rank
        assert not notification.group.startswith(DIGEST_PREFIX)
        withdrawn = (Status.HELD, Status.CANCELLED, Status.REPLACED, Status.MERGED)
        assert notification.was_attempted or notification.status not in withdrawn


def assert_rate(history):
    times = [at for at, _ in history.sent]
    # a reload may change the rate: it holds for what was sent since
    limit = history.rules.rate
    recent = times[history.rules_since :]
    for first, after in zip(recent, recent[limit.max :], strict=False):
        assert after - first >= limit.per
