"""The requests of the local API, answered from the engine and the store."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from notifyd.api.control import Acceptance, SpooledMessage, SpooledRequest, Webhook
from notifyd.api.event_log import EventLog
from notifyd.engine.clock import boot_time
from notifyd.engine.engine import Engine
from notifyd.model.agents import AGENTS, AgentAnswer, AgentReport, AgentStatus
from notifyd.model.errors import (
    ConcurrentUpdateError,
    RequestRefusedError,
    StoreUnavailableError,
)
from notifyd.model.events import Event, Match
from notifyd.model.notifications import SOCKET, Json, Message, Notification, Peer, Priority, Status
from notifyd.model.pings import Ping
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.inputs import (
    AgentReported,
    Cancelled,
    Muted,
    Pinged,
    Retried,
    SendingAllowed,
    Spooled,
    SpoolFilesRemoved,
    Submitted,
    WebhookReceived,
)
from notifyd.shaping.mutes import mute_end
from notifyd.shaping.spool import KNOWN
from notifyd.shaping.state import Reply
from notifyd.telemetry.explain import explain_trigger
from notifyd.text.suggestions import did_you_mean

MAX_RETRIED = 1000
"""Notifications that one request sends again, at most."""

_HOURS = 24
"""The time over which figures per hour are averaged."""
_OUTBOX_FULL = "the outbox is full: try again when some notifications have been delivered"
_NOT_RETRIED = {
    "in_flight": "it is being sent right now: check again in a moment",
    "held": "it is held until its delay ends: cancel it and send it again without a delay",
    "changed": "it has just changed: check again",
    "no_room": _OUTBOX_FULL,
}
_FINISHED = {
    Status.DELIVERED: "it was delivered: send a new one if it should arrive twice",
    Status.CANCELLED: "it was cancelled: send a new one",
    Status.REPLACED: "a later notification with the same key replaced it",
}


class DaemonOperations(Protocol):
    """What the service asks of the daemon as a whole."""

    def trigger_types(self) -> Mapping[str, str]:
        """Return the type of every trigger by name, the socket's included."""
        ...

    def webhook_matches(self, event: Event, name: str) -> tuple[Match, ...]:
        """Return a match for each trigger that waits for this event."""
        ...

    def sample(self, trigger: str) -> tuple[Message, Priority]:
        """Return what a trigger would send for a sample event, and its priority."""
        ...

    def unfinished_bytes(self, trigger: str) -> int:
        """Return how long the longest last line of a trigger's logs is that has no newline."""
        ...

    def status(self, per_hour: Mapping[str, float]) -> Json:
        """Return the status. per_hour: notifications of each trigger; quiet ones are left out."""
        ...

    def own_status(self, uid: int) -> Json:
        """Return what a user who is not an admin sees of the status."""
        ...

    def health(self) -> tuple[bool, str]: ...

    def metrics(self, uid: int | None) -> bytes: ...

    async def reload(self) -> Json: ...


