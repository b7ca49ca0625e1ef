"""The budget: what each source may send, what is given back, and the digest of the rest."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from notifyd.model.attempts import OutcomeKind
from notifyd.model.notifications import TCP_PEER, Digest, Peer, Priority, Status
from notifyd.shaping.budget import Charge, current_charges, has_budget, source_of
from notifyd.shaping.inputs import Muted
from notifyd.shaping.rules import Budget, Limit, Rule, Rules
from support.examples import examples
from support.histories import History, match

HOUR = 3600.0


def history(*triggers, **rules):
    quick = {"debounce": 0.0, "cooldown": 0.0}
    given_rules = {"rate": Limit(1000, 1.0), "budget": Budget(2, HOUR, 4, 600.0)} | rules
    return History(Rules(triggers={name: Rule(name, **quick) for name in triggers}, **given_rules))


def charged(run):
    return [charge.source for charge in run.state.global_state.charges]


def digests(run):
    return [content for content in run.contents.values() if isinstance(content, Digest)]


def test_each_trigger_each_user_and_the_tcp_client_have_a_budget_of_their_own():
    run = history("app", "disk", budget=Budget(1, HOUR, 100))
    run.feed(match("app"), match("disk"), match("app"))
    for peer in (Peer(1000, 100, 7), Peer(0, 0, 8), TCP_PEER) * 2:
        run.submit(peer=peer)
    assert charged(run) == ["app", "disk", "socket:1000", "socket:0", "tcp"]
    assert run.state.digests["budget"].digest.counts == {"app": 1, "socket": 3}


def test_no_trigger_can_have_the_source_of_a_user():
    run = history("socket:1000")
    run.feed(match("socket:1000"))
    sent = run.submit()
    assert source_of(sent) == "socket:1000"  # a colon is in no valid trigger name


def test_the_total_holds_for_sources_with_recent_charges_only():
    run = history("app", "disk", "train")
    run.feed(*[match("app")] * 2, *[match("disk")] * 2)
    run.feed(match("train"), match("train"))
    assert charged(run) == ["app", "app", "disk", "disk", "train"]
    assert run.state.digests["budget"].digest.counts == {"train": 1}


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0.0, 40.0)), max_size=60),
    st.integers(1, 4),
    st.integers(1, 8),
)
@examples(100, 1000)
def test_a_source_is_refused_only_with_a_reason(requests, most, total):
    budget, charges, now = Budget(most, 100.0, total), (), 0.0
    for source, pause in requests:
        now += pause
        charges = current_charges(charges, budget, now)
        assert all(now - charge.at < 100.0 + 1e-6 for charge in charges)
        own = sum(charge.source == source for charge in charges)
        if has_budget(charges, budget, source):
            assert own < most
            assert own == 0 or len(charges) < total
            charges = (*charges, Charge(now, source))
        else:
            assert own == most or (own and len(charges) >= total)


def test_the_list_of_charges_is_bounded_for_any_number_of_sources():
    budget, charges = Budget(2, HOUR, 4), ()
    for number in range(5000):
        if has_budget(charges, budget, f"socket:{number}"):
            charges = (*charges, Charge(0.0, f"socket:{number}"))
    assert len(charges) == 1004


def test_charges_without_a_source_count_in_the_total_only():
    run = history("app")
    charges = tuple(Charge(run.now.mono) for _ in range(3))
    run.state.global_state = replace(run.state.global_state, charges=charges)
    run.feed(*[match("app")] * 3)
    assert charged(run) == ["", "", "", "app"]


def test_twenty_messages_with_one_key_are_one_charge():
    run = history(rate=Limit(1, HOUR))
    run.submit("first")
    for percent in range(20):
        run.submit(f"{percent} %", key="build")
    assert len(charged(run)) == 2
    assert not run.state.digests


def test_a_cancelled_message_gives_its_charge_back_unless_it_was_tried():
    run = history(rate=Limit(1, HOUR), budget=Budget(2, HOUR, 4))
    tried = run.submit("tried")
    waiting = run.submit("waiting", key="k")
    assert run.submit("over").status is Status.MERGED
    run.cancel(waiting.id)
    assert len(charged(run)) == 1
    run.cancel(tried.id)
    assert run.notifications[tried.id].status is Status.ATTEMPTING
    assert len(charged(run)) == 1
    assert run.submit("fits").status is Status.QUEUED


def test_what_a_storm_merges_gives_its_charges_back():
    run = history("app", rate=Limit(1, 60.0), budget=Budget(50, HOUR, 50))
    run.submit("in flight", priority=Priority.URGENT)
    run.feed(*[match("app")] * 30)
    assert run.state.digests["storm:app"].digest.count == 30
    assert charged(run) == []


def test_an_outbox_without_room_charges_nothing():
    run = history("app", budget=Budget(50, HOUR, 50), capacity=3)
    run.submit("in flight", priority=Priority.URGENT)
    for _ in range(20):
        run.feed(match("app"))
    waiting = [each for each in run.state.notifications.values() if each.trigger == "app"]
    assert len(waiting) == 4
    assert charged(run) == ["app"] * 3


def test_a_failed_or_expired_notification_stays_charged():
    run = history(expire=60.0)
    run.submit("fails")
    run.answer(OutcomeKind.FAILED)
    run.submit("expires")
    run.answer(OutcomeKind.RETRY, pause=500.0)
    run.sleep(100)
    assert [each.status for each in run.notifications.values()][:2] == [
        Status.FAILED,
        Status.EXPIRED,
    ]
    assert len(charged(run)) == 2


def test_a_held_message_is_charged_when_it_is_released():
    run = history()
    held = run.submit("held", delay=100.0)
    assert charged(run) == []
    run.sleep(101)
    assert charged(run) == ["socket:1000"]
    assert run.state.global_state.charges[0].notification_id == held.id


def test_digests_are_never_charged():
    run = history("app", budget=Budget(1, HOUR, 1, 60.0))
    for _ in range(10):
        run.feed(match("app"))
        run.drain()
    assert len(digests(run)) == 9
    assert charged(run) == ["app"]
    assert run.counted() == {"app": 10}


def test_an_answer_says_that_a_message_is_over_the_budget():
    run = history()
    replies = [run.submit_if_room() for _ in range(4)]
    assert [reply.over_budget for reply in replies] == [False, False, True, True]
    assert not run.submit_if_room(priority=Priority.HIGH).over_budget


def test_the_digest_takes_more_until_it_is_sent_and_then_pauses():
    run = history("app", budget=Budget(1, HOUR, 1), rate=Limit(1, 400.0))
    run.feed(*[match("app")] * 3)
    run.answer()
    run.sleep(100.0)  # the digest is in the outbox, and the rate does not let it go
    run.feed(match("app"))
    run.sleep(300.0)
    assert [digest.count for digest in digests(run)] == [3]
    run.answer()
    run.feed(match("app"))
    assert run.state.digests["budget"].due == run.sent[-1][0] + 600.0


def test_a_reload_with_a_shorter_pause_brings_the_next_digest_forward():
    run = history("app", budget=Budget(1, 4 * HOUR, 1, 2 * HOUR))
    run.feed(*[match("app")] * 2)
    run.sleep(31.0)
    run.drain()
    run.feed(match("app"))
    run.configure(run.with_rules(budget=Budget(1, 4 * HOUR, 1, 60.0)))
    assert run.state.digests["budget"].due <= run.now.mono + 120.0


def test_a_pending_digest_of_an_earlier_version_is_due_within_two_minutes():
    run = history("app")
    run.feed(*[match("app")] * 3)
    pending = run.state.digests["budget"]
    run.state.digests["budget"] = replace(pending, due=run.now.mono + HOUR, began_at=0.0)
    run.configure(run.rules)
    assert run.state.digests["budget"].due == run.now.mono + 120.0


def test_charges_and_the_pause_survive_a_restart():
    run = history("app", budget=Budget(1, HOUR, 1))
    run.feed(*[match("app")] * 2)
    run.sleep(31.0)
    run.drain()
    before = run.state.global_state
    run.restart()
    after = run.state.global_state
    assert after.charges == before.charges
    assert after.budget_digest_from == before.budget_digest_from > run.now.mono


def test_setting_the_wall_clock_gives_no_budget_and_takes_none():
    run = history()
    run.submit("one")
    run.sleep(1.0, wall=50 * HOUR)
    run.submit("two")
    run.sleep(1.0, wall=-100 * HOUR)
    assert run.submit_if_room().over_budget
    run.sleep(HOUR)
    assert not run.submit_if_room().over_budget


def test_the_digest_waits_while_all_that_it_counts_is_muted():
    run = history("app", "disk", budget=Budget(1, 4 * HOUR, 4))
    run.feed(*[match("app")] * 3)
    run.feed(Muted("", 600.0))
    assert run.state.digests["budget"].due == run.now.mono + 600.0
    run.sleep(599.0)
    assert digests(run) == []
    run.sleep(2.0)
    assert [digest.count for digest in digests(run)] == [2]


def test_the_digest_comes_soon_after_a_mute_was_ended():
    run = history("app", budget=Budget(1, 4 * HOUR, 4))
    run.feed(*[match("app")] * 3)
    run.feed(Muted("", 2 * HOUR))
    run.sleep(HOUR)
    run.feed(Muted("", 0.0))
    run.sleep(121.0)
    assert [digest.count for digest in digests(run)] == [2]


def test_the_digest_does_not_wait_for_a_mute_of_some_that_it_counts():
    run = history("app", "disk", budget=Budget(1, 4 * HOUR, 4))
    run.feed(*[match("app")] * 3, *[match("disk")] * 3)
    run.feed(Muted("app", 600.0))
    run.sleep(31.0)
    assert [digest.count for digest in digests(run)] == [4]


def test_a_stored_digest_without_counts_stops_nothing():
    history = History(Rules())
    digest = {"reason": "budget", "counts": {}, "first": 1, "last": 1, "lines": []}
    stored = {"id": "", "digest": digest, "due": 1, "placed": False, "priority": "default"}
    history.stored["digest:budget"] = json.dumps(stored | {"began": 1})
    history.restart()
    history.sleep(1200.0)
    assert not history.state.digests
