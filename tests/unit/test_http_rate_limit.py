import asyncio

import pytest

from notifyd.http.errors import HttpError
from notifyd.http.rate_limit import Rate, RateLimiter


class SteppedLoop(asyncio.SelectorEventLoop):
    """Its clock stands still until a test moves it."""

    now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def loop():
    stepped = SteppedLoop()
    yield stepped
    stepped.close()


def limiter(most: int = 3, per: float = 60.0) -> RateLimiter:
    return RateLimiter(Rate(most, per), subject="uid", code="slow_down", setting="[socket] rate")


def taken(loop: SteppedLoop, limiter: RateLimiter, key: int, number: int = 1) -> int:
    """Try some requests; returns how many passed."""
    passed = 0
    for _ in range(number):
        try:
            loop.run_until_complete(limiter.take(key))
            passed += 1
        except HttpError:
            pass
    return passed


def test_each_key_has_its_own_bucket(loop: SteppedLoop) -> None:
    shared = limiter()
    assert taken(loop, shared, 1, 10) == 3
    assert taken(loop, shared, 2, 10) == 3


def test_a_request_after_retry_after_passes(loop: SteppedLoop) -> None:
    shared = limiter()
    taken(loop, shared, 1, 3)
    with pytest.raises(HttpError) as caught:
        loop.run_until_complete(shared.take(1))
    assert (caught.value.status, caught.value.code) == (429, "slow_down")
    assert caught.value.headers["Retry-After"] == "20"
    assert str(caught.value) == (
        "uid 1 sends too fast: at most 3 in 1m ([socket] rate); try again in 20 s"
    )
    loop.now += 19
    assert not taken(loop, shared, 1)
    loop.now += 1
    assert taken(loop, shared, 1, 2) == 1


def test_the_least_recently_used_keys_are_forgotten(loop: SteppedLoop) -> None:
    shared = limiter(1)
    taken(loop, shared, 0)
    for key in range(1, 1024):
        taken(loop, shared, key)
    assert not taken(loop, shared, 0)
    taken(loop, shared, 1024)
    assert taken(loop, shared, 1)
    assert not taken(loop, shared, 0)
