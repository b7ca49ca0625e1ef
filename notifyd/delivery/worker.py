"""The loop that turns orders into requests, one at a time, and tells the fold what came of them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

from notifyd.delivery.answer import Answer
from notifyd.delivery.client import Client, EnvelopeError, Secret, envelope
from notifyd.delivery.retry import decide
from notifyd.errors import MissingError, StoreUnavailableError, TokenError
from notifyd.model import Now, Order, Outcome, Parcel, Verdict

LOOK = 1.0
"""Seconds between two looks at the token file while the token is refused."""


class Desk(Protocol):
    """Where orders come from and outcomes go to."""

    async def next_order(self) -> Order:
        """Wait until an order is on disk as attempting. Never cancelled but to end the worker."""
        ...

    async def parcel(self, notification_id: str) -> Parcel: ...

    async def report(self, outcome: Outcome) -> None:
        """Return once the outcome is on disk."""
        ...

    async def token_changed(self) -> None: ...


class Tokens(Protocol):
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


class Stamp(NamedTuple):
    """What changes when a file is written or replaced."""

    modified: int
    inode: int
    size: int


async def deliver(
    desk: Desk,
    client: Client,
    tokens: Tokens,
    *,
    now: Callable[[], Now],
    random: Callable[[], float],
    look: float = LOOK,
) -> NoReturn:
    """Work until cancelled; an attempt cut off by that stays `attempting` on disk.

    random: a number from 0 up to 1 at each call. look: seconds between two looks at the token
    file, which happen only while the token is in doubt.
    """
    watch = TokenWatch(tokens.path)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.run(desk.token_changed, look), name="token watch")
        while True:
            order = await desk.next_order()
            watch.mark()  # before reading: a token that comes while this one is tried counts as new
            try:
                answer = await _ask(desk, client, tokens, order)
            except TokenError as error:
                outcome = Outcome(order.id, Verdict.REFUSED, str(error))
            except EnvelopeError as error:
                outcome = Outcome(order.id, Verdict.FAILED, str(error))
            else:
                outcome = decide(answer, order, now(), random())
            await desk.report(outcome)
            watch.judge(outcome.verdict)  # only now: the fold knows what a new token would mend


async def _ask(desk: Desk, client: Client, tokens: Tokens, order: Order) -> Answer:
    token = tokens.read()
    try:
        parcel = await desk.parcel(order.id)
    except MissingError as error:
        raise EnvelopeError(str(error)) from error
    except StoreUnavailableError as error:
        return Answer(fault=str(error))
    return await client.send(order.id, envelope(parcel), token, asked_with=tokens.name)


class TokenWatch:
    """Tells when a token's file was written since a refusal, and looks at it only then."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._tried: Stamp | None = None
        self._doubted = asyncio.Event()

    def mark(self) -> None:
        """Remember the file as it is now, when its token is about to be tried."""
        self._tried = _stamp(self._path)

    def judge(self, verdict: Verdict) -> None:
        """Take note of what an answer says about the token; some say nothing."""
        if verdict in (Verdict.REFUSED, Verdict.FORBIDDEN):
            self._doubted.set()
        elif verdict in (Verdict.DELIVERED, Verdict.NO_DEVICE):
            self._doubted.clear()

    async def run(self, changed: Callable[[], Awaitable[None]], look: float) -> None:
        """Call `changed` after each change; ends at once for a token that is in no file."""
        while self._path is not None:
            await self._doubted.wait()
            if _stamp(self._path) == self._tried:
                await asyncio.sleep(look)
                continue
            self._doubted.clear()
            await changed()


def _stamp(path: Path | None) -> Stamp | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_ino, found.st_size)
