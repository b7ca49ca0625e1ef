"""How fast one user may send, so that nobody can use up what is everyone's."""

import math
from collections import OrderedDict
from http import HTTPStatus

from aiolimiter import AsyncLimiter

from notifyd.api.errors import ApiError
from notifyd.config.sections import RateConfig

_USERS_REMEMBERED = 1024


class UserRateLimiter:
    """One leaky bucket per uid; the users heard of longest ago are forgotten."""

    def __init__(self, rate: RateConfig) -> None:
        self._rate = rate
        self._limiters: OrderedDict[int, AsyncLimiter] = OrderedDict()

    async def take(self, uid: int) -> None:
        """Count one request of this user; an ApiError of 429 when there were too many."""
        limiter = self._limiters.get(uid)
        if limiter is None:
            limiter = self._limiters[uid] = AsyncLimiter(self._rate.max, self._rate.per)
            if len(self._limiters) > _USERS_REMEMBERED:
                self._limiters.popitem(last=False)
        self._limiters.move_to_end(uid)
        if not limiter.has_capacity():
            wait = max(1, math.ceil(self._rate.per / self._rate.max))
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_requests",
                f"uid {uid} sends too fast: at most {self._rate.max} in {self._rate.per:g} s "
                f"([socket] rate); try again in {wait} s.",
                {"Retry-After": str(wait)},
            )
        await limiter.acquire()
