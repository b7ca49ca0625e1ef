"""Which results of a probe the fold needs to see, so that an unchanged result commits nothing."""

from notifyd.model.events import AlertState, Event
from notifyd.model.persistence import Persistence


class ConditionFilter:
    """Admits the events that can change the condition of one trigger. It remembers nothing on disk.

    begin_after, end_after: what `for` and `clear` ask for. An event is admitted if its state or
    severity differs from the last one's, while results are counted (`"3 times"`), and if its line
    is new while the state has to last (`"10m"`), so that the notification shows the last value.
    The first event after a start is always admitted; a state that the fold knows changes nothing.
    """

    def __init__(self, begin_after: Persistence, end_after: Persistence) -> None:
        self._begin_after, self._end_after = begin_after, end_after
        self._last: Event | None = None
        self._since = 0.0
        self._streak = 0

    def admits(self, event: Event) -> bool:
        """Return whether to emit the event of a result; to be called once for each result."""
        last = self._last
        is_firing = event.alert_state is AlertState.FIRING
        persistence = self._begin_after if is_firing else self._end_after
        if last is None or last.alert_state is not event.alert_state:
            self._since = event.wall
        if (
            last is None
            or last.alert_state is not event.alert_state
            or last.severity != event.severity
        ):
            self._last, self._streak = event, 1
            return True
        self._streak += 1
        is_settling = event.wall < self._since + persistence.seconds
        if self._streak > persistence.times and not (is_settling and event.line != last.line):
            return False
        self._last = event
        return True
