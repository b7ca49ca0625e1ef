"""What a batch of sends changes: each is stored and counted once, all in one transaction."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from notifyd.http.rate_limit import Rate
from notifyd.model.notifications import Json
from notifyd.relay import (
    changes,
    deliveries,
    devices,
    notifications,
    questions,
    rate_limit,
    tokens,
)
from notifyd.relay.deliveries import NewDelivery
from notifyd.relay.devices import DeviceKind, Receiver
from notifyd.relay.notifications import NewNotification
from notifyd.relay.questions import NewQuestion
from notifyd.relay.store.base import Transaction, read_clock
from notifyd.relay.tokens import Token, TokenRefusal, find_refusal

RATE = Rate(60, 60.0)
"""The platform's limit for a free workspace."""

KEY_LIFETIME = 86_400.0
"""Seconds for which an Idempotency-Key is remembered."""


class StoreLimits(NamedTuple):
    """rate: of each workspace's requests. per_workspace, total: notifications that are stored."""

    rate: Rate = RATE
    per_workspace: int = 10_000
    total: int = 20_000


class Send(NamedTuple):
    """A sender's notification.

    token: its send token in plain text. key: its Idempotency-Key. options: of the question that it
    asks, for which `within` seconds are left; none if it asks nothing.
    """

    token: str
    title: str | None
    body: str | None
    data: Json
    key: str | None = None
    options: tuple[str, ...] = ()
    within: float = 0.0


class DeliveryReport(NamedTuple):
    """How many devices it goes to. is_repeat: the same request was answered before."""

    devices: int
    is_repeat: bool = False


class OwnNotification(NamedTuple):
    """A notification of the relay itself, which no token sends."""

    workspace_id: str
    title: str
    body: str
    data: Json


class RateRefusal(NamedTuple):
    """The workspace sends too fast. wait: seconds until there is room for one more."""

    workspace_id: str
    wait: float


SendResult = DeliveryReport | TokenRefusal | RateRefusal


# --- inside a transaction of the store


async def accept(
    transaction: Transaction,
    sends: Sequence[Send],
    *,
    pages: int,
    wall: float,
    limits: StoreLimits,
    page_devices: frozenset[str] = frozenset(),
) -> list[SendResult]:
    """Store the notifications and return the result of each, in their order.

    What a workspace sent with the same key within a day is not stored again, but counts for its
    rate. What goes to a device is in `deliveries` from the same commit on. pages: how many inbox
    pages are open; each is a device, but none that a token can name. page_devices: device_ids of
    open pages with a push of their own, which are not counted twice. wall: by the relay's clock.
    """
    found = await tokens.find_all(transaction, {send.token for send in sends})
    results: list[SendResult | None] = [find_refusal(found.get(send.token)) for send in sends]
    admissible = [
        (index, send, found[send.token])
        for index, send in enumerate(sends)
        if results[index] is None
    ]
    requested = Counter(token.workspace_id for _, _, token in admissible)
    numbers, wall = await _lock_workspaces(transaction, requested, wall)
    windows = await rate_limit.load_windows(transaction, requested, limits.rate, wall)
    answers = await _load_answers(transaction, admissible, wall)
    audience = _Audience(await devices.load_receivers(transaction, wall), pages, page_devices)
    batch = _Batch(audience, numbers, answers, wall)
    for index, send, token in admissible:
        window = windows[token.workspace_id]
        if window.admit():
            results[index] = batch.store(send, token)
        else:
            results[index] = RateRefusal(token.workspace_id, window.wait)
    await rate_limit.save_windows(transaction, windows, wall)
    await tokens.record_use(transaction, batch.tokens_used, wall)
    await batch.save(transaction)
    return [result for result in results if result is not None]


async def store_own(
    transaction: Transaction, drafts: Sequence[OwnNotification], wall: float
) -> None:
    """Store notifications that the relay itself sends to the inbox, and to devices."""
    audience = _Audience(await devices.load_receivers(transaction, wall), 0, frozenset())
    handed = []
    workspace_ids = {draft.workspace_id for draft in drafts}
    numbers, _ = await _lock_workspaces(transaction, workspace_ids, wall)
    rows = []
    for draft in drafts:
        numbers[draft.workspace_id] += 1
        receivers, _ = audience.of(draft.workspace_id, draft.data)
        handed += _to_hand_over(draft.workspace_id, numbers[draft.workspace_id], receivers)
        rows.append(
            NewNotification(
                draft.workspace_id,
                numbers[draft.workspace_id],
                None,
                None,
                draft.title,
                draft.body,
                draft.data,
            )
        )
    await transaction.execute_many(
        "UPDATE workspaces SET last_seq = $2 WHERE workspace_id = $1", sorted(numbers.items())
    )
    await deliveries.insert(transaction, handed, wall)
    await notifications.insert(transaction, rows, wall)


async def prune(transaction: Transaction, wall: float, limits: StoreLimits) -> None:
    """Delete what is too old or too much."""
    wall = await read_clock(transaction, wall)
    await rate_limit.prune(transaction, limits.rate, wall)
    await transaction.execute("DELETE FROM answers WHERE answered_at <= $1", wall - KEY_LIFETIME)
    await questions.prune(transaction, wall)
    await changes.lock_order(transaction)
    await changes.purge(transaction, wall)
    await notifications.evict_each(transaction, limits.per_workspace)
    await notifications.evict(transaction, limits.total)
    await deliveries.prune(transaction)


