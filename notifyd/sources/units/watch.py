"""One watched unit: which failures, starts and stops its states amount to. Pure.

systemd passes through `failed` on the way to an automatic restart. So a failure counts once it is
known whether a restart follows, and the failures of a restart loop are counted together.
Times are seconds of the kernel's monotonic clock.
"""

from dataclasses import dataclass, replace
from enum import Enum
from math import inf
from typing import Final

from notifyd.sources.units.record import UnitRecord
from notifyd.sources.units.status import UnitStatus

FINAL_WAIT: Final = 0.1
"""Seconds that a state must last: systemd leaves a passing one within milliseconds."""
LOOP_WAIT: Final = 2.0
"""Seconds from the first failure of a restart loop until its failures are reported together."""
STABLE_AFTER: Final = 10.0
"""Seconds that a unit must be up before it counts as recovered."""


class ChangeKind(Enum):
    FAILED = "failed"
    RECOVERED = "recovered"
    """It is up again, or its next run succeeded."""
    FORGOTTEN = "forgotten"
    """It was reset, stopped or unloaded after it had failed: it neither fails nor runs."""
    STARTED = "started"
    STOPPED = "stopped"
    FINISHED = "finished"
    """It is inactive after a run in which it was never up, as units of type oneshot are."""


@dataclass(frozen=True, slots=True)
class Change:
    """status: of the failure that this is about, else of the new state.

    failures: since the unit was last well, within `span` seconds. is_restarting: systemd starts it
    again. has_given_up: systemd has done so, and does no more. is_cause_unknown: it was restarted,
    and it is not known why. is_part_of_failure: a start or stop between failures. was_missed: it
    happened while nobody watched. was_reported: before the start of this process.
    """

    kind: ChangeKind
    status: UnitStatus
    failures: int = 0
    span: float = 0.0
    is_restarting: bool = False
    has_given_up: bool = False
    is_cause_unknown: bool = False
    is_part_of_failure: bool = False
    was_missed: bool = False
    was_reported: bool = False


@dataclass(slots=True)
class _Failures:
    """Failures since the unit was last well.

    last: the status of the latest. waiting_since: of the first that is not reported yet.
    """

    last: UnitStatus
    count: int
    first_at: float
    waiting_since: float
    reported: int = 0
    has_given_up: bool = False
    is_cause_unknown: bool = False
    was_missed: bool = False

    @property
    def unreported(self) -> int:
        return self.count - self.reported


