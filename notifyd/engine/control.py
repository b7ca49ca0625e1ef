"""What the local API may ask, answered from the driver and the store."""

from collections.abc import Awaitable, Callable, Mapping

from notifyd.engine.engine import Engine
from notifyd.model.errors import ConcurrentUpdateError, RefusedError
from notifyd.model.notifications import Json, Message, Notification, Peer, Priority, Status
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.inputs import Cancelled, Muted, Retried, SendingAllowed, Submitted
from notifyd.shaping.mutes import mute_end
from notifyd.shaping.state import Reply
from notifyd.telemetry.explain import explain_trigger
from notifyd.text.suggestions import did_you_mean

RETRIED_AT_ONCE = 1000
"""How many notifications one request sends again at most."""

_NOT_RETRIED = {
    "in_flight": "it is being sent at this moment: look at it again",
    "held": "it is held until its delay ends: cancel it and send it anew without one",
    "changed": "it changed at this moment: look at it again",
    "no_room": "the outbox is full: try again when some of what waits has been delivered",
}
_FINISHED = {
    Status.DELIVERED: "it was delivered: send it anew if it should arrive twice",
    Status.CANCELLED: "it was cancelled: send it anew",
    Status.REPLACED: "a later one of the same key has replaced it",
}


class ControlService:
    """Implements `api.control.Control`. status, health, metrics, reload: the app's own answers.

    kinds: the types of all triggers by name, the socket among them.
    """

    def __init__(
        self,
        driver: Engine,
        store: OutboxStore,
        *,
        kinds: Callable[[], Mapping[str, str]],
        status: Callable[[], Json],
        health: Callable[[], tuple[bool, str]],
        metrics: Callable[[], bytes],
        reload: Callable[[], Awaitable[Json]],
    ) -> None:
        self._driver, self._store, self._kinds = driver, store, kinds
        self._status, self._reload = status, reload
        self.health, self.metrics = health, metrics

    async def submit(
        self, message: Message, priority: Priority, *, key: str, delay: float, peer: Peer
    ) -> tuple[str, Status]:
        request = Submitted(message, priority, peer, key, delay)
        (reply,) = await self._driver.offer([request], refusable=True)
        if reply is None or reply.row is None:
            raise RefusedError(
                "no_room",
                "the outbox is full: try again when some of what waits has been delivered",
            )
        return reply.row.id, reply.row.status

    async def settled(self, notification_id: str, within: float) -> Json | None:
        await self._driver.ended(notification_id, within)
        known = await self._store.notification(notification_id)
        if known is None or Status(str(known["status"])).waiting:
            return None
        return None if known["status"] == Status.MERGED else known  # its digest is still to come

    async def notifications(
        self, *, uid: int | None, status: Status | None, limit: int
    ) -> list[Json]:
        return await self._store.notifications(uid=uid, status=status, limit=limit)

    async def notification(self, notification_id: str, *, uid: int | None) -> Json | None:
        known = await self._store.notification(notification_id)
        if known is None or (uid is not None and known.get("uid") != uid):
            return None
        return known

    async def cancel(self, *, notification_id: str, key: str, peer: Peer, everyone: bool) -> Json:
        wish = Cancelled(peer, notification_id, key, everyone)
        (reply,) = await self._driver.offer([wish], refusable=True)
        if reply is None or reply.row is None:
            raise await self._not_found(notification_id, peer, everyone=everyone)
        if reply.refusal:
            raise RefusedError(
                reply.refusal, "it has been tried already, so it can no longer be cancelled"
            )
        return {"id": reply.row.id, "status": reply.row.status.value}

    async def _not_found(self, notification_id: str, peer: Peer, *, everyone: bool) -> RefusedError:
        """Tell what is over from what never was, to those who may know."""
        uid = None if everyone else peer.uid
        known = await self.notification(notification_id, uid=uid) if notification_id else None
        if known is None:
            return RefusedError("not_found", "there is no such notification of yours that waits")
        return RefusedError("finished", f"it is {known['status']}: there is nothing to cancel")

    async def explain(self, trigger: str) -> list[Json]:
        names = [trigger] if trigger else list(self._kinds())
        explanations = [self._explained(self._known(name)) for name in names]
        for explanation in explanations:
            await self._add_endings(explanation["trail"])
        return explanations

    def _explained(self, trigger: str) -> Json:
        return explain_trigger(
            self._driver.state, self._driver.now(), trigger, self._kinds()[trigger]
        )

    async def _add_endings(self, trail: object) -> None:
        """Say of each notification in a trail what became of it."""
        for step in trail if isinstance(trail, list) else ():
            known = await self._store.notification(step["id"]) if "id" in step else None
            if known is not None:
                step |= {name: known[name] for name in ("status", "title", "last_error")}

    async def mute(self, trigger: str, seconds: float) -> Json:
        name = self._known(trigger) if trigger else ""
        await self._driver.offer([Muted(name, seconds)], refusable=True)
        state, wall = self._driver.state, self._driver.now().wall
        return {"trigger": name, "until": mute_end(state.rule(name), state.books.mutes, wall)}

    def _known(self, trigger: str) -> str:
        kinds = self._kinds()
        if trigger in kinds:
            return trigger
        raise RefusedError(
            "unknown_trigger", f"there is no trigger {trigger!r} here{did_you_mean(trigger, kinds)}"
        )

    async def retry(self, *, notification_id: str, peer: Peer, everyone: bool) -> Json:
        row = await self._store.row(notification_id)
        if row is None:
            raise _unknown()
        reply = (await self._retried([Retried(peer, row, everyone)]))[0]
        if reply.row is None or reply.refusal:
            raise _not_retried(reply)
        return {"id": reply.row.id, "status": reply.row.status.value}

    async def retry_all(self, *, status: Status | None, peer: Peer, everyone: bool) -> Json:
        rows: list[Notification] = []
        if status is not None:
            uid = None if everyone else peer.uid
            rows = await self._store.over(uid=uid, status=status, limit=RETRIED_AT_ONCE + 1)
        wishes = [Retried(peer, row, everyone) for row in rows[:RETRIED_AT_ONCE]]
        replies = await self._retried(wishes)
        retried = sum(reply.refusal == "" for reply in replies)
        now, state = self._driver.now(), self._driver.state
        return {
            "retried": retried,
            "more": len(rows) > retried,
            "waiting": len(state.rows),
            "paused_for": round(max(0.0, state.books.gate.pauses_until - now.mono), 1),
        }

    async def _retried(self, wishes: list[Retried]) -> list[Reply]:
        """Fold the wishes, and that a pause should end."""
        try:
            replies = await self._driver.offer([*wishes, SendingAllowed()], refusable=True)
        except ConcurrentUpdateError as error:
            raise RefusedError("changed", str(error)) from None
        return [reply for reply in replies if reply is not None]

    async def status(self) -> Json:
        return self._status()

    async def reload(self) -> Json:
        return await self._reload()


def _unknown() -> RefusedError:
    return RefusedError("not_found", "there is no such notification of yours")


def _not_retried(reply: Reply) -> RefusedError:
    if reply.refusal in _NOT_RETRIED:
        return RefusedError(reply.refusal, _NOT_RETRIED[reply.refusal])
    if reply.row is None:
        return _unknown()
    told = f"it was counted into the digest {reply.row.merged_into}, which tells it"
    return RefusedError("finished", _FINISHED.get(reply.row.status, told))
