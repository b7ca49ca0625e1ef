"""Rate limits for each user or other key."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from aiolimiter import AsyncLimiter

from notifyd.http.errors import rate_limited
from notifyd.text.durations import format_duration

_KEYS_KEPT = 1024

Key = TypeVar("Key", bound=Hashable)


class Rate(NamedTuple):
    """At most `max` requests in `per` seconds."""

    max: int
    per: float


class RateLimiter(Generic[Key]):
    """A leaky bucket for each key: `max` requests at once, and `max` more in each `per` seconds.

    Only the 1024 most recently used keys are kept. subject: what the error calls a key, such as
    "uid". code: the error's code. setting: the setting that the error names.
    """

    def __init__(self, rate: Rate, *, subject: str, code: str, setting: str = "") -> None:
        self._rate = rate
        self._subject = subject
        self._code = code
        self._setting = f" ({setting})" if setting else ""
        self._buckets: OrderedDict[Key, AsyncLimiter] = OrderedDict()

    async def take(self, key: Key) -> None:
        """Count one request of this key; HttpError (429) when there were too many."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = AsyncLimiter(self._rate.max, self._rate.per)
            if len(self._buckets) > _KEYS_KEPT:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        if not bucket.has_capacity():
            sentence = (
                f"{self._subject} {_shown(key)} sends too fast: at most {self._rate.max} "
                f"in {format_duration(self._rate.per)}{self._setting}"
            )
            # By then a full bucket has room for one more.
            raise rate_limited(self._code, sentence, self._rate.per / self._rate.max)
        await bucket.acquire()


def _shown(key: Hashable) -> Hashable:
    """Return the client of a key that also names a kind of request."""
    return key[-1] if isinstance(key, tuple) else key
