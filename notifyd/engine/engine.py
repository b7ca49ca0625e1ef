"""The engine: fold events in one step, commit the decision, and only then adopt it and reply.

There is one engine, and nothing else writes to the store. Events that arrive while a commit is
under way wait in the queue (`commit_queue.py`) and share the next commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

import structlog

from notifyd.engine.clock import Clock
from notifyd.engine.commit_queue import CommitQueue, PendingCommit, reject_fail_fast
from notifyd.model.attempts import Outcome, SendAttempt
from notifyd.model.errors import (
    ConcurrentUpdateError,
    DatabaseDamagedError,
    ShuttingDownError,
    StoreUnavailableError,
)
from notifyd.model.events import CheckpointUpdates, Now
from notifyd.model.notifications import Content, Message, Notification, Payload
from notifyd.outbox.commit import Commit
from notifyd.outbox.reconcile import RunningState
from notifyd.outbox.rows import OutboxEntry
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.admission import BUDGET_DIGEST
from notifyd.shaping.codec import all_entries, state_entries
from notifyd.shaping.inputs import (
    AgentEventsRefused,
    Booted,
    Configured,
    IncidentOccurred,
    Input,
    PingsRefused,
    Retried,
    SendingAllowed,
    Settled,
    WorkerStarted,
)
from notifyd.shaping.rules import Rules
from notifyd.shaping.state import Decision, Reply, State
from notifyd.shaping.step import step
from notifyd.telemetry.delivery_log import DeliveryReporter
from notifyd.telemetry.live_events import EventRecorder

Render = Callable[[Notification, Content, Now], Payload]

_RETRY_DELAYS = (0.5, 1.0, 2.0)
"""Seconds between attempts to commit; the last one repeats."""
_RENDERED_AT_ONCE = 50
"""Payloads rendered before other tasks get a turn."""
_TEXT_LOST = "(its text was lost when the database was damaged)"
_SHUTTING_DOWN = "notifyd is shutting down; try again when it is running"

log = structlog.get_logger()


class Engine:
    """rules: in force from the start. render: makes a notification's text; a reload replaces it."""

    def __init__(
        self, store: OutboxStore, state: State, clock: Clock, rules: Rules, render: Render
    ) -> None:
        self.state = state
        self.render = render
        self.store_error = ""
        """Why the database cannot be written; empty while commits succeed."""
        self.delivery_reporter = DeliveryReporter()
        self.event_recorder = EventRecorder()
        self.on_change: Callable[[], None] = lambda: None
        """Called after each step, and when the database fails."""
        self._store, self._clock, self._rules = store, clock, rules
        self._queue = CommitQueue()
        self._batch: list[PendingCommit] = []
        self._wakeup = asyncio.Event()
        self._attempts: asyncio.Queue[SendAttempt] = asyncio.Queue()
        self._waiters: dict[str, list[asyncio.Future[Notification]]] = {}
        self._adopted = asyncio.Event()
        self._turned = asyncio.Event()
        self._is_repairing = False
        self._refused: set[PingsRefused | AgentEventsRefused] = set()
        self._stopping = self._stopped = False

    async def apply(
        self,
        events: Sequence[Input],
        checkpoints: CheckpointUpdates | None = None,
        *,
        rereadable: bool = False,
        fail_fast: bool = False,
    ) -> list[Reply | None]:
        """Fold events and commit the result; return one reply per event once it is on disk.

        While the database cannot be written this waits, or with `fail_fast` raises
        StoreUnavailableError. rereadable: the source can read the events again after a crash, so
        they are committed in bulk, behind all others.
        """
        if self._stopped:
            raise ShuttingDownError(_SHUTTING_DOWN)
        if fail_fast and self.store_error:
            raise StoreUnavailableError(self.store_error)
        pending = PendingCommit(events, checkpoints or {}, fail_fast)
        self._queue.put(pending, rereadable=rereadable)
        self._wakeup.set()
        return await pending.committed

    async def run(self) -> None:
        """Fold and commit until `stop`; what is queued by then is still committed."""
        # The rules come first: what became due while the daemon was down must follow them.
        first: list[Input] = [Configured(self._rules)]
        if self._clock.off_for:
            first.append(Booted(self._clock.off_for))
        self._batch = [PendingCommit(first, {}, fail_fast=False)]
        try:
            await self._commit_batch()
            while batch := await self._next_batch():
                self._batch = batch
                await self._commit_batch()
        finally:
            self._stopped = True
            for pending in self._batch:
                pending.fail(ShuttingDownError(_SHUTTING_DOWN))
            self._queue.close(_SHUTTING_DOWN)

    def note_refused_ping(self, heartbeat: str) -> None:
        """Restart the wait of a heartbeat with the next commit: one of its pings was not stored."""
        if heartbeat in self.state.heartbeats:
            self._refused.add(PingsRefused(frozenset({heartbeat})))

    def note_refused_agent_event(self) -> None:
        """Restart the waits of agents' questions with the next commit: an answer may be missing."""
        self._refused.add(AgentEventsRefused())

    def now(self) -> Now:
        return self._clock.now()

    @property
    def machine_off_for(self) -> float:
        """Seconds for which the machine was off before this start; 0 if it was not booted."""
        return self._clock.off_for

    def stop(self) -> None:
        self._stopping = True
        self._wakeup.set()

    async def wait_turn(self) -> None:
        """Return after the next turn of the loop of `run`; never if that hangs.

        Waiting for work, a commit and a failed attempt to commit count. A repair of the database
        may take long, so it is no hang.
        """
        self._turned.clear()
        self._wakeup.set()
        if not self._is_repairing:
            await self._turned.wait()

    async def _next_batch(self) -> list[PendingCommit] | None:
        """Wait for queued events or a deadline of the state; None once stopped."""
        while True:
            self._turned.set()
            if self._queue:
                return self._queue.take_batch()
            if self._stopping:
                return None
            now = self._clock.now()
            wait = self.state.deadline() - now.mono
            if wait <= 0:
                return [PendingCommit((), {}, fail_fast=False)]
            self._wakeup.clear()
            try:
                async with asyncio.timeout(None if wait == inf else wait):
                    await self._wakeup.wait()
            except TimeoutError:
                continue

    async def _commit_batch(self) -> None:
        """Fold the current batch and commit the decision, retrying until that succeeds."""
        failures = 0
        while True:
            batch = self._batch
            now = self._clock.now()
            refused = frozenset(self._refused)
            events = [event for each in batch for event in each.events] + list(refused)
            decision = step(self.state, events, now)
            commit = await self._commit_of(decision, batch, now)
            try:
                if not commit.is_empty or self.store_error or self._store.is_file_gone():
                    await self._store.commit(commit)
            except ConcurrentUpdateError as error:
                self._batch = _without_conflict(batch, error)
                continue
            except DatabaseDamagedError:
                self._batch = await self._repair(batch)
                continue
            except StoreUnavailableError as error:
                self._batch = self._store_failed(batch, error)
                await asyncio.sleep(_RETRY_DELAYS[min(failures, len(_RETRY_DELAYS) - 1)])
                failures += 1
                self._turned.set()
                continue
            self._store_recovered()
            self.event_recorder.record(
                self.state, decision, events, commit.outbox_entries, now.wall
            )
            self.state.adopt(decision, now)
            self._refused -= refused
            self.delivery_reporter.report_sending(decision.global_state.send_state, now.mono)
            self.delivery_reporter.report_budget(decision.digests.get(BUDGET_DIGEST), now)
            self._adopted.set()
            self.on_change()
            self._reply(batch, decision)
            self._queue_incidents()
            return

    async def _commit_of(self, decision: Decision, batch: list[PendingCommit], now: Now) -> Commit:
        return Commit(
            state_entries=state_entries(decision, self.state.global_state),
            checkpoints={key: value for each in batch for key, value in each.checkpoints.items()},
            outbox_entries=await self._render_all(decision, now),
            clock=self._clock.serialize(now),
            wall=now.wall,
            prune_before=decision.forget_before,
            retried=decision.retried,
        )

    async def _repair(self, batch: list[PendingCommit]) -> list[PendingCommit]:
        """Repair the damaged database and write over it what this process has acknowledged."""
        running = RunningState(
            all_entries(self.state), self.state.notifications, self._render_lost_text
        )
        self._is_repairing = True
        self._turned.set()
        try:
            await self._store.repair(running)
        except StoreUnavailableError as error:
            batch = self._store_failed(batch, error)
            await asyncio.sleep(_RETRY_DELAYS[-1])
        finally:
            self._is_repairing = False
        return batch

    def _render_lost_text(self, notification: Notification) -> Payload:
        message = Message(notification.title or notification.trigger, _TEXT_LOST)
        return self.render(notification, message, self._clock.now())

    def _queue_incidents(self) -> None:
        for incident in self._store.take_incidents():
            self._queue.put(PendingCommit([IncidentOccurred(incident)], {}, fail_fast=False))

    async def maintain(self) -> None:
        """Commit if the database file or the clock changed.

        A commit restores a database that was deleted or replaced, and recomputes wall-clock
        deadlines after the clock was set. While commits follow each other this has nothing to do.
        """
        if self._store.is_file_gone() or self.state.has_clock_jumped(self._clock.now()):
            await self.apply([])

    def _store_failed(
        self, batch: list[PendingCommit], error: StoreUnavailableError
    ) -> list[PendingCommit]:
        """Fail the commits whose callers can ask again; return those that are to be retried."""
        if self.store_error != str(error):
            self.store_error = str(error)
            log.error(
                "database writes fail; requests are refused and sources wait", reason=str(error)
            )
            self.on_change()
        self._queue.reject_fail_fast(self.store_error)
        return reject_fail_fast(batch, self.store_error)

    def _store_recovered(self) -> None:
        if self.store_error:
            log.info("database writes recovered")
            self.store_error = ""

    async def _render_all(self, decision: Decision, now: Now) -> list[OutboxEntry]:
        """Render the new payloads; a notification keeps its title, by which digests name it."""
        entries: list[OutboxEntry] = []
        for notification in list(decision.notifications.values()):
            content = decision.contents.get(notification.id)
            payload = None
            if content is not None:
                if len(entries) % _RENDERED_AT_ONCE == _RENDERED_AT_ONCE - 1:
                    await asyncio.sleep(0)
                payload = self.render(notification, content, now)
                if payload.title != notification.title:
                    titled = replace(notification, title=payload.title)
                    decision.notifications[notification.id] = notification = titled  # noqa: PLW2901
            entries.append(OutboxEntry(notification, payload))
        return entries

    def _reply(self, batch: list[PendingCommit], decision: Decision) -> None:
        """Resolve everything that waited for this commit, and hand over the next attempt."""
        index = 0
        for pending in batch:
            numbers = range(index, index + len(pending.events))
            index += len(pending.events)
            if not pending.committed.done():
                pending.committed.set_result([decision.replies.get(number) for number in numbers])
        for notification in decision.notifications.values():
            if not notification.status.is_waiting:
                for waiter in self._waiters.pop(notification.id, ()):
                    if not waiter.done():
                        waiter.set_result(notification)
        if any(isinstance(event, WorkerStarted) for each in batch for event in each.events):
            self._attempts = asyncio.Queue()  # the state gives the earlier worker's attempts again
        if decision.attempt:
            self.delivery_reporter.attempts += 1
            self._attempts.put_nowait(decision.attempt)

    async def wait_finished(self, notification_id: str, within: float) -> Notification | None:
        """Wait until a notification is finished; None if it was already, or after `within` s."""
        if notification_id not in self.state.notifications:
            return None
        waiter: asyncio.Future[Notification] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(notification_id, []).append(waiter)
        try:
            async with asyncio.timeout(within):
                return await waiter
        except TimeoutError:
            return None
        finally:
            if waiters := self._waiters.get(notification_id):
                waiters.remove(waiter)

    async def wait_idle(self) -> None:
        """Wait until no request is in flight."""
        while self.state.global_state.send_state.in_flight:
            self._adopted.clear()
            await self._adopted.wait()

    # `delivery.worker.DeliveryQueue`

    async def start_worker(self) -> None:
        """Announce a new worker, which waits for its first attempt; call before `next_attempt`."""
        await self.apply([WorkerStarted()])

    async def next_attempt(self) -> SendAttempt:
        return await self._attempts.get()

    async def payload(self, notification_id: str) -> Payload:
        return await self._store.payload(notification_id)

    async def report(self, outcome: Outcome) -> None:
        await self.apply([Settled(outcome)])
        self.delivery_reporter.record(outcome, self._clock.now().mono)

    async def token_changed(self) -> None:
        await self.apply([SendingAllowed()])


def _without_conflict(
    batch: list[PendingCommit], error: ConcurrentUpdateError
) -> list[PendingCommit]:
    """Fail the commits that relied on a stale notification; return the others."""
    kept = []
    for pending in batch:
        retried = [event.notification for event in pending.events if isinstance(event, Retried)]
        expected = error.notification_id, error.attempts
        if all((each.id, each.attempts) != expected for each in retried):
            kept.append(pending)
        else:
            pending.fail(error)
    return kept
