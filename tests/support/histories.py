"""A history of the fold in virtual time, with a dictionary as its disk."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.events import Event, Match, Now
from notifyd.model.notifications import (
    Content,
    Digest,
    MatchSummary,
    Message,
    Notification,
    Payload,
    Peer,
    Priority,
    Status,
)
from notifyd.shaping.codec import restore_state, state_entries
from notifyd.shaping.inputs import (
    Booted,
    Cancelled,
    Configured,
    Input,
    Settled,
    Submitted,
    WorkerStarted,
)
from notifyd.shaping.rules import Rules
from notifyd.shaping.state import Decision, Reply, State
from notifyd.shaping.step import step

PEER = Peer(1000, 1000, 4242)


def match(trigger: str, *group: str, line: str = "a line", wall: float = 0.0) -> Match:
    return Match(group, Event(trigger, wall, line, "/var/log/app.log"))


@dataclass
class History:
    """A daemon without sources, network and disk.

    `feed` folds events, `sleep` lets time pass, `restart` kills and restores. stored: the
    entries of the state; notifications: the outbox; counts, contents, texts: of notifications,
    by id. expires_from: monotonic times, by id. sent: times and ids of attempts. lag: seconds
    that each commit takes. render: makes texts, for tests that look at them.
    """

    rules: Rules
    now: Now = field(default_factory=lambda: Now(1000.0, 1_700_000_000.0))
    stored: dict[str, str] = field(default_factory=dict)
    notifications: dict[str, Notification] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    contents: dict[str, object] = field(default_factory=dict)
    sent: list[tuple[float, str]] = field(default_factory=list)
    attempts: list[SendAttempt] = field(default_factory=list)
    state: State = field(default_factory=State)
    rules_since: int = 0
    lag: float = 0.0
    expires_from: dict[str, float] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    render: Callable[[Notification, Content, Now], Payload] | None = None
    texts: dict[str, Payload] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, off_for: float = 0.0) -> None:
        """Lose everything that is not stored, and start again. off_for: the machine was."""
        waiting = [
            notification
            for notification in self.notifications.values()
            if notification.status.is_waiting
        ]
        self.state = restore_state(self.stored, waiting, seed="seed", now=self.now)
        self.feed(Configured(self.rules), *([Booted(off_for)] if off_for else []))
        self.start_worker()

    def start_worker(self) -> None:
        """Start a worker, which knows no attempt of an earlier one."""
        self.feed(WorkerStarted())

    def configure(self, rules: Rules) -> None:
        self.rules, self.rules_since = rules, len(self.sent)
        self.feed(Configured(rules))

    def feed(self, *events: Input) -> Decision:
        before = self.state.global_state
        decision = step(self.state, events, self.now)
        if self.render:
            for notification_id, content in decision.contents.items():
                notification = decision.notifications[notification_id]
                text = self.render(notification, content, self.now)
                decision.notifications[notification_id] = replace(notification, title=text.title)
                self.texts[notification_id] = text
        for name, text in state_entries(decision, before).items():
            if text is None:
                self.stored.pop(name, None)
            else:
                self.stored[name] = text
        for notification in decision.notifications.values():
            self._check_expiry(notification, decision.rules)
            self._write(notification, decision.contents.get(notification.id))
        self.state.adopt(decision, self.now)
        if decision.attempt:
            self.sent.append((self.now.mono, decision.attempt.id))
            self.attempts.append(decision.attempt)
        for index, reply in decision.replies.items():
            if isinstance(events[index], Submitted) and reply.notification is not None:
                self.acknowledged.add(reply.notification.id)
        self._move(self.now.mono + self.lag)
        return decision

    def _check_expiry(self, notification: Notification, rules: Rules) -> None:
        """Nothing expires before its time has elapsed, however the clock was set."""
        known = self.notifications.get(notification.id)
        if known is None and notification.status is Status.EXPIRED:
            return  # it has expired in the spool
        if known is None or not known.status.is_waiting:
            self.expires_from[notification.id] = self.now.mono + rules.expire
        if notification.status is Status.EXPIRED:
            assert self.now.mono >= self.expires_from[notification.id] - 0.001

    def _write(self, notification: Notification, content: object) -> None:
        known = self.notifications.get(notification.id)
        if known is not None and known.was_attempted:
            assert notification.was_attempted
            assert notification.status not in (Status.MERGED, Status.REPLACED, Status.CANCELLED)
            assert notification.count == known.count
            assert content is None
        self.notifications[notification.id] = notification
        match content:
            case MatchSummary():
                self.counts[notification.id] = Counter({notification.trigger: content.count})
            case Digest():
                self.counts[notification.id] = Counter(content.counts)
            case Message():
                self.counts[notification.id] = Counter({notification.trigger: 1})
        if content is not None:
            self.contents[notification.id] = content

    @property
    def in_flight(self) -> str:
        return self.state.global_state.send_state.in_flight

    def answer(self, kind: OutcomeKind = OutcomeKind.DELIVERED, **figures: float) -> None:
        """Settle the attempt that is in flight."""
        self.feed(Settled(Outcome(self.in_flight, kind, reason=kind.value, **figures)))

    def submit(self, title: str = "hi", **options: object) -> Notification:
        options = {"priority": Priority.DEFAULT, "peer": PEER} | options
        reply = self.feed(Submitted(Message(title, ""), **options)).replies[0]
        assert reply.notification is not None, reply.refusal
        return reply.notification

    def submit_if_room(self, **options: object) -> Reply:
        options = {"priority": Priority.DEFAULT, "peer": PEER} | options
        return self.feed(Submitted(Message("hi", ""), **options)).replies[0]

    def cancel(self, notification_id: str) -> Reply:
        return self.feed(Cancelled(PEER, notification_id)).replies[0]

    def sleep(self, seconds: float, wall: float | None = None) -> None:
        """Let time pass, with a step at each deadline. wall: how far the wall clock moves."""
        end = self.now.mono + seconds
        drift = (wall - seconds) if wall is not None else 0.0
        self.now = Now(self.now.mono, self.now.wall + drift)
        idle = 0
        while (due := self.state.deadline()) <= end:
            idle = 0 if due > self.now.mono else idle + 1
            assert idle < 100, "a deadline is due again and again"
            self._move(max(due, self.now.mono))
            self.feed()
        self._move(max(end, self.now.mono))  # commits may have taken longer than that

    def _move(self, mono: float) -> None:
        self.now = Now(mono, self.now.wall + mono - self.now.mono)

    def move_to(self, mono: float) -> None:
        """Let time pass up to a moment, unless that has passed."""
        self._move(max(mono, self.now.mono))

    def pause(self, seconds: float) -> None:
        """Let time pass while nothing runs."""
        self._move(self.now.mono + seconds)

    def drain(self, limit: int = 2000) -> None:
        """Deliver everything that is pending."""
        for _ in range(limit):
            while self.in_flight:
                self.answer()
            if not self.pending():
                return
            self.sleep(max(0.001, min(self.state.deadline() - self.now.mono, 1e6)))
        raise AssertionError(f"still pending: {self.pending()}")

    def pending(self) -> int:
        return (
            sum(bool(group.summary) for group in self.state.groups.values())
            + sum(bool(group.window) for group in self.state.groups.values())
            + sum(not pending.queued for pending in self.state.digests.values())
            + len(self.state.notifications)
        )

    def counted(self, *statuses: Status) -> Counter[str]:
        """Count the matches by trigger in notifications of these states; delivered by default."""
        wanted = statuses or (Status.DELIVERED,)
        total: Counter[str] = Counter()
        for notification in self.notifications.values():
            if notification.status in wanted:
                total += self.counts[notification.id]
        return total

    def below_threshold(self) -> Counter[str]:
        return Counter(
            {name: stats.below_threshold for name, stats in self.state.trigger_stats.items()}
        )

    def ended_while_muted(self) -> Counter[str]:
        return Counter(
            {name: stats.ended_while_muted for name, stats in self.state.trigger_stats.items()}
        )

    def with_rules(self, **changes: object) -> Rules:
        return replace(self.rules, **changes)
