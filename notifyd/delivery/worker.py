"""The delivery worker: sends one attempt at a time and reports its outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

from notifyd.delivery.client import RequestEncodingError, Secret, SendClient, encode_request
from notifyd.delivery.outcome import decide_outcome
from notifyd.delivery.response import ApiResponse
from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.errors import NotificationMissingError, StoreUnavailableError, TokenError
from notifyd.model.events import Now
from notifyd.model.notifications import Payload

POLL_INTERVAL = 1.0
"""Seconds between two checks of the token file while the token is in doubt."""


class DeliveryQueue(Protocol):
    """Where attempts come from and outcomes go to."""

    async def next_attempt(self) -> SendAttempt:
        """Wait for an attempt, which is on disk as attempting. Cancelled only to end the worker."""
        ...

    async def payload(self, notification_id: str) -> Payload: ...

    async def report(self, outcome: Outcome) -> None:
        """Return once the outcome is on disk."""
        ...

    async def token_changed(self) -> None: ...


class TokenProvider(Protocol):
    """Where the send token is stored. name: for messages. path: its file, if it is in one."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path | None: ...

    def read(self) -> Secret:
        """Read the token: printable ASCII without spaces, which a header can carry.

        Raises TokenError with the reason in a sentence.
        """
        ...


async def deliver(
    queue: DeliveryQueue,
    client: SendClient,
    tokens: TokenProvider,
    *,
    now: Callable[[], Now],
    random: Callable[[], float],
    poll_interval: float = POLL_INTERVAL,
) -> NoReturn:
    """Send until cancelled; an attempt that this interrupts stays `attempting` on disk.

    random: returns a number in [0, 1). poll_interval: as POLL_INTERVAL.
    """
    watch = TokenWatch(tokens)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.run(queue.token_changed, poll_interval), name="token watch")
        while True:
            attempt = await queue.next_attempt()
            try:
                response = await _send(queue, client, watch.read(), attempt, tokens.name)
            except TokenError as error:
                outcome = Outcome(attempt.id, OutcomeKind.REFUSED, str(error), cause="token")
            except RequestEncodingError as error:
                outcome = Outcome(attempt.id, OutcomeKind.FAILED, str(error), cause="envelope")
            else:
                outcome = decide_outcome(response, attempt, now(), random())
            await queue.report(outcome)
            # Only after the report: a changed token ends a refusal that the fold knows of.
            watch.note_outcome(outcome.kind)


async def _send(
    queue: DeliveryQueue, client: SendClient, token: Secret, attempt: SendAttempt, token_name: str
) -> ApiResponse:
    try:
        payload = await queue.payload(attempt.id)
    except NotificationMissingError as error:
        raise RequestEncodingError(str(error)) from error
    except StoreUnavailableError as error:
        return ApiResponse(fault=str(error), cause="store")
    return await client.send(attempt.id, encode_request(payload), token, token_name=token_name)


class FileStamp(NamedTuple):
    """Changes when a file is written or replaced."""

    modified: int
    inode: int
    size: int


class TokenWatch:
    """Notices a token other than the one that was tried; polls only while that one is in doubt.

    A file that was only touched counts as changed: somebody wants it tried again. A file that is
    missing or unreadable does not: there is no token to try.
    """

    def __init__(self, tokens: TokenProvider) -> None:
        self._tokens = tokens
        self._tried: tuple[FileStamp | None, str] = (None, "")
        self._in_doubt = asyncio.Event()

    def read(self) -> Secret:
        """Read the token for an attempt; TokenError says what is wrong with it."""
        # The stamp is taken first, so that a token written from here on counts as new.
        stamp = _stamp(self._tokens.path)
        self._tried = (stamp, "")
        token = self._tokens.read()
        self._tried = (stamp, token.get_secret_value())
        return token

    def note_outcome(self, kind: OutcomeKind) -> None:
        """Start polling after a refusal, stop after a success; other outcomes say nothing."""
        if kind in (OutcomeKind.REFUSED, OutcomeKind.FORBIDDEN):
            self._in_doubt.set()
        elif kind in (OutcomeKind.DELIVERED, OutcomeKind.NO_DEVICE):
            self._in_doubt.clear()

    async def run(self, on_change: Callable[[], Awaitable[None]], poll_interval: float) -> None:
        """Call `on_change` after each change; return at once if the token is not in a file."""
        while self._tokens.path is not None:
            await self._in_doubt.wait()
            if not self._has_changed():
                await asyncio.sleep(poll_interval)
                continue
            self._in_doubt.clear()
            await on_change()

    def _has_changed(self) -> bool:
        # The content is compared too: a file may be rewritten within one tick of its clock.
        stamp = _stamp(self._tokens.path)
        try:
            return (stamp, self._tokens.read().get_secret_value()) != self._tried
        except TokenError:
            return False


def _stamp(path: Path | None) -> FileStamp | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return FileStamp(status.st_mtime_ns, status.st_ino, status.st_size)