class UnitWatch:
    """status: the last one. is_failing: a failure was reported, and its end was not.

    is_unloaded: systemd has forgotten the unit.
    """

    def __init__(self, status: UnitStatus, now: float, record: UnitRecord | None) -> None:
        """Compare the first status with what is stored. record: None if nothing can be compared."""
        self.status = status
        self.is_failing = record is not None and record.is_failing
        self.is_unloaded = False
        self._failing_invocation = record.invocation if record and record.is_failing else ""
        self._failures: _Failures | None = None
        self._was_up = status.is_up
        self._changes: list[Change] = []
        self._report_at = self._settled_at = inf
        missed = _missed_failures(status, record)
        is_known = self.is_failing and status.invocation == self._failing_invocation
        if status.is_failed and is_known and not missed:
            self._failures = self._missed(status, 1, now)
            self._changes = [replace(self._report(self._failures), was_reported=True)]
            return
        if status.is_failed:
            self._failures = self._missed(status, max(1, missed), now)
            self._report_at = now + FINAL_WAIT
            return
        if record is not None and missed:
            self._failures = self._missed(status, missed, now)
            is_proven = record.unreported or not status.may_restart_after_success
            self._failures.is_cause_unknown = not is_proven
            self._report_at = now
        elif record is not None:
            self._compare_runs(status, record)
        self._settle(now)

    def _missed(self, status: UnitStatus, count: int, now: float) -> _Failures:
        return _Failures(status, count, status.changed_at, now, was_missed=True)

    def _compare_runs(self, status: UnitStatus, record: UnitRecord) -> None:
        """Find the start and the stop since the record: a run is known by its invocation."""
        is_same_run = status.invocation == record.invocation or record.is_failing
        if record.is_up and not (status.is_up and is_same_run):
            self._add(ChangeKind.STOPPED, was_missed=True)
        if status.is_up and not (record.is_up and is_same_run):
            self._add(ChangeKind.STARTED, was_missed=True)

    def record(self, boot: str) -> UnitRecord:
        """Return what to store: what was reported, and what waits."""
        failures = self._failures
        invocation = self._failing_invocation if self.is_failing else self.status.invocation
        return UnitRecord(
            boot,
            is_up=self.status.is_up,
            is_failing=self.is_failing,
            invocation=failures.last.invocation if failures is not None else invocation,
            restarts=self.status.restarts,
            unreported=failures.unreported if failures is not None else 0,
        )

    @property
    def deadline(self) -> float:
        """When `take` has changes to return; infinite if nothing is pending."""
        return -inf if self._changes else min(self._report_at, self._settled_at)

    def observe(self, status: UnitStatus, now: float) -> None:
        """Note a status; one that is older than the last is ignored."""
        before = self.status
        if status.changed_at < before.changed_at:
            return
        self.status, self.is_unloaded = status, False
        if (status.changed_at, status.active) == (before.changed_at, before.active):
            self._complete_failure(status)
            return
        if status.is_failed:
            self._was_up = False
            self._add_failure(status, now)
            return
        if status.is_up:
            if not self._was_up:
                self._add(ChangeKind.STARTED)
            self._was_up = True
        elif status.active == "inactive" and not _is_between_runs(before):
            self._add(ChangeKind.STOPPED if self._was_up else ChangeKind.FINISHED)
            self._was_up = False
        self._settle(now)

    def unload(self, now: float) -> None:
        """Note that systemd has forgotten the unit. What is pending is reported all the same."""
        self.is_unloaded = True
        if self._failures is not None or self.is_failing:
            self._settled_at = now

    def take(self, now: float) -> list[Change]:
        """Return the changes that are due, in their order."""
        changes, self._changes = self._changes, []
        is_settled = self._settled_at <= now
        failures = self._failures
        if failures is not None and failures.unreported and (self._report_at <= now or is_settled):
            changes.append(self._report(failures))
        if is_settled:
            if self.is_failing:
                changes.append(self._end())
            self._settled_at, self._failures, self.is_failing = inf, None, False
        return changes

    def _add(self, kind: ChangeKind, *, was_missed: bool = False) -> None:
        is_part = self.is_failing or self._failures is not None
        change = Change(kind, self.status, is_part_of_failure=is_part, was_missed=was_missed)
        self._changes.append(change)

    def _add_failure(self, status: UnitStatus, now: float) -> None:
        """Count a failure, unless this state only follows one: each run fails once."""
        self._settled_at = inf
        failures = self._failures
        if failures is None:
            failures = self._failures = _Failures(status, 0, status.changed_at, now)
        is_new = not failures.count or not status.invocation
        if is_new or status.invocation != failures.last.invocation:
            if not failures.unreported:
                failures.waiting_since = now
            failures.count += 1
            failures.last, failures.has_given_up = status, False
        elif status.active == "failed":
            failures.has_given_up = failures.count > 1
        if failures.unreported:
            loop_ends = failures.waiting_since + LOOP_WAIT
            self._report_at = now + FINAL_WAIT if status.active == "failed" else loop_ends

    def _complete_failure(self, status: UnitStatus) -> None:
        """Replace the status of a failure by a later one: the first may lack how the run ended."""
        failures = self._failures
        if failures is None or not failures.unreported or not status.is_failed:
            return
        if status.invocation == failures.last.invocation:
            failures.last = status

    def _settle(self, now: float) -> None:
        """Decide when the present state, which is no failure, ends the failures."""
        self._settled_at = inf
        if self._failures is None and not self.is_failing:
            return
        if self.status.is_up:
            self._settled_at = max(now, self.status.changed_at + STABLE_AFTER)
        elif self.status.active == "inactive":
            self._settled_at = now + FINAL_WAIT

    def _report(self, failures: _Failures) -> Change:
        failures.reported = failures.count
        self._report_at = inf
        self.is_failing, self._failing_invocation = True, failures.last.invocation
        return Change(
            ChangeKind.FAILED,
            failures.last,
            failures=failures.count,
            span=failures.last.changed_at - failures.first_at,
            is_restarting=self.status.active not in ("failed", "inactive"),
            has_given_up=failures.has_given_up,
            is_cause_unknown=failures.is_cause_unknown,
            was_missed=failures.was_missed,
        )

    def _end(self) -> Change:
        status = self.status
        ran_again = status.invocation not in ("", self._failing_invocation)
        is_well = status.is_up or (status.is_finished and ran_again)
        failures = self._failures.count if self._failures is not None else 0
        kind = ChangeKind.RECOVERED if is_well else ChangeKind.FORGOTTEN
        return Change(kind, status, failures=failures)


def _missed_failures(status: UnitStatus, record: UnitRecord | None) -> int:
    """Count what waited at the record, systemd's restarts since, and a failure now.

    A start by a person resets the number of restarts. The first restart after a failure that
    was known does not mean another one.
    """
    if record is None:
        return 0
    restarts = status.restarts - record.restarts
    if restarts < 0:
        restarts = status.restarts
    elif record.has_failed and not record.is_up:
        restarts = max(0, restarts - 1)
    is_new = status.is_failed and status.invocation != record.invocation
    return record.unreported + restarts + is_new


def _is_between_runs(status: UnitStatus) -> bool:
    """Whether no run is under way: inactive, failed, or waiting for a restart."""
    return status.active in ("inactive", "failed") or status.sub.startswith("auto-restart")
