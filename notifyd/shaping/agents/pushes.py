"""Notifications about coding agents, and what `explain` and the answers to hooks say of them."""

from dataclasses import dataclass, replace

from notifyd.model.agents import AGENTS, AgentAnswer, AgentReport, AgentStatus
from notifyd.model.notifications import Message, Notification, Peer, Priority, Status
from notifyd.shaping.admission import admit, new_notification
from notifyd.shaping.agents.session import AgentSession, is_same_event
from notifyd.shaping.agents.text import agent_name, place_of
from notifyd.shaping.mutes import hold_back, mute_digest, retract_match
from notifyd.shaping.requests import withdraw
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action

ASKING = "waiting for an answer in the terminal"


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event on its way in. made: monotonic time at which the hook ran. key: of its session."""

    report: AgentReport
    peer: Peer
    made: float
    key: str
    spooled: bool


def push(
    context: StepContext,
    session: AgentSession,
    message: Message,
    priority: Priority,
    incoming: Incoming | None = None,
) -> tuple[Notification, AgentAnswer]:
    """Queue a notification unless a mute or the budget holds it back.

    incoming: the event that it reports; none for a question that has waited.
    """
    peer = incoming.peer if incoming else Peer(session.uid, -1, -1)
    notification = replace(
        new_notification(context, AGENTS, priority, 1), peer=peer, title=message.title
    )
    if incoming:
        age = context.now.mono - incoming.made
        notification = replace(notification, created=context.now.wall - age)
    if muted := hold_back(context, notification, message):
        reason = "muted; counted in one digest when the mute ends"
        return muted, AgentAnswer(AgentStatus.QUEUED, reason)
    admitted = admit(context, notification, message)
    if admitted.status is Status.MERGED:
        reason = "over the budget, or no room; counted in the next digest"
        return admitted, AgentAnswer(AgentStatus.QUEUED, reason)
    return admitted, AgentAnswer(AgentStatus.QUEUED, f"pushed as {message.title!r}")


def withdraw_push(
    context: StepContext, session: AgentSession, notification_id: str, title: str, how: str
) -> bool:
    """Withdraw a push that was not attempted yet; False if it is too late for that."""
    notification = context.notification(notification_id)
    if notification is None:
        saved = _retract_muted(context, title)
    elif saved := not notification.was_attempted:
        withdraw(context, notification, Status.CANCELLED)
    action = Action.WITHDRAWN if saved else Action.ANSWERED_LATE
    if saved:
        context.add_stats(AGENTS, reason=how)
    trace(context, session, action, title, notification_id=notification_id, detail=how)
    return saved


def _retract_muted(context: StepContext, title: str) -> bool:
    """Take a question back from the digest of a mute; False if it is not in there."""
    pending = mute_digest(context, AGENTS)
    if pending is None or pending.queued or title not in pending.digest.lines:
        return False
    retract_match(context, AGENTS, title)
    return True


def duplicate_of(context: StepContext, incoming: Incoming) -> str:
    """Return which other session has reported the same event; empty if none has."""
    for key, other in context.agent_sessions():
        if key == incoming.key or other.uid != incoming.peer.uid:
            continue
        if is_same_event(other, incoming.report, incoming.made):
            return f"{agent_name(other.agent)} has reported the same event"
    return ""


def lasting_reason(answer: AgentAnswer) -> str:
    """Return a reason that stays true while time passes."""
    return ASKING if answer.status is AgentStatus.WAITING else answer.reason


def not_pushed(context: StepContext, reason: str) -> AgentAnswer:
    context.add_stats(AGENTS, reason=reason)
    return ignored(reason)


def ignored(reason: str) -> AgentAnswer:
    return AgentAnswer(AgentStatus.IGNORED, reason)


def withdrawn(reason: str) -> AgentAnswer:
    return AgentAnswer(AgentStatus.WITHDRAWN, reason)


def trace(
    context: StepContext,
    session: AgentSession,
    action: Action,
    line: str,
    *,
    until: float = 0.0,
    notification_id: str = "",
    detail: str = "",
) -> None:
    group = tuple(filter(None, (place_of(session), agent_name(session.agent))))
    context.trace(
        AGENTS,
        action,
        1,
        line=line,
        group=group,
        until=until,
        notification_id=notification_id,
        detail=detail,
    )
