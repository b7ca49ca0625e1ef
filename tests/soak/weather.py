"""What the API does meanwhile: it works, and then for a while it does not."""

import asyncio
import random
import threading
import time
from collections import Counter
from pathlib import Path

from support.platform import Platform
from support.replies import (
    Reply,
    drip,
    garbled,
    hang,
    html,
    ok,
    reset_before,
    reset_during,
    status,
)

_WHIMS = {
    "5xx": lambda: status(random.choice([500, 502, 503, 504])),
    "page": lambda: html(random.choice([200, 502])),
    "garbled": garbled,
    "unsuccessful": lambda: ok(success=False, error="busy"),
    "reset": reset_before,
    "reset in mid-answer": reset_during,
    "hang": hang,
    "drip": drip,
    "408": lambda: status(random.choice([408, 409, 425])),
}


class Weather(threading.Thread):
    """had: the spells so far."""

    def __init__(self, platform: Platform, token_file: Path, seed: int) -> None:
        super().__init__(name="weather")
        self.platform, self.token_file = platform, token_file
        self.random = random.Random(seed)
        self.had: Counter[str] = Counter()
        self.revoked: list[tuple[float, float, str]] = []
        """When a token was revoked, when its successor was in the file, and the token."""
        self.done = threading.Event()

    def run(self) -> None:
        spells = [self._whim] * 6 + [self._limit] * 3 + [self._down] * 2 + [self._revoke] * 2
        while not self.done.wait(self.random.uniform(1, 4)):
            self.random.choice(spells)()

    def _whim(self) -> None:
        name = self.random.choice(list(_WHIMS))
        self.had[name] += 1
        if self.random.random() < 0.5:
            self.platform.plan(*(_WHIMS[name]() for _ in range(self.random.randrange(1, 4))))
            return
        self.platform.default = _WHIMS[name]()
        self.done.wait(self.random.uniform(0.5, 6))
        self.platform.default = ok()

    def _limit(self) -> None:
        self.had["429"] += 1
        code = self.random.choice([429, 429, 503])
        self.platform.plan(
            limited(code, self.random.randrange(1, 5), as_date=self.random.random() < 0.5)
        )

    def _down(self) -> None:
        self.had["down"] += 1
        self._do(self.platform.down())
        # now and then for long enough that a storm must be calmed
        self.done.wait(self.random.choice([0.2, 2.0, 5.0, 25.0]))
        self._do(self.platform.up())

    def _revoke(self) -> None:
        self.had["401"] += 1
        (old,) = self.platform.tokens
        new = f"onp_soak-{self.had['401']:06}"
        revoked = time.monotonic()
        self.platform.tokens = {new}
        self.done.wait(self.random.uniform(0.5, 4))
        way = self.random.choice(["written", "renamed", "gone first"])
        if way == "gone first":
            self.token_file.unlink()
            self.done.wait(0.5)
        if way == "renamed":
            fresh = self.token_file.with_name("fresh")
            fresh.write_text(new)
            fresh.rename(self.token_file)
        else:
            self.token_file.write_text(new)
        self.revoked.append((revoked, time.monotonic(), old))

    def _do(self, work) -> None:
        asyncio.run_coroutine_threadsafe(work, self.platform.loop).result()


def limited(code: int, seconds: int, *, as_date: bool) -> Reply:
    """Ask to wait, by seconds or by a time; what was asked for can be read from the reply."""
    if not as_date:
        return status(code, Retry_After=seconds)
    until = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds + 1))
    return status(code, Retry_After=until)
