"""One heartbeat: what its pings said, and until when the next one is awaited.

Times are seconds on the monotonic line, except where they are called wall-clock times.
"""

from dataclasses import dataclass, replace
from math import inf

from notifyd.model.events import AlertState, Event, Now
from notifyd.model.pings import OUTPUT_KEPT, Ping, PingSignal
from notifyd.shaping.group import NEVER
from notifyd.shaping.rules import HeartbeatRule, Recurrence
from notifyd.text.durations import format_rough

MOST_RUNS = 20
"""Runs of one heartbeat that are known at once; the oldest is forgotten first."""

_GRACE_SHARE = 0.1
_LEAST_GRACE = 30.0
_MOST_GRACE = 3600.0
_EARLY = 60.0
"""Seconds before an expected time in which a ping counts for it: clocks of machines differ."""
_LATE = 5.0
"""Seconds after a deadline beyond which the daemon must have been unable to take pings."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run that has started and not ended. waits_from: when the wait for its end began."""

    id: str
    started: float
    waits_from: float

    @property
    def is_overdue(self) -> bool:
        """Whether it was reported as running for too long."""
        return self.waits_from >= NEVER


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The state of one heartbeat.

    rule_identity: of the rule by which it waits. since: when it was first configured.
    waits_from: when the wait for the next ping began; -1 if it has to restart.
    expected: the wall-clock time of the next ping, where these are given by a recurrence.
    put_off_until: no alarm is given before. deadline: when the next alarm is due.
    pinged_at: the wall-clock time of the last ping; 0 for none. signal: what that said. arrived:
    when the last ping came that was no log; 0 for none. output: the end of the job's last output.
    runs: those that have not ended. runtime: of the last run whose start is known; -1 if there is
    none. down_since: when the condition began that was reported; -1 while all is well.
    """

    rule_identity: str
    since: float
    waits_from: float
    expected: float = 0.0
    put_off_until: float = 0.0
    deadline: float = NEVER
    pinged_at: float = 0.0
    signal: PingSignal | None = None
    arrived: float = 0.0
    output: str = ""
    runs: tuple[JobRun, ...] = ()
    runtime: float = -1.0
    down_since: float = -1.0

    @property
    def is_waiting(self) -> bool:
        return self.waits_from >= 0

    @property
    def is_down(self) -> bool:
        return self.down_since >= 0


def new_heartbeat(rule: HeartbeatRule, now: Now) -> Heartbeat:
    """Return a heartbeat that waits for its first ping."""
    return restart_wait(Heartbeat(rule.identity, now.mono, now.mono), rule, now)


def forget_wait(heartbeat: Heartbeat) -> Heartbeat:
    """Return a heartbeat of an earlier process; its wait restarts with the first rules."""
    return replace(heartbeat, waits_from=-1.0, deadline=NEVER)


def restart_wait(heartbeat: Heartbeat, rule: HeartbeatRule, now: Now) -> Heartbeat:
    """Begin all waits now: what they wait for could not arrive. An expected time is skipped."""
    runs = tuple(
        run if run.is_overdue else replace(run, waits_from=now.mono) for run in heartbeat.runs
    )
    expected = heartbeat.expected if heartbeat.rule_identity == rule.identity else 0.0
    if rule.recurrence is not None:
        upcoming = rule.recurrence.next_time(now.wall)
        is_plausible = now.wall < expected <= rule.recurrence.next_time(upcoming)
        expected = expected if is_plausible else upcoming
    heartbeat = replace(
        heartbeat, rule_identity=rule.identity, waits_from=now.mono, runs=runs, expected=expected
    )
    return _armed(heartbeat, rule, now)


def follow_clock(heartbeat: Heartbeat, rule: HeartbeatRule, now: Now) -> Heartbeat:
    """Adjust the deadline to a wall clock that was set.

    An expected time stays, so that a clock that is set back does not expect a run again, unless the
    clock was ahead of more than one of them.
    """
    if rule.recurrence is None:
        return heartbeat
    upcoming = rule.recurrence.next_time(now.wall)
    if heartbeat.expected > rule.recurrence.next_time(upcoming):
        heartbeat = replace(heartbeat, expected=upcoming)
    return _armed(heartbeat, rule, now)


def receive(
    heartbeat: Heartbeat, rule: HeartbeatRule, ping: Ping, now: Now
) -> tuple[Heartbeat, Event | None]:
    """Return the heartbeat after a ping, and what the ping says about its condition.

    Every end of a run says something; a repetition changes nothing.
    """
    signal, output = ping.signal, ping.output[-OUTPUT_KEPT:]
    was_log, kept = heartbeat.signal is PingSignal.LOG, heartbeat.output
    heartbeat = replace(heartbeat, pinged_at=now.wall, signal=signal)
    if signal is PingSignal.LOG:
        return replace(heartbeat, output=output or kept), None
    heartbeat = replace(heartbeat, arrived=now.mono, waits_from=now.mono, put_off_until=0.0)
    if rule.recurrence is not None:
        heartbeat = replace(heartbeat, expected=_expected_after(rule.recurrence, now.wall))
    if signal is PingSignal.START:
        runs = [run for run in heartbeat.runs if run.id != ping.run]
        runs.append(JobRun(ping.run, now.mono, now.mono))
        heartbeat = replace(heartbeat, runs=tuple(runs[-MOST_RUNS:]), output=output)
        return _armed(heartbeat, rule, now), None
    ended = next((run for run in heartbeat.runs if run.id == ping.run), None)
    runtime = -1.0 if ended is None else now.mono - ended.started
    heartbeat = replace(
        heartbeat,
        runs=tuple(run for run in heartbeat.runs if run is not ended and not run.is_overdue),
        runtime=runtime,
        output=output or (kept if was_log else ""),
    )
    event = _end_event(heartbeat, ping, now)
    down_since = -1.0
    if signal is PingSignal.FAIL:
        down_since = heartbeat.down_since if heartbeat.is_down else now.mono
    return _armed(replace(heartbeat, down_since=down_since), rule, now), event


def check_deadline(
    heartbeat: Heartbeat, name: str, rule: HeartbeatRule, now: Now
) -> tuple[Heartbeat, Event | None]:
    """Return the heartbeat after its deadline, and the alarm, if it is given now.

    If the daemon comes to it too late, pings may be queued that arrived in time, so the alarm is
    put off by as long as the daemon was late.
    """
    late = now.mono - heartbeat.deadline
    if late > _LATE:
        wait = min(late, heartbeat.deadline - heartbeat.waits_from)
        until = now.mono + max(wait, _LATE)
        return _armed(replace(heartbeat, put_off_until=until), rule, now), None
    run = _first_overdue(heartbeat, rule, now)
    if run is None:
        event = _missing_event(heartbeat, name, rule, now)
    else:
        event = _overdue_event(heartbeat, name, run, rule, now)
        runs = tuple(
            replace(each, waits_from=NEVER) if each is run else each for each in heartbeat.runs
        )
        heartbeat = replace(heartbeat, runs=runs)
    return replace(heartbeat, down_since=now.mono, deadline=NEVER), event


def _armed(heartbeat: Heartbeat, rule: HeartbeatRule, now: Now) -> Heartbeat:
    """Return a heartbeat with its next deadline."""
    if heartbeat.is_down:
        return replace(heartbeat, deadline=NEVER)
    deadline = min((run.waits_from + rule.max_runtime for run in heartbeat.runs), default=inf)
    if deadline == inf:
        deadline = _ping_deadline(heartbeat, rule, now)
    return replace(heartbeat, deadline=min(NEVER, max(deadline, heartbeat.put_off_until)))


def _ping_deadline(heartbeat: Heartbeat, rule: HeartbeatRule, now: Now) -> float:
    """Return when the next ping is missed."""
    if rule.recurrence is None:
        return heartbeat.waits_from + rule.every + _grace(rule, rule.every)
    interval = rule.recurrence.next_time(heartbeat.expected) - heartbeat.expected
    return now.mono + heartbeat.expected + _grace(rule, interval) - now.wall


def _grace(rule: HeartbeatRule, interval: float) -> float:
    if rule.grace is not None:
        return rule.grace
    return min(max(interval * _GRACE_SHARE, _LEAST_GRACE), _MOST_GRACE)


def _expected_after(recurrence: Recurrence, wall: float) -> float:
    """Return the next expected time after a ping. A ping that is a little early counts for it."""
    upcoming = recurrence.next_time(wall)
    following = recurrence.next_time(upcoming)
    is_early = upcoming - wall <= min(_EARLY, (following - upcoming) / 4)
    return following if is_early else upcoming


def _first_overdue(heartbeat: Heartbeat, rule: HeartbeatRule, now: Now) -> JobRun | None:
    overdue = (run for run in heartbeat.runs if run.waits_from + rule.max_runtime <= now.mono)
    return min(overdue, key=lambda run: run.waits_from, default=None)


# --- what is reported


def _missing_event(heartbeat: Heartbeat, name: str, rule: HeartbeatRule, now: Now) -> Event:
    if rule.recurrence is None:
        expected = f"every {format_rough(rule.every)}"
    else:
        expected = rule.recurrence.format(heartbeat.expected)
    if heartbeat.arrived:
        elapsed = now.mono - heartbeat.arrived
        what = "no ping for {}"
    else:
        elapsed = now.mono - heartbeat.since
        what = "no ping yet after {}"
    line, facts = f"{what} (expected {expected})", _facts(heartbeat, "missing", "unknown")
    return _alarm(Event(name, now.wall, line, facts=facts), elapsed)


def _overdue_event(
    heartbeat: Heartbeat, name: str, run: JobRun, rule: HeartbeatRule, now: Now
) -> Event:
    line = f"running for {{}} (max_runtime {format_rough(rule.max_runtime)})"
    facts = _facts(heartbeat, "overdue", "unknown")
    return _alarm(Event(name, now.wall, line, facts=facts), now.mono - run.started)


def _alarm(event: Event, elapsed: float) -> Event:
    """Complete an alarm whose line has a place for the time that has elapsed, as reminders need."""
    return event._replace(
        line=event.line.format(format_rough(elapsed)),
        facts={**event.facts, "duration": repr(elapsed), "ongoing": event.line},
        alert_state=AlertState.FIRING,
    )


def _end_event(heartbeat: Heartbeat, ping: Ping, now: Now) -> Event:
    """Describe the end of a run. heartbeat: with that run's figures, otherwise as it was before."""
    if ping.signal is PingSignal.FAIL:
        facts, state = _facts(heartbeat, "failure", "failure"), AlertState.FIRING
        status = "" if ping.exit_status is None else f", status {ping.exit_status}"
        ran = "" if heartbeat.runtime < 0 else f" after {format_rough(heartbeat.runtime)}"
        line = f"failed{status}{ran}"
    else:
        facts, state = _facts(heartbeat, "back", "success"), AlertState.RESOLVED
        down = now.mono - heartbeat.down_since if heartbeat.is_down else 0.0
        ran = "" if heartbeat.runtime < 0 else f", last ran {format_rough(heartbeat.runtime)}"
        line = f"back after {format_rough(down)}{ran}"
    if ping.exit_status is not None:
        facts["exit_code"] = str(ping.exit_status)
    if heartbeat.runtime >= 0:
        facts["duration"] = repr(heartbeat.runtime)
    return Event(ping.heartbeat, now.wall, line, facts=facts, alert_state=state)


def _facts(heartbeat: Heartbeat, kind: str, outcome: str) -> dict[str, str]:
    facts = {"event": kind, "outcome": outcome}
    if heartbeat.output:
        facts["after"] = heartbeat.output
    if heartbeat.pinged_at:
        facts["last_ping"] = repr(heartbeat.pinged_at)
    return facts
