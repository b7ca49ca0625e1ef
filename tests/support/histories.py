"""Runs the fold through a history in virtual time, on a disk that is a dictionary."""

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
from notifyd.shaping.inputs import Configured, Input, Settled, Submitted, WorkerStarted
from notifyd.shaping.rules import Rules
from notifyd.shaping.state import Decision, Reply, State
from notifyd.shaping.step import step

PEER = Peer(1000, 1000, 4242)


def match(trigger: str, *group: str, line: str = "a line", wall: float = 0.0) -> Match:
    return Match(group, Event(trigger, wall, line, "/var/log/app.log"))


@dataclass
class History:
    """A daemon without its edges: `sleep` moves time, `feed` folds, `restart` kills and restores.

    lag: how long each commit takes. render: makes the texts, where they matter.
    """

    rules: Rules
    now: Now = field(default_factory=lambda: Now(1000.0, 1_700_000_000.0))
    stored: dict[str, str] = field(default_factory=dict)
    rows: dict[str, Notification] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    contents: dict[str, object] = field(default_factory=dict)
    sent: list[tuple[float, str]] = field(default_factory=list)
    orders: list[SendAttempt] = field(default_factory=list)
    state: State = field(default_factory=State)
    rules_since: int = 0
    lag: float = 0.0
    acknowledged: set[str] = field(default_factory=set)
    render: Callable[[Notification, Content, Now], Payload] | None = None
    texts: dict[str, Payload] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Lose all that is not on disk, and come back."""
        waiting = [row for row in self.rows.values() if row.status.is_waiting]
        self.state = restore_state(self.stored, waiting, seed="seed", now=self.now)
        self.feed(Configured(self.rules))
        self.start_worker()

    def start_worker(self) -> None:
        """Begin with a worker that knows nothing of what another one was given."""
        self.feed(WorkerStarted())

    def configure(self, rules: Rules) -> None:
        self.rules, self.rules_since = rules, len(self.sent)
        self.feed(Configured(rules))

    def feed(self, *events: Input) -> Decision:
        before = self.state.global_state
        decision = step(self.state, events, self.now)
        if self.render:
            for known, content in decision.contents.items():
                text = self.render(decision.notifications[known], content, self.now)
                decision.notifications[known] = replace(
                    decision.notifications[known], title=text.title
                )
                self.texts[known] = text
        for name, text in state_entries(decision, before).items():
            if text is None:
                self.stored.pop(name, None)
            else:
                self.stored[name] = text
        for row in decision.notifications.values():
            self._write(row, decision.contents.get(row.id))
        self.state.adopt(decision, self.now)
        if decision.attempt:
            self.sent.append((self.now.mono, decision.attempt.id))
            self.orders.append(decision.attempt)
        for index, reply in decision.replies.items():
            if isinstance(events[index], Submitted) and reply.notification is not None:
                self.acknowledged.add(reply.notification.id)
        self._move(self.now.mono + self.lag)
        return decision

    def _write(self, row: Notification, content: object) -> None:
        known = self.rows.get(row.id)
        if known is not None and known.was_attempted:
            assert row.was_attempted
            assert row.status not in (Status.MERGED, Status.REPLACED, Status.CANCELLED)
            assert row.count == known.count
            assert content is None
        self.rows[row.id] = row
        match content:
            case MatchSummary():
                self.counts[row.id] = Counter({row.trigger: content.count})
            case Digest():
                self.counts[row.id] = Counter(content.counts)
            case Message():
                self.counts[row.id] = Counter({row.trigger: 1})
        if content is not None:
            self.contents[row.id] = content

    @property
    def in_flight(self) -> str:
        return self.state.global_state.send_state.in_flight

    def answer(self, verdict: OutcomeKind = OutcomeKind.DELIVERED, **figures: float) -> None:
        """Let the attempt that is under way end so."""
        self.feed(Settled(Outcome(self.in_flight, verdict, reason=verdict.value, **figures)))

    def submit(self, title: str = "hi", **wish: object) -> Notification:
        options = {"priority": Priority.DEFAULT, "peer": PEER} | wish
        reply = self.feed(Submitted(Message(title, ""), **options)).replies[0]
        assert reply.notification is not None, reply.refusal
        return reply.notification

    def submit_if_room(self, **wish: object) -> Reply:
        options = {"priority": Priority.DEFAULT, "peer": PEER} | wish
        return self.feed(Submitted(Message("hi", ""), **options)).replies[0]

    def sleep(self, seconds: float, wall: float | None = None) -> None:
        """Pass time, deadline by deadline; wall: how much the wall clock moves, if not alike."""
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
        """Pass time up to this moment, if it is to come."""
        self._move(max(mono, self.now.mono))

    def pause(self, seconds: float) -> None:
        """Pass time while nothing runs."""
        self._move(self.now.mono + seconds)

    def drain(self, limit: int = 2000) -> None:
        """Let everything that is pending be told and delivered."""
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
            + sum(not held.queued for held in self.state.digests.values())
            + len(self.state.notifications)
        )

    def told(self, *statuses: Status) -> Counter[str]:
        """Count the matches by trigger in the notifications that ended so."""
        wanted = statuses or (Status.DELIVERED,)
        total: Counter[str] = Counter()
        for row in self.rows.values():
            if row.status in wanted:
                total += self.counts[row.id]
        return total

    def below(self) -> Counter[str]:
        return Counter(
            {name: ledger.below_threshold for name, ledger in self.state.trigger_stats.items()}
        )

    def quiet(self) -> Counter[str]:
        return Counter(
            {name: ledger.ended_while_muted for name, ledger in self.state.trigger_stats.items()}
        )

    def with_rules(self, **changes: object) -> Rules:
        return replace(self.rules, **changes)
