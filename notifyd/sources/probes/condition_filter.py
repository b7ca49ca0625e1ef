"""Which results of a probe the fold needs to see, so that an unchanged result commits nothing."""

from notifyd.model.events import AlertState, Event
from notifyd.model.persistence import AT_ONCE, Persistence


class ConditionFilter:
    """Admits the events that can change the condition of one trigger. It remembers nothing on disk.

    begin_after, end_after: what `for` and `clear` ask for; a rise in severity waits as a beginning
    does, a fall as an end. An event is admitted if its state or severity differs from the last
    one's, while results are counted (`"3 times"`), and if its line is new while the state has to
    last (`"10m"`), so that the notification shows the last value. The first event after a start is
    always admitted; a state that the fold knows changes nothing.
    """

    def __init__(self, begin_after: Persistence, end_after: Persistence) -> None:
        self._begin_after, self._end_after = begin_after, end_after
        self._last: Event | None = None
        self._wait = AT_ONCE
        self._since = 0.0
        self._streak = 0

    def admits(self, event: Event) -> bool:
        """Return whether to emit the event of a result; to be called once for each result."""
        last = self._last
        if (
            last is None
            or last.alert_state is not event.alert_state
            or last.severity != event.severity
        ):
            self._wait = self._wait_for(event)
            self._last, self._since, self._streak = event, event.wall, 1
            return True
        self._streak += 1
        is_settling = event.wall < self._since + self._wait.seconds
        if self._streak > self._wait.times and not (is_settling and event.line != last.line):
            return False
        self._last = event
        return True

    @property
    def is_first(self) -> bool:
        """Whether the last event began a state."""
        return self._streak == 1

    def is_confirmed_by(self, wall: float) -> bool:
        """Whether the fold has confirmed the state of the last event by then, if it lasts."""
        return self._streak >= self._wait.times and wall >= self._since + self._wait.seconds

    def _wait_for(self, event: Event) -> Persistence:
        last = self._last
        is_firing = event.alert_state is AlertState.FIRING
        if last is not None and last.alert_state is event.alert_state:
            return self._begin_after if event.severity > last.severity else self._end_after
        return self._begin_after if is_firing else self._end_after
