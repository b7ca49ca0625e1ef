"""What delivery did since the start, and its news for the daemon's log: each once per change.

Things may change to and fro at every attempt, so the same news is told again only after a while.
What is the case then is told then, so a trouble that stays is never left untold.
"""

from collections import Counter

import structlog

from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.notifications import Json
from notifyd.shaping.send_state import SendState, SendStatus

QUIET = 600.0
"""Seconds for which the same news is not told again."""

log = structlog.get_logger()


class DeliveryReporter:
    """outcomes, attempts: counted since the start, as metrics want it. Times are monotonic."""

    def __init__(self) -> None:
        self.outcomes: Counter[OutcomeKind] = Counter()
        self.attempts = 0
        self._failed: Outcome | None = None
        self._untold: Counter[str] = Counter()
        self._sending, self._reaching = "ok", "device"
        self._told: dict[str, float] = {}

    def record(self, outcome: Outcome, mono: float) -> None:
        """Take note of an outcome that is on disk."""
        self.outcomes[outcome.kind] += 1
        if outcome.kind not in (OutcomeKind.FAILED, OutcomeKind.FORBIDDEN):
            if self._failed and self._failed.id == outcome.id:
                self._failed = None
            return
        self._failed = outcome
        if not self._is_news(f"failed {outcome.cause}", mono):
            self._untold[outcome.cause] += 1
            return
        untold = self._untold.pop(outcome.cause, 0)
        log.warning(
            "a notification failed and is kept",
            id=outcome.id,
            reason=outcome.reason,
            mend="notifyd retry --all" if untold else f"notifyd retry {outcome.id}",
            **({"untold_before": untold} if untold else {}),
        )

    def report_sending(self, gate: SendState, mono: float) -> None:
        """Tell how sending is, where that is news."""
        state = f"{gate.status.value} {gate.cause}".strip()
        if state != self._sending and self._is_news(state, mono):
            self._sending = state
            if gate.status is SendStatus.OK:
                log.info("notifications are delivered again")
            else:
                log.warning("notifications wait", reason=gate.error, state=gate.status.value)
        reaching = "nobody" if gate.no_device_reason else "device"
        if reaching != self._reaching and self._is_news(reaching, mono):
            self._reaching = reaching
            if gate.no_device_reason:
                log.warning("notifications reach no device", reason=gate.no_device_reason)
            else:
                log.info("notifications reach a device again")

    def _is_news(self, news: str, mono: float) -> bool:
        told = self._told.get(news)
        if told is not None and mono - told < QUIET:
            return False
        self._told[news] = mono
        return True

    def summary(self) -> Json:
        """Say for the status what was counted, and what failed last."""
        failed = self._failed
        return {
            "attempts": self.attempts,
            "outcomes": {verdict.value: self.outcomes[verdict] for verdict in OutcomeKind},
            "last_failed": {"id": failed.id, "reason": failed.reason} if failed else None,
        }
