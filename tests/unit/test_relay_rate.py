from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from notifyd.http.rate_limit import Rate
from notifyd.relay.rate_limit import WorkspaceRateLimiter

steps = st.lists(st.integers(0, 30), min_size=1, max_size=60)


@given(steps, st.integers(1, 5))
def test_no_window_holds_more_than_the_rate(gaps: list[int], most: int) -> None:
    limit, now, taken = WorkspaceRateLimiter(Rate(most, 60.0)), 1000.0, []
    for gap in gaps:
        now += gap
        if limit.take("w", now) == 0.0:
            taken.append(now)
    for first, last in zip(taken, taken[most:], strict=False):
        assert last - first >= 60.0
    assert taken[0] == 1000.0 + gaps[0]


@given(steps, st.integers(1, 5))
def test_the_returned_wait_is_exact(gaps: list[int], most: int) -> None:
    limit, now = WorkspaceRateLimiter(Rate(most, 60.0)), 1000.0
    for gap in gaps:
        now += gap
        if wait := limit.take("w", now):
            assert 0 < wait <= 60.0
            assert limit.take("w", now + wait - 0.001) > 0
            now += wait
            assert limit.take("w", now) == 0.0


def test_each_workspace_has_its_own_window() -> None:
    limit = WorkspaceRateLimiter(Rate(1, 60.0))
    assert limit.take("a", 0.0) == 0.0
    assert limit.take("b", 0.0) == 0.0
    assert limit.take("a", 1.0) == 59.0


def test_only_quiet_workspaces_are_forgotten() -> None:
    limit = WorkspaceRateLimiter(Rate(2, 60.0))
    for number in range(1500):
        limit.take(f"w{number}", 0.0)
    limit.take("busy", 59.0)
    limit.take("busy", 59.0)
    assert limit.take("one more", 61.0) == 0.0
    assert len(limit._taken) == 2
    assert limit.take("busy", 61.0) == 58.0


def test_a_refused_request_takes_nothing() -> None:
    limit = WorkspaceRateLimiter(Rate(1, 10.0))
    limit.take("w", 0.0)
    waits = [limit.take("w", second) for second in (1.0, 5.0, 9.0)]
    assert all(earlier > later for earlier, later in pairwise(waits))
    assert limit.take("w", 10.0) == 0.0
