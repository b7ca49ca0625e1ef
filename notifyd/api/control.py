"""What the local API may ask of the daemon: the narrow side of the pipeline that it knows."""

from typing import Protocol

from notifyd.model.notifications import Json, Message, Peer, Priority, Status


class Control(Protocol):
    """Times are seconds. Every refusal is a RefusedError or a StoreUnavailableError."""

    async def submit(
        self, message: Message, priority: Priority, *, key: str, delay: float, peer: Peer
    ) -> tuple[str, Status]:
        """Put a message into the outbox; returns id and status once it is on disk."""
        ...

    async def settled(self, notification_id: str, within: float) -> Json | None:
        """Wait until the notification was answered by the API; None when it was not in time."""
        ...

    async def notifications(
        self, *, uid: int | None, status: Status | None, limit: int
    ) -> list[Json]:
        """List notifications, newest first; uid None means everyone's."""
        ...

    async def notification(self, notification_id: str, *, uid: int | None) -> Json | None: ...

    async def cancel(self, *, notification_id: str, key: str, peer: Peer, everyone: bool) -> Json:
        """Cancel by id, or by key among the peer's own; codes: not_found, in_flight, finished."""
        ...

    async def retry(self, *, notification_id: str, peer: Peer, everyone: bool) -> Json:
        """Send one again; codes: not_found, in_flight, held, finished, changed, no_room."""
        ...

    async def retry_all(self, *, status: Status | None, peer: Peer, everyone: bool) -> Json:
        """End a pause, and send those again that ended so (None: none of them).

        {"retried": how many, "more": whether there are more of them, "waiting": how many wait,
        "paused_for": seconds for which the API asked to wait}
        """
        ...

    async def status(self) -> Json: ...

    async def explain(self, trigger: str) -> list[Json]:
        """Say why there was or was no push; of every trigger where none is named."""
        ...

    async def mute(self, trigger: str, seconds: float) -> Json:
        """Hold back what a trigger tells, or everything: {"trigger": …, "until": epoch seconds}.

        For no seconds: no longer. Code: unknown_trigger.
        """
        ...

    def health(self) -> tuple[bool, str]:
        """Whether all is well, and "ok" or the one word for what is not."""
        ...

    def metrics(self) -> bytes:
        """Write what Prometheus reads, in its text format."""
        ...

    async def reload(self) -> Json:
        """Read the configuration again: {"reloaded": bool, "problems": […], "restart": […]}."""
        ...
