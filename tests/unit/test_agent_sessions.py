"""Sessions of coding agents: one push for each condition, none for what was answered."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.cli.explain import format_trigger
from notifyd.model.agents import AGENTS, AgentEvent, AgentReport, AgentStatus, QuestionKind
from notifyd.model.notifications import TCP_PEER, Peer, Priority, Status
from notifyd.shaping.agents import sessions as agent_sessions
from notifyd.shaping.agents.session import MOST_QUESTIONS, SessionState, forget_waits
from notifyd.shaping.agents.sessions import MOST_SESSIONS, session_key
from notifyd.shaping.codec import latest_time, restore_state
from notifyd.shaping.group import NEVER
from notifyd.shaping.inputs import AgentEventsRefused, AgentReported, Muted, Spooled, Stalled
from notifyd.shaping.rules import AgentRules, Rules
from notifyd.shaping.spool import EXPIRED, KNOWN
from notifyd.shaping.trace import Action
from notifyd.telemetry.explain import explain_trigger
from notifyd.telemetry.own_status import own_agents_part
from support.examples import examples
from support.histories import PEER, History

DAY = 86_400.0
IGNORED, WAITING, QUEUED, WITHDRAWN = (
    AgentStatus.IGNORED,
    AgentStatus.WAITING,
    AgentStatus.QUEUED,
    AgentStatus.WITHDRAWN,
)


@pytest.fixture
def history():
    return History(Rules())


def make(event, *, session="s1", agent="claude-code", project="shop", **fields):
    return AgentReport(AgentEvent(event), agent, session, project=project, **fields)


def report(history, event, *, peer=PEER, **fields):
    reply = history.feed(AgentReported(make(event, **fields), peer)).replies[0]
    return reply.agent


def spool(history, event, age=0.0, *, number=1, life=DAY, **fields):
    time = history.now.wall - age
    reported = AgentReported(make(event, **fields), PEER)
    spooled_id = f"01a212e9-06bc-7be6-9cef-{number:012}"
    return history.feed(Spooled(spooled_id, time, time + life, reported)).replies[0]


def pushes(history):
    """The pushes that are waiting or were sent, oldest first."""
    return [
        notification.title
        for notification in sorted(history.notifications.values(), key=lambda each: each.id)
        if notification.status not in (Status.CANCELLED, Status.MERGED)
    ]


def traced(history):
    return [(entry.action, entry.detail) for entry in history.state.traces[AGENTS]]


def session(history, session_id="s1", uid=PEER.uid):
    return history.state.agent_sessions[session_key(uid, session_id)]


def keep_busy(history):
    """Let the worker wait for an answer, so that further notifications stay queued."""
    history.submit("busy", priority=Priority.URGENT)
    assert history.in_flight


def test_a_question_that_is_answered_within_the_grace_period_is_not_pushed(history):
    answer = report(history, "question", key="t1", text="Deploy?")
    assert answer.status is WAITING
    assert answer.reason == "pushed in 30s unless it is answered before"
    history.sleep(29)
    answer = report(history, "answer", key="t1")
    assert (answer.status, answer.reason) == (
        WITHDRAWN,
        "answered in the terminal; no push is needed",
    )
    history.sleep(3600)
    assert not pushes(history)
    assert traced(history)[-1] == (Action.ANSWERED, "answered in the terminal")


def test_an_answer_that_arrives_with_the_deadline_is_in_time(history):
    report(history, "question", key="t1")
    history.move_to(history.now.mono + 30)
    assert report(history, "answer", key="t1").status is WITHDRAWN
    history.sleep(60)
    assert not pushes(history)


def test_an_answer_withdraws_a_push_before_its_first_attempt(history):
    keep_busy(history)
    report(history, "question", key="t1", text="Deploy?")
    history.sleep(31)
    (push,) = [each for each in history.notifications.values() if each.trigger == AGENTS]
    assert (push.status, push.priority) == (Status.QUEUED, Priority.HIGH)
    assert report(history, "activity", key="t1").status is WITHDRAWN
    assert history.notifications[push.id].status is Status.CANCELLED
    assert traced(history)[-1] == (Action.WITHDRAWN, "answered in the terminal")


def test_an_answer_after_the_first_attempt_is_recorded_beside_the_push(history):
    report(history, "question", key="t1", text="Deploy?")
    history.sleep(31)
    push = history.in_flight
    answer = report(history, "answer", key="t1")
    assert answer.status is IGNORED
    history.answer()
    assert history.notifications[push].status is Status.DELIVERED
    last = history.state.traces[AGENTS][-1]
    assert (last.action, last.notification_id) == (Action.ANSWERED_LATE, push)


def test_an_answer_takes_a_question_back_from_the_digest_of_a_mute(history):
    history.feed(Muted(AGENTS, 3600.0))
    report(history, "question", key="t1")
    report(history, "done", session="s2", text="x")
    history.sleep(31)
    assert history.state.digests[f"mute:{AGENTS}"].digest.count == 2
    assert report(history, "answer", key="t1").status is WITHDRAWN
    assert history.state.digests[f"mute:{AGENTS}"].digest.count == 1
    assert report(history, "failed", cause="billing").status is QUEUED
    assert pushes(history) == ["shop: Claude Code stopped: billing problem"]


def test_questions_of_one_session_share_a_push(history):
    report(history, "question", key="t1", text="First?")
    history.sleep(10)
    report(history, "question", key="t2", text="Second?")
    history.sleep(21)
    assert pushes(history) == ["shop: Claude Code has a question"]
    (content,) = history.contents.values()
    assert content.body == "First?\n\nand 1 more question"
    assert report(history, "question", key="t3").status is IGNORED
    history.sleep(3600)
    assert len(pushes(history)) == 1


def test_a_question_behind_an_answered_one_waits_for_an_answer_of_its_own(history):
    report(history, "question", key="t1")
    history.sleep(31)
    history.answer()
    report(history, "question", key="t2", text="Second?")
    report(history, "answer", key="t1")
    history.sleep(29)
    assert len(pushes(history)) == 1
    history.sleep(2)
    assert len(pushes(history)) == 2


def test_a_question_long_after_a_push_that_no_event_answered_is_pushed(history):
    for _ in range(3):
        report(history, "question", text="Claude needs your permission")
        history.sleep(31)
        history.answer()
        history.sleep(120)
    assert len(pushes(history)) == 3


def test_an_answer_that_overtakes_its_question_counts(history):
    at = history.now.wall
    history.sleep(3)
    report(history, "answer", key="t1", time=at + 2)
    assert report(history, "question", key="t1", time=at + 1).status is IGNORED
    assert report(history, "question", key="t1").status is WAITING  # asked again


def test_the_same_event_of_two_agents_is_pushed_once(history):
    report(history, "done", agent="claude-code", directory="/srv/shop", text="All green.")
    history.sleep(2)
    answer = report(history, "done", agent="cursor", directory="/srv/shop", text="All green.")
    assert (answer.status, "before" in answer.reason) == (IGNORED, True)
    answer = report(
        history, "done", session="c9", agent="cursor", directory="/srv/shop", text="All green."
    )
    assert (answer.status, answer.reason) == (IGNORED, "Claude Code has reported the same event")
    other = {"session": "c8", "agent": "cursor", "text": "All green."}
    assert report(history, "done", directory="/srv/blog", **other).status is QUEUED
    history.sleep(60)
    assert report(history, "done", directory="/srv/shop", **other).status is QUEUED
    assert len(pushes(history)) == 3


def test_the_end_of_a_turn_that_another_agent_repeats_without_its_tasks_is_none(history):
    report(history, "done", background=1, text="The build runs.")
    assert report(history, "done", agent="cursor").status is IGNORED
    history.sleep(5)
    assert report(history, "done", text="All green.").status is QUEUED


def test_an_agent_that_stopped_is_not_done_as_well(history):
    assert report(history, "failed", cause="rate_limit", turn="p1").status is QUEUED
    assert report(history, "done").status is IGNORED
    history.sleep(60)
    assert report(history, "done", turn="p1").status is IGNORED
    assert report(history, "done", turn="p2").status is QUEUED


def test_a_turn_connects_two_reports_whose_texts_differ(history):
    report(history, "question", directory="/srv/shop", turn="p1", text="Deploy?")
    answer = report(
        history, "question", session="c9", directory="/srv/shop", turn="p1", text="Permission"
    )
    assert answer.status is IGNORED


def test_sessions_of_two_users_never_mix(history):
    bob = Peer(1001, 1001, 7)
    report(history, "question", key="t1", directory="/srv/shop", text="Deploy?")
    assert report(history, "answer", key="t1", peer=bob).status is IGNORED
    assert (
        report(
            history, "question", key="t1", peer=bob, directory="/srv/shop", text="Deploy?"
        ).status
        is WAITING
    )
    history.sleep(31)
    history.drain()
    owners = sorted(each.peer.uid for each in history.notifications.values())
    assert owners == [PEER.uid, bob.uid]
    shown = own_agents_part(history.state, bob.uid, history.now)["agents"]["sessions"]
    assert [each["uid"] for each in shown] == [bob.uid]
    assert not own_agents_part(history.state, 4242, history.now)


def test_what_a_subagent_reports_is_not_pushed(history):
    for event in ("prompt", "done", "failed", "ended", "activity", "answer", "question"):
        assert report(history, event, subagent=True, key="").status is IGNORED
    history.sleep(3600)
    assert not pushes(history)


def test_a_question_of_a_subagent_that_its_agent_repeats_is_answered_by_its_key(history):
    report(history, "question", subagent=True, key="t1", text="Bash: make")
    history.sleep(6)
    assert report(history, "question", kind=QuestionKind.PERMISSION).status is WAITING
    assert report(history, "activity", subagent=True, key="t1").status is WITHDRAWN
    report(history, "question", subagent=True, key="t2", text="Bash: make")
    history.sleep(6)
    report(history, "question", kind=QuestionKind.PERMISSION)
    history.sleep(31)
    assert len(pushes(history)) == 1


def test_other_subagents_at_work_do_not_answer_a_question_without_a_key(history):
    report(history, "question", kind=QuestionKind.PERMISSION, text="Bash: make")
    assert report(history, "activity", subagent=True, key="t9").status is IGNORED
    history.sleep(31)
    assert len(pushes(history)) == 1
    assert report(history, "activity", key="t8").status is IGNORED
    assert not session(history).questions


def test_an_automatic_approval_is_no_question(history):
    answer = report(history, "question", automatic=True, key="t1")
    assert (answer.status, answer.reason) == (
        IGNORED,
        "approved automatically; nobody has to answer",
    )


def test_without_a_grace_period_a_question_is_pushed_at_once():
    one = History(Rules(agents=AgentRules(grace=0.0)))
    assert report(one, "question").status is QUEUED
    assert pushes(one) == ["shop: Claude Code has a question"]


def test_a_new_prompt_withdraws_the_end_of_the_last_turn(history):
    keep_busy(history)
    assert report(history, "done", text="Ready.").status is QUEUED
    answer = report(history, "prompt")
    assert answer.status is WITHDRAWN
    assert pushes(history) == ["busy"]


def test_the_end_of_a_session_withdraws_its_question(history):
    report(history, "question")
    assert report(history, "ended").status is WITHDRAWN
    history.sleep(60)
    assert not pushes(history)
    assert session(history).state is SessionState.ENDED


def test_activity_without_a_question_stores_nothing(history):
    assert report(history, "activity").status is IGNORED
    assert not history.state.agent_sessions
    report(history, "prompt")
    before = history.stored.copy()
    history.sleep(5)
    report(history, "activity", key="t1")
    assert history.stored == before
    history.sleep(2 * 3600)
    report(history, "activity", key="t2")
    assert session(history).seen == history.now.mono


def test_activity_after_the_end_of_a_turn_makes_its_next_end_a_new_one(history):
    report(history, "done", text="Ready.")
    history.sleep(3)
    report(history, "activity")
    history.sleep(3)
    assert report(history, "done", text="Woken up.").status is QUEUED


# --- restarts, gaps and the spool


def test_the_wait_restarts_with_the_daemon(history):
    report(history, "question", key="t1")
    history.sleep(20)
    history.pause(300)
    history.restart()
    history.sleep(29)
    assert not pushes(history)
    history.sleep(2)
    assert len(pushes(history)) == 1


def test_an_answer_in_the_spool_counts_after_a_restart(history):
    report(history, "question", key="t1")
    history.pause(300)
    history.restart()
    spool(history, "activity", 200.0, key="t1")
    history.sleep(3600)
    assert not pushes(history)


def test_a_pushed_question_stays_pushed_over_a_restart(history):
    report(history, "question", key="t1")
    history.sleep(31)
    history.restart()
    history.drain()
    history.sleep(3600)
    assert len(pushes(history)) == 1


def test_the_wait_restarts_after_a_gap_and_a_stall(history):
    report(history, "question")
    history.sleep(20)
    history.now = history.now._replace(wall=history.now.wall + 3600)
    history.feed()
    history.sleep(29)
    history.feed(Stalled())
    history.sleep(29)
    assert not pushes(history)
    history.sleep(2)
    assert len(pushes(history)) == 1


def test_the_wait_restarts_when_events_were_refused(history):
    report(history, "question", key="t1")
    history.sleep(29)
    history.move_to(history.now.mono + 1)
    history.feed(AgentEventsRefused())
    assert not pushes(history)
    spool(history, "answer", 5.0, key="t1")
    history.sleep(60)
    assert not pushes(history)


def test_a_question_after_the_end_of_a_turn_begins_another(history):
    assert report(history, "done", turn="p1").status is QUEUED
    history.sleep(20)
    report(history, "question", turn="p2")
    history.sleep(20)
    assert report(history, "done", turn="p2").status is QUEUED


def test_a_daemon_that_comes_late_to_a_deadline_waits_for_queued_answers(history):
    report(history, "question", key="t1")
    history.pause(50)
    history.feed()
    assert report(history, "answer", key="t1").status is WITHDRAWN
    assert not pushes(history)


def test_a_boot_ends_the_sessions_of_this_machine(history):
    report(history, "question", key="t1")
    report(history, "question", key="t1", peer=TCP_PEER)
    history.pause(60)
    history.restart(off_for=60)
    history.sleep(31)
    (push,) = history.notifications.values()
    assert push.peer == TCP_PEER
    assert session(history).state is SessionState.ENDED


def test_a_shorter_grace_period_applies_to_what_waits():
    one = History(Rules(agents=AgentRules(grace=600.0)))
    report(one, "question")
    one.sleep(20)
    one.configure(Rules())
    one.sleep(11)
    assert len(pushes(one)) == 1


def test_events_of_the_spool_have_the_time_of_their_files(history):
    spool(history, "prompt", 1000.0, number=1)
    spool(history, "done", 400.0, number=2, text="Ready.")
    assert pushes(history) == ["shop: Claude Code is done (10m)"]
    (push,) = history.notifications.values()
    assert push.created == history.now.wall - 400.0
    assert spool(history, "done", 400.0, number=2).refusal == KNOWN


def test_a_question_of_the_spool_waits_for_an_answer_in_another_file():
    one = History(Rules(agents=AgentRules(grace=0.0)))
    spool(one, "question", 10.0, number=2, key="t1")
    one.sleep(4)
    assert not pushes(one)
    spool(one, "answer", 9.0, number=1, key="t1")
    one.sleep(60)
    assert not pushes(one)


@pytest.mark.parametrize("event", ["answer", "prompt", "done", "ended"])
def test_a_question_of_the_spool_that_was_answered_since_is_not_pushed(history, event):
    report(history, event, key="t1" if event == "answer" else "")
    before = len(pushes(history))
    answer = spool(history, "question", 60.0, key="t1").agent
    assert (answer.status, answer.reason) == (
        IGNORED,
        "answered in the terminal before the report arrived",
    )
    history.sleep(60)
    assert len(pushes(history)) == before


def test_a_question_that_comes_too_late_is_not_pushed(history):
    answer = spool(history, "question", 900.0, key="t1").agent
    assert (answer.status, answer.reason) == (IGNORED, "the report came 15m late")
    assert spool(history, "done", 100.0, number=2, life=50.0).refusal == EXPIRED


def test_an_end_that_is_older_than_a_new_prompt_is_not_pushed(history):
    report(history, "prompt")
    answer = spool(history, "done", 60.0, text="Ready.").agent
    assert answer.status is IGNORED
    assert not pushes(history)


# --- bounds


def test_the_oldest_session_of_the_busiest_user_is_forgotten_first(history, monkeypatch):
    monkeypatch.setattr(agent_sessions, "MOST_SESSIONS", 5)
    report(history, "prompt", peer=Peer(1001, 1001, 7))
    for number in range(4):
        report(history, "question" if number == 0 else "prompt", session=f"s{number}")
        history.sleep(1)
    report(history, "prompt", session="s4")
    assert sorted(history.state.agent_sessions) == [
        "1000:s0",
        "1000:s2",
        "1000:s3",
        "1000:s4",
        "1001:s1",
    ]
    assert MOST_SESSIONS == 1000


def test_a_session_that_reports_nothing_for_a_day_is_forgotten(history):
    report(history, "prompt")
    history.sleep(DAY - 100)
    assert history.state.agent_sessions
    history.sleep(2 * 3600)
    assert not history.state.agent_sessions
    assert not [name for name in history.stored if name.startswith("agent:")]


def test_questions_of_one_session_are_bounded(history):
    report(history, "question", key="own")
    for number in range(MOST_QUESTIONS + 5):
        report(history, "question", key=f"sub{number}", subagent=True)
    keys = [question.key for question in session(history).questions]
    assert (len(keys), keys[0]) == (MOST_QUESTIONS, "own")
    for number in range(MOST_QUESTIONS + 5):
        report(history, "question", key=f"t{number}")
    keys = [question.key for question in session(history).questions]
    assert (len(keys), keys[-1]) == (MOST_QUESTIONS, f"t{MOST_QUESTIONS + 4}")


def test_the_state_is_restored_as_it_was_stored(history):
    report(history, "prompt", turn="p1")
    report(history, "question", key="t1", text="Deploy?")
    stored = session(history)
    state = restore_state(history.stored, (), seed="s", now=history.now)
    (restored,) = state.agent_sessions.values()
    (question,) = restored.questions
    (before,) = stored.questions
    waits = {"waits_from": before.waits_from, "deadline": before.deadline}
    assert replace(restored, questions=(replace(question, **waits),)) == stored
    assert latest_time(state) == stored.seen


def test_explain_names_the_sessions_and_why_there_was_no_push(history):
    report(history, "prompt")
    history.sleep(5)
    report(history, "done", text="Ready.")
    report(history, "question", session="s2", project="", directory="/srv/blog")
    explained = explain_trigger(history.state, history.now, AGENTS, AGENTS)
    assert [step["did"] for step in explained["trail"]] == ["ignored", "awaiting_answer"]
    assert explained["trail"][0]["detail"] == "the turn took 5s, less than min_duration (30s)"
    assert explained["trail"][0]["group"] == ["shop", "Claude Code"]
    shown = [(each["project"], each["state"]) for each in explained["sessions"]]
    assert sorted(shown) == [("blog", "asking"), ("shop", "done")]
    text = format_trigger(explained)
    assert "[shop, Claude Code] no push (the turn took 5s, less than min_duration (30s))" in text
    assert "now: blog, claude-code: asking, pushed at 20" in text
    assert "now: shop, claude-code: done; last event at 20" in text


# --- whatever happens

events = st.one_of(
    st.tuples(
        st.just("report"),
        st.sampled_from(list(AgentEvent)),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["", "", "t1", "t2"]),
        st.sampled_from([PEER, TCP_PEER]),
        st.sampled_from(list(QuestionKind)),
        st.sampled_from([0.0, 0.0, 3.0, 50.0, 700.0]),
        st.sampled_from([0, 0, 0, 1, 2, 3]),
    ),
    st.tuples(st.just("sleep"), st.sampled_from([0.0, 1.0, 8.0, 29.0, 31.0, 700.0, 90_000.0])),
    st.tuples(st.just("clock"), st.sampled_from([-7200.0, 30.0, 7200.0])),
    st.tuples(st.just("restart"), st.sampled_from([0.0, 40.0, 3600.0]), st.booleans()),
    st.tuples(st.just("answer")),
    st.tuples(st.just("mute"), st.sampled_from([0.0, 60.0])),
    st.tuples(st.just("grace"), st.sampled_from([0.0, 5.0, 30.0])),
)


def play(history, event):
    """Play one event; returns what was reported."""
    match event:
        case ("report", kind, session_id, key, peer, question, age, flags):
            reported = make(
                kind,
                session=session_id,
                key=key,
                kind=question,
                directory="/srv/shop",
                text=session_id,
                background=int(flags == 1),
                subagent=flags == 2,
                automatic=flags == 3,
                time=history.now.wall - age,
            )
            reply = history.feed(AgentReported(reported, peer)).replies[0]
            assert reply.agent.reason
            return reported
        case ("sleep", seconds):
            history.sleep(seconds)
        case ("clock", jump):
            history.sleep(0.0, wall=jump)
        case ("restart", down, is_boot):
            history.pause(down)
            history.restart(off_for=down if is_boot else 0.0)
        case ("answer",) if history.in_flight:
            history.answer()
        case ("mute", seconds):
            history.feed(Muted(AGENTS, seconds))
        case ("grace", grace):
            history.configure(history.with_rules(agents=AgentRules(grace=grace)))
    return None


@examples(60, 3000)
@given(st.lists(events, max_size=40))
def test_no_history_of_events_pushes_too_much_or_loses_its_state(played):
    history = History(Rules())
    reasons, counted = 0, (Status.MERGED, Status.EXPIRED)  # in digests
    for event in played:
        reported = play(history, event)
        if reported is not None:
            reasons += reported.event in (AgentEvent.QUESTION, AgentEvent.DONE, AgentEvent.FAILED)
        sent = [each for each in history.notifications.values() if each.trigger == AGENTS]
        assert sum(each.count for each in sent if each.status not in counted) <= reasons
        for known in history.state.agent_sessions.values():
            assert len(known.questions) <= MOST_QUESTIONS
            for question in known.questions:
                assert not (question.is_pushed and question.deadline < NEVER)
        restored = restore_state(history.stored, (), seed="s", now=history.now)
        assert restored.agent_sessions == {
            key: forget_waits(known) for key, known in history.state.agent_sessions.items()
        }
    history.drain()
    history.sleep(100)
    assert all(
        question.deadline >= NEVER
        for known in history.state.agent_sessions.values()
        for question in known.questions
    )
