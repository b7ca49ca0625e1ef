"""What a batch of sends changes: each is stored and counted once, all in one transaction."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from notifyd.http.rate_limit import Rate
from notifyd.model.notifications import Json
from notifyd.relay import changes, devices, notifications, questions, rate_limit, tokens
from notifyd.relay.notifications import NewNotification
from notifyd.relay.questions import NewQuestion
from notifyd.relay.store.base import Transaction
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
    """How many devices it went to. is_repeat: the same request was answered before."""

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
    transaction: Transaction, sends: Sequence[Send], *, pages: int, wall: float, limits: StoreLimits
) -> list[SendResult]:
    """Store the notifications and return the result of each, in their order.

    What a workspace sent with the same key within a day is not stored again, but counts for its
    rate. pages: how many inbox pages are open; each is a device, but none that a token can name.
    wall: by the relay's clock.
    """
    found = await tokens.find_all(transaction, {send.token for send in sends})
    results: list[SendResult | None] = [find_refusal(found.get(send.token)) for send in sends]
    admissible = [
        (index, send, found[send.token])
        for index, send in enumerate(sends)
        if results[index] is None
    ]
    requested = Counter(token.workspace_id for _, _, token in admissible)
    numbers = await _lock_workspaces(transaction, requested)
    wall = await transaction.now(wall)
    windows = await rate_limit.load_windows(transaction, requested, limits.rate, wall)
    answers = await _load_answers(transaction, admissible, wall)
    batch = _Batch(await _count_devices(transaction, found.values(), pages), numbers, answers, wall)
    for index, send, token in admissible:
        window = windows[token.workspace_id]
        if window.admit():
            results[index] = batch.store(send, token)
        else:
            results[index] = RateRefusal(token.workspace_id, window.wait)
    await rate_limit.save_windows(transaction, windows, wall)
    await tokens.record_use(transaction, batch.tokens_used, wall)
    await batch.save(transaction, limits.per_workspace)
    return [result for result in results if result is not None]


async def store_own(
    transaction: Transaction, drafts: Sequence[OwnNotification], wall: float
) -> None:
    """Store notifications that the relay itself sends to the inbox."""
    numbers = await _lock_workspaces(transaction, {draft.workspace_id for draft in drafts})
    rows = []
    for draft in drafts:
        numbers[draft.workspace_id] += 1
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
    await notifications.insert(transaction, rows, wall)
    await transaction.execute_many(
        "UPDATE workspaces SET last_seq = $2 WHERE workspace_id = $1", sorted(numbers.items())
    )


async def prune(transaction: Transaction, wall: float, limits: StoreLimits) -> None:
    """Delete what is too old or too much."""
    wall = await transaction.now(wall)
    await rate_limit.prune(transaction, limits.rate, wall)
    await transaction.execute("DELETE FROM answers WHERE answered_at <= $1", wall - KEY_LIFETIME)
    await questions.prune(transaction, wall)
    await changes.lock_order(transaction)
    await changes.purge(transaction, wall)
    await notifications.evict(transaction, limits.total)


class _DeviceCounts(NamedTuple):
    """For each device_id that a token names, 0 or 1; under None, all devices and pages."""

    by_target: Mapping[str | None, int]

    def of(self, token: Token) -> int:
        return self.by_target.get(token.device_id, 0)


class _Batch:
    """The rows that a batch of sends adds."""

    def __init__(
        self,
        counts: _DeviceCounts,
        numbers: dict[str, int],
        answers: dict[tuple[str, str], int],
        wall: float,
    ) -> None:
        self.tokens_used: set[int] = set()
        self._counts = counts
        self._numbers = numbers
        self._earlier = answers
        self._wall = wall
        self._rows: list[NewNotification] = []
        self._answers: list[Sequence[object]] = []
        self._questions: list[NewQuestion] = []

    def store(self, send: Send, token: Token) -> DeliveryReport:
        """Add a notification, unless it is a repeat."""
        self.tokens_used.add(token.id)
        workspace_id, key = token.workspace_id, send.key
        if key is not None and (workspace_id, key) in self._earlier:
            return DeliveryReport(self._earlier[workspace_id, key], is_repeat=True)
        devices_reached = self._counts.of(token)
        self._numbers[workspace_id] += 1
        self._rows.append(
            NewNotification(
                workspace_id,
                self._numbers[workspace_id],
                token.id,
                token.name,
                send.title,
                send.body,
                {**send.data, **token.routing()},
            )
        )
        if send.options and key is not None:
            number = self._numbers[workspace_id]
            self._questions.append(
                NewQuestion(workspace_id, key, number, send.options, send.within)
            )
        if key is not None:
            self._earlier[workspace_id, key] = devices_reached
            self._answers.append((workspace_id, key, devices_reached, self._wall))
        return DeliveryReport(devices_reached)

    async def save(self, transaction: Transaction, per_workspace: int) -> None:
        """Write the rows, and evict the oldest of each workspace beyond `per_workspace`."""
        await questions.insert(transaction, self._questions, self._wall)
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
        if not self._rows:
            return
        await notifications.insert(transaction, self._rows, self._wall)
        await transaction.execute_many(
            "DELETE FROM notifications WHERE workspace_id = $1 AND workspace_seq <= $2",
            [(workspace_id, last - per_workspace) for workspace_id, last in numbers],
        )


async def _lock_workspaces(
    transaction: Transaction, workspace_ids: Iterable[str]
) -> dict[str, int]:
    """Return the last number of each workspace; no other transaction changes it until the end."""
    # In the order of their names: two relays with the same workspaces must not block each other.
    table = transaction.json_list(1)
    rows = await transaction.fetch(
        f"INSERT INTO workspaces (workspace_id, last_seq) SELECT value, 0 FROM {table} WHERE TRUE"
        " ORDER BY value ON CONFLICT (workspace_id)"
        " DO UPDATE SET last_seq = workspaces.last_seq RETURNING workspace_id, last_seq",
        json.dumps(sorted(workspace_ids)),
    )
    return {row[0]: row[1] for row in rows}


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


async def _count_devices(
    transaction: Transaction, used: Iterable[Token], pages: int
) -> _DeviceCounts:
    targets = {token.device_id for token in used if token.device_id is not None}
    counts: dict[str | None, int] = {None: await devices.count(transaction) + pages}
    if targets:
        counts |= dict.fromkeys(await devices.find_registered(transaction, targets), 1)
    return _DeviceCounts(counts)
