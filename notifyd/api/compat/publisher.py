"""Submits the messages of other services' clients, as `POST /notifications/send` does."""

import time
from collections.abc import Callable, Hashable

from notifyd.api.auth import ApiCaller
from notifyd.api.control import Acceptance, Control
from notifyd.api.schemas import Submission
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.schemas import validate
from notifyd.model.notifications import Json, Priority
from notifyd.text.limits import replace_surrogates


class Publisher:
    """limiter: that of the listener. wall: the wall clock, in seconds."""

    def __init__(
        self,
        control: Control,
        limiter: RateLimiter[Hashable],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._control, self._limiter = control, limiter
        self.wall = wall

    async def count(self, caller: ApiCaller) -> None:
        """Count one request of a client; HttpError (429) when there were too many."""
        await self._limiter.take(caller.share_key)

    async def submit(self, caller: ApiCaller, fields: Json, *, delay: float = 0.0) -> Acceptance:
        """Put a message into the outbox, and return once it is on disk.

        fields: those of a `Submission`. delay: seconds. HttpError (422) for a wrong field.
        """
        submission = validate(Submission, replace_surrogates(fields))
        return await self._control.submit(
            submission.message,
            submission.priority or Priority.DEFAULT,
            key="",
            delay=delay,
            peer=caller.peer,
        )
