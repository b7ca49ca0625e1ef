"""A `Control` that keeps its notifications in memory, for tests of the local API."""

import asyncio
import itertools
from collections.abc import Collection, Sequence

from notifyd.api.control import Acceptance, SpooledRequest, Webhook
from notifyd.api.event_log import EventLog
from notifyd.model.agents import AgentAnswer, AgentReport, AgentStatus
from notifyd.model.errors import RequestRefusedError
from notifyd.model.notifications import Json, Message, Peer, Priority, Status
from notifyd.model.pings import Ping


class MemoryControl:
    """Implements the protocol. failure: raised by the next submit."""

    def __init__(self) -> None:
        self.rows: dict[str, Json] = {}
        self.messages: dict[str, Message] = {}
        self.peers: dict[str, Peer] = {}
        self.failure: Exception | None = None
        self.event_log = EventLog("run")
        self.over_budget = False
        self.healthy: tuple[bool, str] = (True, "ok")
        self.state: Json = {"version": "0.0.0", "triggers": {}}
        self.reloaded: Json = {"reloaded": True, "problems": [], "restart": []}
        self.muted: dict[str, float] = {}
        self.webhooks: list[Webhook] = []
        self.pings: list[Ping] = []
        self.reports: list[tuple[AgentReport, Peer]] = []
        self.spooled: list[SpooledRequest] = []
        self.spool_attempts = 0
        self.refusals: dict[str, str] = {}
        self.forgotten: list[str] = []
        self.listed: tuple[str, float] = ("", 0.0)
        self.waited_for = asyncio.Event()
        self.settle = asyncio.Event()
        self.report: Json | None = None
        self._numbers = itertools.count(1)

    async def submit(
        self, message: Message, priority: Priority, *, key: str, delay: float, peer: Peer
    ) -> Acceptance:
        if self.failure is not None:
            raise self.failure
        notification_id = f"n{next(self._numbers)}"
        status = Status.HELD if delay else Status.QUEUED
        self.messages[notification_id] = message
        self.peers[notification_id] = peer
        self.rows[notification_id] = {
            "id": notification_id,
            "status": str(status),
            "title": message.title,
            "body": message.body,
            "priority": str(priority),
            "key": key,
            "delay": delay,
            "created": 1_700_000_000.0,
        }
        return Acceptance(notification_id, status, self.over_budget, expires=2_000_000_000.5)

    async def wait_for_outcome(
        self,
        notification_id: str,  # noqa: ARG002 - the protocol's
        within: float,  # noqa: ARG002 - the protocol's
    ) -> Json | None:
        if self.report is not None:
            return self.report
        self.waited_for.set()
        await self.settle.wait()
        return self.report

    async def notifications(
        self,
        *,
        uid: int | None,
        status: Status | None,
        limit: int,
        trigger: str = "",
        since: float = 0.0,
    ) -> list[Json]:
        self.listed = (trigger, since)
        return [
            row
            for notification_id, row in reversed(self.rows.items())
            if uid in (None, self.peers[notification_id].uid) and status in (None, row["status"])
        ][:limit]

    async def notification(self, notification_id: str, *, uid: int | None) -> Json | None:
        if notification_id in self.rows and uid in (None, self.peers[notification_id].uid):
            return self.rows[notification_id]
        return None

    async def cancel(self, *, notification_id: str, key: str, peer: Peer, everyone: bool) -> Json:
        for found, row in self.rows.items():
            named = found == notification_id or (key and row["key"] == key)
            if named and (everyone or self.peers[found].uid == peer.uid):
                if row["status"] == Status.ATTEMPTING:
                    raise RequestRefusedError("in_flight", "it has been tried already")
                row["status"] = str(Status.CANCELLED)
                return row
        raise RequestRefusedError("not_found", "no queued notification with that id")

    async def test_trigger(self, trigger: str, peer: Peer) -> Acceptance:
        self.require_trigger(trigger)
        message = Message(trigger, "sample", {})
        return await self.submit(message, Priority.HIGH, key="", delay=0.0, peer=peer)

    def require_trigger(self, trigger: str) -> None:
        if trigger != "app":
            raise RequestRefusedError("unknown_trigger", f"there is no trigger {trigger!r}")

    async def explain(self, trigger: str) -> list[Json]:
        return [{"trigger": trigger or "app", "type": "log", "trail": [], "groups": []}]

    async def mute(self, trigger: str, seconds: float) -> Json:
        if trigger not in ("", "app"):
            raise RequestRefusedError("unknown_trigger", f"there is no trigger {trigger!r}")
        self.muted[trigger] = seconds
        return {"trigger": trigger, "until": 1_700_000_000.0 + seconds if seconds else 0.0}

    async def retry(self, *, notification_id: str, peer: Peer, everyone: bool) -> Json:
        row = await self.notification(notification_id, uid=None if everyone else peer.uid)
        if row is None:
            raise RequestRefusedError("not_found", "no notification with that id")
        if row["status"] != Status.FAILED:
            raise RequestRefusedError("finished", "it was delivered")
        row["status"] = str(Status.QUEUED)
        return {"id": notification_id, "status": "queued"}

    async def retry_all(self, *, status: Status | None, peer: Peer, everyone: bool) -> Json:
        uid = None if everyone else peer.uid
        rows = await self.notifications(uid=uid, status=status, limit=1000) if status else []
        for row in rows:
            row["status"] = str(Status.QUEUED)
        return {"retried": len(rows), "more": False, "waiting": len(rows), "paused_for": 0.0}

    async def receive_webhook(self, webhook: Webhook) -> bool:
        if self.failure is not None:
            raise self.failure
        is_new = all(webhook.key != earlier.key for earlier in self.webhooks)
        self.webhooks.append(webhook)
        return is_new

    async def ping(self, ping: Ping, *, is_admin: bool) -> None:  # noqa: ARG002 - the protocol's
        if self.failure is not None:
            raise self.failure
        if ping.heartbeat != "backup":
            raise RequestRefusedError("unknown_heartbeat", f"no heartbeat {ping.heartbeat!r}")
        self.pings.append(ping)

    async def report_agent(self, report: AgentReport, peer: Peer) -> AgentAnswer:
        if self.failure is not None:
            raise self.failure
        self.reports.append((report, peer))
        return AgentAnswer(AgentStatus.WAITING, "pushed in 30s unless it is answered before")

    async def import_spooled(self, requests: Sequence[SpooledRequest]) -> list[str]:
        self.spool_attempts += 1
        if self.failure is not None:
            raise self.failure
        self.spooled += requests
        return [self.refusals.get(request.id, "") for request in requests]

    async def forget_spooled(self, ids: Collection[str]) -> None:
        self.forgotten += ids

    async def status(self, *, uid: int | None) -> Json:
        return self.state if uid is None else {"scope": "own", "uid": uid}

    def health(self) -> tuple[bool, str]:
        return self.healthy

    def metrics(self, *, uid: int | None) -> bytes:
        return f"# metrics for {uid}\n".encode()

    async def reload(self) -> Json:
        return self.reloaded
