import sqlite3
from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from notifyd.http.rate_limit import Rate
from notifyd.relay import rate_limit
from notifyd.relay.store.sqlite import SqliteTransaction, complete

steps = st.lists(st.integers(0, 30), min_size=1, max_size=60)


class Window:
    """The requests of all workspaces, in the relay's own table."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.connection = sqlite3.connect(":memory:")
        self.connection.execute("CREATE TABLE requests (workspace_id TEXT, at REAL)")

    def __del__(self):
        self.connection.close()  # Python 3.13 warns of one that is left open

    def take(self, workspace: str, wall: float) -> float:
        """Take one and return 0.0, or take nothing and return the seconds to wait."""
        transaction = SqliteTransaction(self.connection)
        loading = rate_limit.load_windows(transaction, Counter([workspace]), self.rate, wall)
        windows = complete(loading)
        is_admitted = windows[workspace].admit()
        complete(rate_limit.save_windows(transaction, windows, wall))
        return 0.0 if is_admitted else windows[workspace].wait

    def prune(self, wall: float) -> None:
        complete(rate_limit.prune(SqliteTransaction(self.connection), self.rate, wall))

    @property
    def stored(self) -> int:
        return self.connection.execute("SELECT count(*) FROM requests").fetchone()[0]


@given(steps, st.integers(1, 5))
def test_no_window_holds_more_than_the_rate(gaps: list[int], most: int) -> None:
    limit, now, taken = Window(Rate(most, 60.0)), 1000.0, []
    for gap in gaps:
        now += gap
        if limit.take("w", now) == 0.0:
            taken.append(now)
    for first, last in zip(taken, taken[most:], strict=False):
        assert last - first >= 60.0
    assert taken[0] == 1000.0 + gaps[0]


@given(steps, st.integers(1, 5))
def test_the_returned_wait_is_exact(gaps: list[int], most: int) -> None:
    limit, now = Window(Rate(most, 60.0)), 1000.0
    for gap in gaps:
        now += gap
        if wait := limit.take("w", now):
            assert 0 < wait <= 60.0
            assert limit.take("w", now + wait - 0.001) > 0
            now += wait
            assert limit.take("w", now) == 0.0


def test_each_workspace_has_its_own_window() -> None:
    limit = Window(Rate(1, 60.0))
    assert limit.take("a", 0.0) == 0.0
    assert limit.take("b", 0.0) == 0.0
    assert limit.take("a", 1.0) == 59.0


def test_only_the_requests_of_the_last_window_are_stored() -> None:
    limit = Window(Rate(2, 60.0))
    for number in range(100):
        limit.take(f"w{number}", 0.0)
    assert limit.stored == 100
    limit.take("busy", 59.0)
    limit.prune(60.0)
    assert limit.take("one more", 60.0) == 0.0
    assert limit.stored == 2


def test_a_refused_request_takes_nothing() -> None:
    limit = Window(Rate(1, 10.0))
    limit.take("w", 0.0)
    waits = [limit.take("w", second) for second in (1.0, 5.0, 9.0)]
    assert all(earlier > later for earlier, later in pairwise(waits))
    assert limit.take("w", 10.0) == 0.0


def test_a_clock_that_is_set_back_blocks_nobody_for_longer_than_the_window() -> None:
    limit = Window(Rate(2, 60.0))
    limit.take("w", 10_000.0)
    limit.take("w", 10_000.0)
    assert limit.take("w", 100.0) == 60.0
    assert limit.take("other", 100.0) == 0.0
    assert limit.take("w", 160.0) == 0.0