class ControlService:
    """Implements `api.control.Control`."""

    def __init__(self, engine: Engine, store: OutboxStore, daemon: DaemonOperations) -> None:
        self._engine, self._store, self._daemon = engine, store, daemon

    async def submit(
        self, message: Message, priority: Priority, *, key: str, delay: float, peer: Peer
    ) -> Acceptance:
        return await self._submit(Submitted(message, priority, peer, key, delay))

    async def _submit(self, request: Submitted) -> Acceptance:
        (reply,) = await self._engine.apply([request], fail_fast=True)
        if reply is None or reply.notification is None:
            raise RequestRefusedError("no_room", _OUTBOX_FULL)
        notification, now = reply.notification, self._engine.now()
        left = notification.expires - self._engine.state.global_state.expiry_offset - now.mono
        return Acceptance(
            notification.id, notification.status, reply.over_budget, expires=now.wall + left
        )

    async def test_trigger(self, trigger: str, peer: Peer) -> Acceptance:
        name = self._known(trigger)
        if name == SOCKET:
            raise RequestRefusedError("unknown_trigger", "socket stands for what programs send")
        if name == AGENTS:
            raise RequestRefusedError("unknown_trigger", "agents stands for what hooks report")
        message, priority = self._daemon.sample(name)
        return await self._submit(Submitted(message, priority, peer, trigger=name))

    async def wait_for_outcome(self, notification_id: str, within: float) -> Json | None:
        await self._engine.wait_finished(notification_id, within)
        found = await self._store.describe(notification_id)
        if found is None or Status(str(found["status"])).is_waiting:
            return None
        # A merged notification is not finished for its sender: its digest is still to be sent.
        return None if found["status"] == Status.MERGED else found

    async def notifications(
        self, *, uid: int | None, status: Status | None, limit: int, trigger: str, since: float
    ) -> list[Json]:
        created = self._engine.now().wall - since if since else None
        return await self._store.describe_newest(
            uid=uid, status=status, limit=limit, trigger=trigger or None, created=created
        )

    async def notification(self, notification_id: str, *, uid: int | None) -> Json | None:
        found = await self._store.describe(notification_id)
        if found is None or (uid is not None and found.get("uid") != uid):
            return None
        return found

    async def cancel(self, *, notification_id: str, key: str, peer: Peer, everyone: bool) -> Json:
        request = Cancelled(peer, notification_id, key, everyone)
        (reply,) = await self._engine.apply([request], fail_fast=True)
        if reply is None or reply.notification is None:
            raise await self._nothing_to_cancel(notification_id, peer, everyone=everyone)
        if reply.refusal:
            raise RequestRefusedError(
                reply.refusal, "an attempt to send it was made, so it cannot be cancelled"
            )
        return {"id": reply.notification.id, "status": reply.notification.status.value}

    async def _nothing_to_cancel(
        self, notification_id: str, peer: Peer, *, everyone: bool
    ) -> RequestRefusedError:
        """Distinguish a finished notification from an unknown one, for a peer that may see it."""
        uid = None if everyone else peer.uid
        found = await self.notification(notification_id, uid=uid) if notification_id else None
        if found is not None:
            return RequestRefusedError(
                "finished", f"it is {found['status']}: there is nothing to cancel"
            )
        named = "id" if notification_id else "key"
        return RequestRefusedError("not_found", f"no queued notification with that {named}")

    async def explain(self, trigger: str) -> list[Json]:
        names = [self._known(trigger)] if trigger else list(self._daemon.trigger_types())
        explanations = [self._explain(name) for name in names]
        for explanation in explanations:
            await self._add_outcomes(explanation["trail"])
        return explanations

    def _explain(self, trigger: str) -> Json:
        kind = self._daemon.trigger_types()[trigger]
        explanation = explain_trigger(self._engine.state, self._engine.now(), trigger, kind)
        unfinished = self._daemon.unfinished_bytes(trigger)
        if unfinished and not explanation["matches"]:
            explanation["unfinished_bytes"] = unfinished
        return explanation

    async def _add_outcomes(self, trail: object) -> None:
        """Add to each step of a trail the current state of the notification that it names."""
        for step in trail if isinstance(trail, list) else ():
            found = await self._store.describe(step["id"]) if "id" in step else None
            if found is not None:
                step |= {name: found[name] for name in ("status", "title", "last_error")}

    @property
    def event_log(self) -> EventLog:
        return self._engine.event_recorder.log

    def require_trigger(self, trigger: str) -> None:
        self._known(trigger)

    async def mute(self, trigger: str, seconds: float) -> Json:
        name = self._known(trigger) if trigger else ""
        await self._engine.apply([Muted(name, seconds)], fail_fast=True)
        state, now = self._engine.state, self._engine.now()
        return {
            "trigger": name,
            "until": mute_end(state.rule(name), state.global_state.mutes, now),
        }

    def _known(self, trigger: str) -> str:
        known = self._daemon.trigger_types()
        if trigger in known:
            return trigger
        suggestion = did_you_mean(trigger, known)
        raise RequestRefusedError("unknown_trigger", f"there is no trigger {trigger!r}{suggestion}")

    async def retry(self, *, notification_id: str, peer: Peer, everyone: bool) -> Json:
        row = await self._store.find(notification_id)
        if row is None:
            raise _not_found()
        reply = (await self._apply_retries([Retried(peer, row, everyone)]))[0]
        if reply.notification is None or reply.refusal:
            raise _not_retried(reply)
        return {"id": reply.notification.id, "status": reply.notification.status.value}

    async def retry_all(self, *, status: Status | None, peer: Peer, everyone: bool) -> Json:
        rows: list[Notification] = []
        if status is not None:
            uid = None if everyone else peer.uid
            rows = await self._store.find_by_status(uid=uid, status=status, limit=MAX_RETRIED + 1)
        replies = await self._apply_retries(
            [Retried(peer, row, everyone) for row in rows[:MAX_RETRIED]]
        )
        retried = sum(reply.refusal == "" for reply in replies)
        now, state = self._engine.now(), self._engine.state
        return {
            "retried": retried,
            "more": len(rows) > retried,
            "waiting": sum(
                everyone or (each.peer is not None and each.peer.uid == peer.uid)
                for each in state.notifications.values()
            ),
            "paused_for": round(max(0.0, state.global_state.send_state.paused_until - now.mono), 1),
        }

    async def _apply_retries(self, retries: list[Retried]) -> list[Reply]:
        """Apply the retries, and end the current backoff."""
        try:
            replies = await self._engine.apply([*retries, SendingAllowed()], fail_fast=True)
        except ConcurrentUpdateError as error:
            raise RequestRefusedError("changed", str(error)) from None
        return [reply for reply in replies if reply is not None]

    async def receive_webhook(self, webhook: Webhook) -> bool:
        event = Event(
            "",
            self._engine.now().wall,
            webhook.line,
            fields=webhook.fields,
            facts={"event": "webhook", "name": webhook.name, "after": webhook.text},
        )
        matches = self._daemon.webhook_matches(event, webhook.name)
        request = WebhookReceived(webhook.key, webhook.remember, matches)
        (reply,) = await self._engine.apply([request], fail_fast=True)
        return reply is None or not reply.refusal

    async def ping(self, ping: Ping, *, is_admin: bool) -> None:
        try:
            (reply,) = await self._engine.apply([Pinged(ping)], fail_fast=True)
        except StoreUnavailableError:
            self._engine.note_refused_ping(ping.heartbeat)
            raise
        if reply is not None and reply.refusal:
            sentence = self._unknown_heartbeat(ping.heartbeat, is_admin=is_admin)
            raise RequestRefusedError(reply.refusal, sentence)

    def _unknown_heartbeat(self, name: str, *, is_admin: bool) -> str:
        """Name the mistake. Which triggers exist is for admins to see."""
        types = self._daemon.trigger_types() if is_admin else {}
        if name in types:
            return f'trigger {name} is no heartbeat; set type = "heartbeat" in its table'
        hint = did_you_mean(name, [each for each, kind in types.items() if kind == "heartbeat"])
        table = f'[triggers.{name}] with type = "heartbeat"'
        return f"there is no heartbeat {name!r}{hint or f'; define {table} in the configuration'}"

    async def report_agent(self, report: AgentReport, peer: Peer) -> AgentAnswer:
        try:
            (reply,) = await self._engine.apply([AgentReported(report, peer)], fail_fast=True)
        except StoreUnavailableError:
            self._engine.note_refused_agent_event()
            raise
        if reply is None or reply.agent is None:
            return AgentAnswer(AgentStatus.IGNORED, "")
        return reply.agent

    async def import_spooled(self, requests: Sequence[SpooledRequest]) -> list[str]:
        known = {
            request.id
            for request in requests
            if await self._store.describe(request.id) is not None  # also one that was delivered
        }
        new = [request for request in requests if request.id not in known]
        replies = await self._engine.apply([self._spooled(each) for each in new], rereadable=True)
        refusals = {
            request.id: reply.refusal if reply else ""
            for request, reply in zip(new, replies, strict=True)
        }
        return [refusals.get(request.id, KNOWN) for request in requests]

    def _spooled(self, request: SpooledRequest) -> Spooled:
        """Return the event. Nothing that was written before a boot expires for the time off."""
        content: Submitted | Pinged | AgentReported
        if isinstance(request.request, SpooledMessage):
            message = request.request
            content = Submitted(
                message.message, message.priority, request.peer, message.key, message.delay
            )
        elif isinstance(request.request, AgentReport):
            content = AgentReported(request.request, request.peer)
        else:
            content = Pinged(request.request)
        is_older = request.time < boot_time(self._engine.now().wall)
        expires = request.expires + (self._engine.machine_off_for if is_older else 0.0)
        return Spooled(request.id, request.time, expires, content)

    async def forget_spooled(self, ids: Collection[str]) -> None:
        remembered = frozenset(ids) & self._engine.state.spooled_ids.keys()
        if remembered:
            await self._engine.apply([SpoolFilesRemoved(frozenset(remembered))], rereadable=True)

    async def status(self, *, uid: int | None) -> Json:
        """Return the daemon's status, with the notifications per hour of each trigger."""
        if uid is not None:
            return self._daemon.own_status(uid)
        counts: dict[str, int] = {}
        with suppress(StoreUnavailableError):  # the status says that it is
            counts = await self._store.count_by_trigger(self._engine.now().wall - _HOURS * 3600)
        return self._daemon.status({name: count / _HOURS for name, count in counts.items()})

    def health(self) -> tuple[bool, str]:
        return self._daemon.health()

    def metrics(self, *, uid: int | None) -> bytes:
        return self._daemon.metrics(uid)

    async def reload(self) -> Json:
        return await self._daemon.reload()


def _not_found() -> RequestRefusedError:
    return RequestRefusedError("not_found", "no notification with that id")


def _not_retried(reply: Reply) -> RequestRefusedError:
    if reply.refusal in _NOT_RETRIED:
        return RequestRefusedError(reply.refusal, _NOT_RETRIED[reply.refusal])
    if reply.notification is None:
        return _not_found()
    merged = f"it was counted into the digest {reply.notification.merged_into}"
    return RequestRefusedError("finished", _FINISHED.get(reply.notification.status, merged))
