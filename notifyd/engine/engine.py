"""The driver: events in, one step, one commit, and only then the new state and the answers.

There is one of it, and nothing else writes to the store. What is offered, in two
lanes (`offers.py`), while a commit is under way is committed together by the next one.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

import structlog

from notifyd.engine.clock import Clock
from notifyd.engine.commit_queue import CommitQueue, PendingCommit, refused
from notifyd.model.attempts import Outcome, SendAttempt
from notifyd.model.errors import ConcurrentUpdateError, DamagedError, StoreUnavailableError
from notifyd.model.events import CheckpointUpdates, Now
from notifyd.model.notifications import Content, Message, Notification, Payload
from notifyd.outbox.commit import Commit
from notifyd.outbox.queries import Entry
from notifyd.outbox.reconcile import RunningState
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import all_entries, state_entries
from notifyd.shaping.inputs import (
    Configured,
    Happened,
    Input,
    Retried,
    SendingAllowed,
    Settled,
    WorkerStarted,
)
from notifyd.shaping.rules import Rules
from notifyd.shaping.state import Decision, Reply, State
from notifyd.shaping.step import step
from notifyd.telemetry.delivery_log import DeliveryReporter

Render = Callable[[Notification, Content, Now], Payload]

_RETRY = (0.5, 1.0, 2.0)
"""Seconds between attempts to commit; the last goes on."""
_TEXTS = 50
"""So many texts are made before others have their turn."""
_LOST = "(its text was lost when the database was damaged)"
_ENDING = "notifyd is ending: send it again when it runs"

log = structlog.get_logger()


class Engine:
    """rules: those to start with. render: makes a row's text; replaced at a reload."""

    def __init__(
        self, store: OutboxStore, state: State, clock: Clock, rules: Rules, render: Render
    ) -> None:
        self.state = state
        self.render = render
        self.trouble = ""
        """Why nothing can be stored at the moment; empty when all is well."""
        self.herald = DeliveryReporter()
        self._store, self._clock, self._rules = store, clock, rules
        self._lanes = CommitQueue()
        self._current: list[PendingCommit] = []
        self._wake = asyncio.Event()
        self._orders: asyncio.Queue[SendAttempt] = asyncio.Queue()
        self._watchers: dict[str, list[asyncio.Future[Notification]]] = {}
        self._adopted = asyncio.Event()
        self._stopping = self._ended = False

    async def offer(
        self,
        inputs: Sequence[Input],
        positions: CheckpointUpdates | None = None,
        *,
        rereadable: bool = False,
        refusable: bool = False,
    ) -> list[Reply | None]:
        """Fold events; returns, once they are on disk, what each of them is answered.

        Raises StoreUnavailableError for a refusable offer while nothing can be stored.
        """
        if self._ended:
            raise StoreUnavailableError(_ENDING)
        if refusable and self.trouble:
            raise StoreUnavailableError(self.trouble)
        offer = PendingCommit(inputs, positions or {}, refusable)
        self._lanes.put(offer, rereadable=rereadable)
        self._wake.set()
        return await offer.committed

    async def run(self) -> None:
        """Fold and commit until `stop`; what was offered by then is committed still."""
        # First of all, for what became due meanwhile must not be told by other rules.
        self._current = [PendingCommit([Configured(self._rules)], {}, refusable=False)]
        try:
            await self._commit()
            while offers := await self._next():
                self._current = offers
                await self._commit()
        finally:
            self._ended = True
            for offer in self._current:
                offer.refuse(StoreUnavailableError(_ENDING))
            self._lanes.end(_ENDING)

    def now(self) -> Now:
        return self._clock.now()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _next(self) -> list[PendingCommit] | None:
        """Wait for offers or a deadline; none at all when it is time to end."""
        while not self._lanes:
            if self._stopping:
                return None
            now = self._clock.now()
            wait = self.state.deadline() - now.mono
            if wait <= 0:
                return [PendingCommit((), {}, refusable=False)]
            self._wake.clear()
            try:
                async with asyncio.timeout(None if wait == inf else wait):
                    await self._wake.wait()
            except TimeoutError:
                continue
        return self._lanes.take()

    async def _commit(self) -> None:
        """Fold the current offers and store that, however often it must be tried."""
        attempt = 0
        while True:
            offers = self._current
            now = self._clock.now()
            inputs = [event for offer in offers for event in offer.inputs]
            decision = step(self.state, inputs, now)
            entries = await self._entries(decision, now)
            positions = {key: value for offer in offers for key, value in offer.positions.items()}
            changes = state_entries(decision, self.state.books)
            commit = Commit(
                changes,
                positions,
                entries,
                self._clock.saved(now),
                now.wall,
                decision.forget,
                decision.revived,
            )
            needed = bool(changes or positions or entries or decision.forget is not None)
            try:
                if needed or self.trouble or self._store.lost():
                    await self._store.commit(commit)
            except ConcurrentUpdateError as error:
                self._current = _without(offers, error)
                continue
            except DamagedError:
                self._current = await self._mend(offers)
                continue
            except StoreUnavailableError as error:
                self._current = self._refused(offers, error)
                await asyncio.sleep(_RETRY[min(attempt, len(_RETRY) - 1)])
                attempt += 1
                continue
            self._recovered()
            self.state.adopt(decision, now)
            self.herald.sending(decision.books.gate, now.mono)
            self._adopted.set()
            self._answer(offers, decision)
            self._tell_incidents()
            return

    async def _mend(self, offers: list[PendingCommit]) -> list[PendingCommit]:
        """Have the database salvaged; what is known here was acknowledged and goes over that."""
        known = RunningState(all_entries(self.state), self.state.rows, self._without_text)
        try:
            await self._store.mend(known)
        except StoreUnavailableError as worse:
            offers = self._refused(offers, worse)
            await asyncio.sleep(_RETRY[-1])
        return offers

    def _without_text(self, row: Notification) -> Payload:
        return self.render(row, Message(row.title or row.trigger, _LOST), self._clock.now())

    def _tell_incidents(self) -> None:
        for incident in self._store.incidents():
            self._lanes.put(PendingCommit([Happened(incident)], {}, refusable=False))

    async def look_around(self, every: float) -> None:
        """See every so many seconds, until cancelled, to what wakes nobody.

        The database may have been taken away, the wall clock set. While commits come, each of them
        sees to that; this is for the quiet hours.
        """
        while True:
            await asyncio.sleep(every)
            if self._store.lost() or self.state.clock_moved(self._clock.now()):
                await self.offer([])

    def _refused(
        self, offers: list[PendingCommit], error: StoreUnavailableError
    ) -> list[PendingCommit]:
        if self.trouble != str(error):
            self.trouble = str(error)
            log.error(
                "nothing can be stored: sources wait, requests are refused", reason=str(error)
            )
        self._lanes.refuse(self.trouble)
        return refused(offers, self.trouble)

    def _recovered(self) -> None:
        if self.trouble:
            log.info("storing works again")
            self.trouble = ""

    async def _entries(self, decision: Decision, now: Now) -> list[Entry]:
        """Make the texts; a row learns its title from them, for digests to name it by."""
        entries: list[Entry] = []
        for row in list(decision.rows.values()):
            content = decision.contents.get(row.id)
            parcel = None
            if content is not None:
                if len(entries) % _TEXTS == _TEXTS - 1:
                    await asyncio.sleep(0)
                parcel = self.render(row, content, now)
                row = decision.rows[row.id] = replace(row, title=parcel.title)  # noqa: PLW2901
            entries.append(Entry(row, parcel))
        return entries

    def _answer(self, offers: list[PendingCommit], decision: Decision) -> None:
        index = 0
        for offer in offers:
            answers = [decision.replies.get(index + number) for number in range(len(offer.inputs))]
            index += len(offer.inputs)
            if not offer.committed.done():
                offer.committed.set_result(answers)
        for row in decision.rows.values():
            if not row.status.waiting:
                for watcher in self._watchers.pop(row.id, ()):
                    if not watcher.done():
                        watcher.set_result(row)
        if any(isinstance(event, WorkerStarted) for offer in offers for event in offer.inputs):
            self._orders = asyncio.Queue()  # what an earlier worker did not take is given anew
        if decision.order:
            self.herald.attempts += 1
            self._orders.put_nowait(decision.order)

    async def ended(self, notification_id: str, within: float) -> Notification | None:
        """Wait until a notification waits no longer; None if that is not so in time (seconds)."""
        if notification_id not in self.state.rows:
            return None
        watcher: asyncio.Future[Notification] = asyncio.get_running_loop().create_future()
        self._watchers.setdefault(notification_id, []).append(watcher)
        try:
            async with asyncio.timeout(within):
                return await watcher
        except TimeoutError:
            return None
        finally:
            if left := self._watchers.get(notification_id):
                left.remove(watcher)

    async def idle(self) -> None:
        """Wait until nothing is being sent."""
        while self.state.books.gate.in_flight:
            self._adopted.clear()
            await self._adopted.wait()

    # what delivery sees

    async def next_order(self) -> SendAttempt:
        return await self._orders.get()

    async def start_worker(self) -> None:
        """Tell that a new worker waits for its first order; call it before `next_order`."""
        await self.offer([WorkerStarted()])

    async def parcel(self, notification_id: str) -> Payload:
        return await self._store.parcel(notification_id)

    async def report(self, outcome: Outcome) -> None:
        await self.offer([Settled(outcome)])
        self.herald.settled(outcome, self._clock.now().mono)

    async def token_changed(self) -> None:
        await self.offer([SendingAllowed()])


def _without(offers: list[PendingCommit], error: ConcurrentUpdateError) -> list[PendingCommit]:
    """Refuse the offers that relied on a row as it no longer is; the others are folded anew."""
    kept = []
    for offer in offers:
        wishes = [event.row for event in offer.inputs if isinstance(event, Retried)]
        if all((row.id, row.attempts) != error.row for row in wishes):
            kept.append(offer)
        else:
            offer.refuse(error)
    return kept
