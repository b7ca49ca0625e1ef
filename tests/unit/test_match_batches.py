"""Matches of one step are counted together, with the same result as one after the other."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from notifyd.shaping.codec import restore_state
from notifyd.shaping.inputs import Configured, SendingAllowed
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from support.examples import examples
from support.histories import History, match

PLENTY = {"rate": Limit(100_000, 60.0), "budget": Budget(100_000, 3600.0, 100_000)}
RULES = st.builds(
    Rule,
    st.just("app"),
    threshold=st.sampled_from([1, 1, 2, 3, 30]),
    window=st.just(10.0),
    debounce=st.sampled_from([0.0, 2.0]),
    cooldown=st.sampled_from([0.0, 5.0]),
    max_groups=st.sampled_from([2, 1000]),
)
MEMBERS = st.tuples(st.sampled_from("aab"), st.sampled_from(["success", "success", "failure"]))
GROUPS = st.lists(MEMBERS, max_size=60)
SLEEPS = st.sampled_from([0.0, 0.5, 3.0, 11.0])


def without_worker(rule):
    """Nothing is sent, so that later matches can join each notification."""
    history = History(Rules(triggers={"app": rule}, **PLENTY))
    history.state = restore_state({}, (), seed="seed", now=history.now)
    history.feed(Configured(history.rules))
    return history


def snapshot(history):
    """List the state without ids, traces and reasons, which depend on the order of groups."""
    state = history.state
    groups = {
        key: replace(group, open_id=bool(group.open_id)) for key, group in state.groups.items()
    }
    notifications = [
        repr(
            (
                notification.group,
                notification.count,
                notification.status,
                notification.created,
                history.contents[notification.id],
            )
        )
        for notification in state.notifications.values()
    ]
    statistics = [replace(stats, reason="") for stats in state.trigger_stats.values()]
    return groups, statistics, sorted(notifications)


@examples(40, 1000)
@given(RULES, st.booleans(), st.lists(st.tuples(SLEEPS, GROUPS), min_size=1, max_size=6))
def test_a_batch_has_the_same_result_as_its_matches_one_by_one(rule, has_outcomes, bursts):
    at_once, one_by_one = without_worker(rule), without_worker(rule)
    number = 0
    for pause, names in bursts:
        for history in (at_once, one_by_one):
            history.sleep(pause)
        burst = []
        for name, outcome in names:
            number += 1
            event = match("app", name, line=f"line {number}", wall=float(number))
            path = f"/var/log/{number % 25}.log"
            facts = {"outcome": outcome} if has_outcomes else {}
            burst.append(event._replace(event=event.event._replace(path=path, facts=facts)))
        at_once.feed(*burst)
        one_by_one.feed(*[each for event in burst for each in (event, SendingAllowed())])
        assert snapshot(at_once) == snapshot(one_by_one)


def test_matches_with_their_own_notifications_keep_their_order_between_groups():
    run = without_worker(Rule("app", debounce=0.0, cooldown=0.0))
    run.feed(*[match("app", name) for name in "abab"])
    assert [notification.group[-3] for notification in run.state.notifications.values()] == [
        *"abab"
    ]