class _Audience(NamedTuple):
    """Who may get a notification: devices and open pages, as in `accept`."""

    receivers: Sequence[Receiver]
    pages: int
    page_devices: frozenset[str]

    def of(
        self, workspace_id: str, data: Json, device_id: str | None = None
    ) -> tuple[list[Receiver], int]:
        """Return the devices that get a notification, and how many there are with open pages.

        device_id: the only one that may get it, whatever it subscribes to.
        """
        if device_id is not None:
            named = [each for each in self.receivers if each.device_id == device_id]
            awake = [each for each in named if not each.is_muted]
            return awake, len(awake)
        channel = notifications.text_of(data, "channel")
        subscribed = [
            each for each in self.receivers if each.subscription.includes(workspace_id, channel)
        ]
        awake = [each for each in subscribed if not each.is_muted]
        # An open page shows what its device subscribes to, muted or not.
        known = {each.device_id for each in self.receivers}
        shown = {each.device_id for each in subscribed} & self.page_devices
        shown |= self.page_devices - known
        return awake, self.pages + len(shown | {each.device_id for each in awake})


class _Batch:
    """The rows that a batch of sends adds."""

    def __init__(
        self,
        audience: _Audience,
        numbers: dict[str, int],
        answers: dict[tuple[str, str], int],
        wall: float,
    ) -> None:
        self.tokens_used: set[int] = set()
        self._audience = audience
        self._numbers = numbers
        self._earlier = answers
        self._wall = wall
        self._rows: list[NewNotification] = []
        self._answers: list[Sequence[object]] = []
        self._questions: list[NewQuestion] = []
        self._deliveries: list[NewDelivery] = []

    def store(self, send: Send, token: Token) -> DeliveryReport:
        """Add a notification, unless it is a repeat."""
        if token.is_use_due(self._wall):
            self.tokens_used.add(token.id)
        workspace_id, key = token.workspace_id, send.key
        if key is not None and (workspace_id, key) in self._earlier:
            return DeliveryReport(self._earlier[workspace_id, key], is_repeat=True)
        data = {**send.data, **token.routing()}
        receivers, devices_reached = self._audience.of(workspace_id, data, token.device_id)
        self._numbers[workspace_id] += 1
        self._rows.append(
            NewNotification(
                workspace_id,
                self._numbers[workspace_id],
                token.id,
                token.name,
                send.title,
                send.body,
                data,
            )
        )
        self._deliveries += _to_hand_over(workspace_id, self._numbers[workspace_id], receivers)
        if send.options and key is not None:
            number = self._numbers[workspace_id]
            self._questions.append(
                NewQuestion(workspace_id, key, number, send.options, send.within)
            )
        if key is not None:
            self._earlier[workspace_id, key] = devices_reached
            self._answers.append((workspace_id, key, devices_reached, self._wall))
        return DeliveryReport(devices_reached)

    async def save(self, transaction: Transaction) -> None:
        """Write the rows."""
        await questions.insert(transaction, self._questions, self._wall)
        await deliveries.insert(transaction, self._deliveries, self._wall)
        await transaction.execute_many(
            "INSERT INTO answers (workspace_id, idempotency_key, devices, answered_at)"
            " VALUES ($1, $2, $3, $4) ON CONFLICT (workspace_id, idempotency_key)"
            " DO UPDATE SET devices = excluded.devices, answered_at = excluded.answered_at",
            self._answers,
        )
        numbers = sorted(self._numbers.items())
        await transaction.execute_many(
            "UPDATE workspaces SET last_seq = $2 WHERE workspace_id = $1", numbers
        )
        if self._rows:
            await notifications.insert(transaction, self._rows, self._wall)


def _to_hand_over(
    workspace_id: str, workspace_seq: int, receivers: Iterable[Receiver]
) -> list[NewDelivery]:
    return [
        NewDelivery(workspace_id, workspace_seq, receiver.id)
        for receiver in receivers
        if receiver.kind is not DeviceKind.APP
    ]


async def _lock_workspaces(
    transaction: Transaction, workspace_ids: Iterable[str], wall: float
) -> tuple[dict[str, int], float]:
    """Return the last number of each workspace, and the time at which all were locked.

    No other transaction changes these numbers until the end of this one.
    """
    # In the order of their names: two relays with the same workspaces must not block each other.
    table = transaction.json_list(1)
    rows = await transaction.fetch(
        f"INSERT INTO workspaces (workspace_id, last_seq) SELECT value, 0 FROM {table} WHERE TRUE"
        " ORDER BY value ON CONFLICT (workspace_id)"
        " DO UPDATE SET last_seq = workspaces.last_seq"
        f" RETURNING workspace_id, last_seq, {transaction.clock(2)}",
        json.dumps(sorted(workspace_ids)),
        wall,
    )
    return {row[0]: row[1] for row in rows}, max((row[2] for row in rows), default=wall)


async def _load_answers(
    transaction: Transaction, sends: Iterable[tuple[int, Send, Token]], wall: float
) -> dict[tuple[str, str], int]:
    """Return the devices that were reported for each workspace and Idempotency-Key."""
    wanted = [(token.workspace_id, send.key) for _, send, token in sends if send.key is not None]
    if not wanted:
        return {}
    workspace_table, key_table = transaction.json_list(1), transaction.json_list(2)
    rows = await transaction.fetch(
        "SELECT workspace_id, idempotency_key, devices FROM answers"
        f" WHERE workspace_id IN (SELECT value FROM {workspace_table})"
        f" AND idempotency_key IN (SELECT value FROM {key_table}) AND answered_at > $3",
        json.dumps(sorted({workspace_id for workspace_id, _ in wanted})),
        json.dumps(sorted({key for _, key in wanted})),
        wall - KEY_LIFETIME,
    )
    return {(row[0], row[1]): row[2] for row in rows}
