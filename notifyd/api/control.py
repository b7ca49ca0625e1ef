"""What the local API may ask of the daemon."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from notifyd.api.event_log import EventLog
from notifyd.model.agents import AgentAnswer, AgentReport
from notifyd.model.notifications import Json, Message, Peer, Priority, Status
from notifyd.model.pings import Ping


class Acceptance(NamedTuple):
    """A message that is on disk.

    over_budget: it is counted in a digest, not sent by itself. expires: wall-clock seconds.
    """

    id: str
    status: Status
    over_budget: bool = False
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """An event that the platform reported.

    name: of the event. line, fields, text: what a notification shows of it. key: what identifies
    the delivery. remember: seconds during which the same key is a duplicate.
    """

    name: str
    line: str
    fields: Mapping[str, str]
    text: str
    key: str
    remember: float


@dataclass(frozen=True, slots=True)
class SpooledMessage:
    """A message as a file of the spool has it. delay: seconds, from the file's time."""

    message: Message
    priority: Priority
    key: str
    delay: float


@dataclass(frozen=True, slots=True)
class SpooledRequest:
    """A request from the spool. peer: the owner of its file. time, expires: wall-clock seconds.

    id: that of the file, and of the notification.
    """

    id: str
    peer: Peer
    time: float
    expires: float
    request: SpooledMessage | Ping | AgentReport


class Control(Protocol):
    """The daemon, as its listeners see it. Durations are in seconds.

    Each method may raise RequestRefusedError or StoreUnavailableError. `uid` limits a request to
    one user's notifications, None lifts the limit; `everyone` lifts it for a request of `peer`.
    """

    async def submit(
        self, message: Message, priority: Priority, *, key: str, delay: float, peer: Peer
    ) -> Acceptance:
        """Put a message into the outbox, and return once it is on disk."""
        ...

    async def wait_for_outcome(self, notification_id: str, within: float) -> Json | None:
        """Return the notification once the API has answered; None when it takes longer."""
        ...

    async def notifications(
        self, *, uid: int | None, status: Status | None, limit: int, trigger: str, since: float
    ) -> list[Json]:
        """Return notifications, newest first.

        trigger: empty for all. since: age in seconds of the oldest one to return; 0 for any age.
        """
        ...

    async def notification(self, notification_id: str, *, uid: int | None) -> Json | None: ...

    async def cancel(self, *, notification_id: str, key: str, peer: Peer, everyone: bool) -> Json:
        """Cancel by id, or by key among the peer's own; codes: not_found, in_flight, finished."""
        ...

    async def retry(self, *, notification_id: str, peer: Peer, everyone: bool) -> Json:
        """Send one again; codes: not_found, in_flight, held, finished, changed, no_room."""
        ...

    async def retry_all(self, *, status: Status | None, peer: Peer, everyone: bool) -> Json:
        """End a backoff, and send those of one status again; None: none of them.

        {"retried": number, "more": whether some are left, "waiting": number in the outbox,
        without those that the peer may not see, "paused_for": seconds that the API asked for}
        """
        ...

    async def receive_webhook(self, webhook: Webhook) -> bool:
        """Count an event for its triggers, and return once it is on disk; False for a duplicate."""
        ...

    async def ping(self, ping: Ping, *, is_admin: bool) -> None:
        """Take a ping of a heartbeat, and return once it is on disk. Code: unknown_heartbeat.

        is_admin: whether a refusal may name triggers.
        """
        ...

    async def report_agent(self, report: AgentReport, peer: Peer) -> AgentAnswer:
        """Take an event of a coding agent, and return once it is on disk."""
        ...

    async def import_spooled(self, requests: Sequence[SpooledRequest]) -> list[str]:
        """Take requests from the spool, and return the refusal of each once they are on disk.

        "" for what was taken; known: it was committed before; expired: it was too old, and a
        message is counted in a digest; outdated: a newer ping was received; no_room: try again.
        unknown_heartbeat: as for `ping`.
        """
        ...

    async def forget_spooled(self, ids: Collection[str]) -> None:
        """Forget the ids of files that are gone."""
        ...

    async def status(self, *, uid: int | None) -> Json:
        """Return the whole status or, for one user, their own numbers and the health in words."""
        ...

    async def explain(self, trigger: str) -> list[Json]:
        """Explain why there was or was no push, for one trigger or, where it is empty, for all."""
        ...

    async def test_trigger(self, trigger: str, peer: Peer) -> Acceptance:
        """Submit what a trigger would send for a sample. Code: unknown_trigger."""
        ...

    async def mute(self, trigger: str, seconds: float) -> Json:
        """Hold back one trigger's notifications, or all where it is empty; 0 s ends a mute.

        {"trigger": name, "until": epoch seconds}. Code: unknown_trigger.
        """
        ...

    @property
    def event_log(self) -> EventLog: ...

    def require_trigger(self, trigger: str) -> None:
        """Raise RequestRefusedError of unknown_trigger unless there is one of this name."""
        ...

    def health(self) -> tuple[bool, str]:
        """Return whether all is well, and "ok" or one word for what is not."""
        ...

    def metrics(self, *, uid: int | None) -> bytes:
        """Return the metrics in Prometheus' text format, as far as `status` shows them."""
        ...

    async def reload(self) -> Json:
        """Read the configuration again: {"reloaded": bool, "problems": […], "restart": […]}."""
        ...
