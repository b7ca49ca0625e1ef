"""What delivery has done since the start: counted for metrics, and logged once per change.

Sending may change to and fro with every attempt, so the same line is logged again only after a
while, and then only if it is still true. A state that lasts is always logged.
"""

from collections import Counter

import structlog

from notifyd.model.attempts import KEPT_IN_INBOX, Outcome, OutcomeKind
from notifyd.model.events import Now
from notifyd.model.notifications import Json
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import PendingDigest

REPEAT_INTERVAL = 600.0
"""Seconds for which the same change is not logged again."""

_FAILURES = (OutcomeKind.FAILED, OutcomeKind.FORBIDDEN)

log = structlog.get_logger()


class DeliveryReporter:
    """outcomes, attempts: counted since the start. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.known_error = ""
        """Why nothing can be sent, as it was logged at the start already."""
        self.outcomes: Counter[OutcomeKind] = Counter()
        self.attempts = 0
        self._last_failed: Outcome | None = None
        self._suppressed: Counter[str] = Counter()
        """Failures that were not logged, by cause."""
        self._logged_state, self._reaches_device = "ok", True
        self._logged_at: dict[str, float] = {}
        self._logged_digest = ""

    def record(self, outcome: Outcome, mono: float) -> None:
        """Count an outcome that is on disk; log a failure."""
        self.outcomes[outcome.kind] += 1
        if outcome.kind not in _FAILURES:
            if self._last_failed and self._last_failed.id == outcome.id:
                self._last_failed = None
            return
        self._last_failed = outcome
        if not self._may_log(f"failed {outcome.cause}", mono):
            self._suppressed[outcome.cause] += 1
            return
        suppressed = self._suppressed.pop(outcome.cause, 0)
        log.warning(
            "notification failed; it stays in history",
            id=outcome.id,
            reason=outcome.reason,
            fix="notifyd retry --all" if suppressed else f"notifyd retry {outcome.id}",
            **({"suppressed": suppressed} if suppressed else {}),
        )

    def report_sending(self, send_state: SendState, mono: float) -> None:
        """Log whether notifications are sent and reach a device, if that has changed."""
        state = f"{send_state.status.value} {send_state.cause}".strip()
        is_ok = send_state.status is SendStatus.OK
        # Every line about a pause is followed by one about its end.
        if state != self._logged_state and (is_ok or self._may_log(state, mono)):
            self._logged_state = state
            if is_ok:
                log.info("sending resumed")
            elif send_state.error != self.known_error:
                log.warning(
                    "sending paused; notifications stay queued",
                    reason=send_state.error,
                    state=send_state.status.value,
                )
        reaches_device = not send_state.no_device_reason
        key = "device" if reaches_device else "no device"
        if reaches_device is not self._reaches_device and self._may_log(key, mono):
            self._reaches_device = reaches_device
            if reaches_device:
                log.info("notifications reach a device again")
            elif send_state.no_device_reason.startswith(KEPT_IN_INBOX):
                log.info("notifications reach no device", note=send_state.no_device_reason)
            else:
                log.warning("notifications reach no device", reason=send_state.no_device_reason)

    def report_budget(self, pending: PendingDigest | None, now: Now) -> None:
        """Log once for each digest that notifications are over the budget.

        pending: that digest, if the last commit changed it.
        """
        if pending is None or pending.id == self._logged_digest:
            return
        self._logged_digest = pending.id
        log.warning(
            "over the budget; notifications are counted in a digest",
            triggers=", ".join(sorted(pending.digest.counts)),
            digest=pending.id,
            due_in=round(max(0.0, pending.due - now.mono), 1),
            fix="raise [budget] max or total, or give urgent triggers priority high",
        )

    def _may_log(self, key: str, mono: float) -> bool:
        """Return whether the line of this key may be logged; if so, it counts as logged."""
        logged_at = self._logged_at.get(key)
        if logged_at is not None and mono - logged_at < REPEAT_INTERVAL:
            return False
        self._logged_at[key] = mono
        return True

    def summary(self) -> Json:
        """Return the counts and the last failure for the status."""
        failed = self._last_failed
        return {
            "attempts": self.attempts,
            "outcomes": {kind.value: self.outcomes[kind] for kind in OutcomeKind},
            "last_failed": {"id": failed.id, "reason": failed.reason} if failed else None,
        }
