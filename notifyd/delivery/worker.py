"""The loop that turns orders into requests, one at a time, and tells the fold what came of them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

from notifyd.delivery.client import RequestEncodingError, Secret, SendClient, encode_request
from notifyd.delivery.response import ApiResponse
from notifyd.delivery.retry import decide
from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.errors import MissingError, StoreUnavailableError, TokenError
from notifyd.model.events import Now
from notifyd.model.notifications import Payload

LOOK = 1.0
"""Seconds between two looks at the token file while the token is refused."""


class DeliveryQueue(Protocol):
    """Where orders come from and outcomes go to."""

    async def next_attempt(self) -> SendAttempt:
        """Wait until an order is on disk as attempting. Never cancelled but to end the worker."""
        ...

    async def payload(self, notification_id: str) -> Payload: ...

    async def report(self, outcome: Outcome) -> None:
        """Return once the outcome is on disk."""
        ...

    async def token_changed(self) -> None: ...


class TokenProvider(Protocol):
    """Where the send token is kept. name: as a person knows it. path: its file, if it is one."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path | None: ...

    def read(self) -> Secret:
        """Read it anew: printable ASCII without spaces, which a header can carry.

        TokenError says in a sentence what is wrong.
        """
        ...


class FileStamp(NamedTuple):
    """What changes when a file is written or replaced."""

    modified: int
    inode: int
    size: int


async def deliver(
    queue: DeliveryQueue,
    client: SendClient,
    tokens: TokenProvider,
    *,
    now: Callable[[], Now],
    random: Callable[[], float],
    look: float = LOOK,
) -> NoReturn:
    """Work until cancelled; an attempt cut off by that stays `attempting` on disk.

    random: a number from 0 up to 1 at each call. look: seconds between two looks at the token
    file, which happen only while the token is in doubt.
    """
    watch = TokenWatch(tokens)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.run(queue.token_changed, look), name="token watch")
        while True:
            order = await queue.next_attempt()
            try:
                answer = await _ask(queue, client, watch.take(), order, tokens.name)
            except TokenError as error:
                outcome = Outcome(order.id, OutcomeKind.REFUSED, str(error), cause="token")
            except RequestEncodingError as error:
                outcome = Outcome(order.id, OutcomeKind.FAILED, str(error), cause="envelope")
            else:
                outcome = decide(answer, order, now(), random())
            await queue.report(outcome)
            watch.judge(outcome.kind)  # only now: the fold knows what a new token would mend


async def _ask(
    queue: DeliveryQueue, client: SendClient, token: Secret, order: SendAttempt, place: str
) -> ApiResponse:
    try:
        parcel = await queue.payload(order.id)
    except MissingError as error:
        raise RequestEncodingError(str(error)) from error
    except StoreUnavailableError as error:
        return ApiResponse(fault=str(error), cause="store")
    return await client.send(order.id, encode_request(parcel), token, asked_with=place)


class TokenWatch:
    """Tells when there is another token than the one that was tried, and looks only in doubt.

    A file that was touched counts as well: whoever did that wants it tried. One that is gone or
    cannot be read does not, for there is nothing to try.
    """

    def __init__(self, tokens: TokenProvider) -> None:
        self._tokens = tokens
        self._tried: tuple[FileStamp | None, str] = (None, "")
        self._doubted = asyncio.Event()

    def take(self) -> Secret:
        """Read the token for an attempt; TokenError says what is wrong with it."""
        # The stamp comes first: what is written from here on counts as new.
        stamp = _stamp(self._tokens.path)
        self._tried = (stamp, "")
        token = self._tokens.read()
        self._tried = (stamp, token.get_secret_value())
        return token

    def judge(self, verdict: OutcomeKind) -> None:
        """Take note of what an answer says about the token; some say nothing."""
        if verdict in (OutcomeKind.REFUSED, OutcomeKind.FORBIDDEN):
            self._doubted.set()
        elif verdict in (OutcomeKind.DELIVERED, OutcomeKind.NO_DEVICE):
            self._doubted.clear()

    async def run(self, changed: Callable[[], Awaitable[None]], look: float) -> None:
        """Call `changed` after each change; ends at once for a token that is in no file."""
        while self._tokens.path is not None:
            await self._doubted.wait()
            if not self._renewed():
                await asyncio.sleep(look)
                continue
            self._doubted.clear()
            await changed()

    def _renewed(self) -> bool:
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
        found = path.stat()
    except OSError:
        return None
    return FileStamp(found.st_mtime_ns, found.st_ino, found.st_size)
