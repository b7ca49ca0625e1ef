"""The schedule of polls, in virtual time."""

from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.platform.poll_schedule import PollSchedule, RateWindow


class Clock:
    """Runs a schedule; a request travels `travel` seconds. requests: path, departure, answer."""

    def __init__(self, intervals, limit=60, per=60.0, travel=0.2, times=()):
        self.now, self.travel = 1_000_000.0, travel
        self.window = RateWindow(limit, per, times)
        self.schedule = PollSchedule(intervals, self.window, now=self.now, random=0.5)
        self.requests = []

    def run(self, seconds, fails=lambda _path: False):
        end = self.now + seconds
        while True:
            path, due = self.schedule.next(self.now)
            if due > end:
                self.now = end
                return
            self.now = max(self.now, due)
            self.window.take(self.now)
            left = self.now
            self.now += self.travel
            self.window.answered(self.now)
            self.requests.append((path, left, self.now))
            if fails(path):
                self.schedule.failed(path, self.now, random=0.5)
            else:
                self.schedule.succeeded(path, self.now, 0.5)

    def most_in_any(self, seconds):
        """The most requests that the platform can have seen in any window."""
        lefts = [left for _, left, _ in self.requests]
        ends = [end for _, _, end in self.requests]
        return max(
            sum(end > left - seconds and at <= left for at, end in zip(lefts, ends, strict=True))
            for left in lefts
        )


def test_twenty_triggers_every_five_seconds_stay_within_the_free_plan():
    clock = Clock({f"/{number}": 5.0 for number in range(20)})
    clock.run(600)
    assert clock.most_in_any(60) <= 60
    assert clock.schedule.stretch > 4
    polls = [sum(path == f"/{number}" for path, _, _ in clock.requests) for number in range(20)]
    assert min(polls) >= max(polls) - 2  # all of them less often, none starved
    assert len(clock.requests) > 500  # and not far less than the rate allows


def test_within_the_rate_everything_is_polled_as_asked():
    clock = Clock({"/a": 10.0, "/b": 60.0})
    clock.run(600)
    assert clock.schedule.stretch == 1
    assert 58 <= sum(path == "/a" for path, _, _ in clock.requests) <= 66
    assert 10 <= sum(path == "/b" for path, _, _ in clock.requests) <= 11


def test_slots_taken_before_a_restart_still_count():
    first = Clock({f"/{number}": 5.0 for number in range(20)})
    first.run(60)
    second = Clock({"/a": 5.0}, times=first.window.times)
    second.now = first.now
    _, due = second.schedule.next(first.now)
    assert due >= first.window.times[-second.window.limit] + 60


def test_a_failing_path_backs_off_alone():
    clock = Clock({"/good": 10.0, "/bad": 10.0})
    clock.run(1200, fails=lambda path: path == "/bad")
    good = sum(path == "/good" for path, _, _ in clock.requests)
    bad = sum(path == "/bad" for path, _, _ in clock.requests)
    assert good > 100
    assert bad < 15


def test_a_retry_after_holds_for_every_path():
    clock = Clock({"/a": 5.0, "/b": 5.0})
    clock.schedule.failed("/a", clock.now, random=0.0, retry_after=120.0)
    assert clock.schedule.next(clock.now)[1] >= clock.now + 120


def test_a_clock_that_is_set_back_does_not_stop_the_polls():
    window = RateWindow(2, 60.0, (5000.0, 5001.0))
    assert window.free_at(1000.0) <= 1060.0
    schedule = Clock({"/a": 5.0}).schedule
    schedule.next(100_000.0)
    schedule.succeeded("/a", 100_000.0, 0.0)
    assert schedule.next(1000.0)[1] <= 1005.0


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([5.0, 7.0, 30.0]), min_size=1),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.3, 9.0]),
)
def test_no_window_ever_holds_more_than_the_rate(intervals, limit, travel):
    clock = Clock(intervals, limit=limit, per=30.0, travel=travel)
    clock.run(120)
    assert clock.most_in_any(30) <= limit
