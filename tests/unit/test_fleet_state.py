"""The state of a workspace, in virtual time."""

from dataclasses import replace

import pytest

from notifyd.relay.fleet_notices import NoticeBatch, back_notices, missing_notices
from notifyd.relay.fleet_schemas import ReportRequest, format_report, parse_report
from notifyd.relay.fleet_state import (
    LONGEST_QUIET,
    UPDATE_LIMIT,
    Announcement,
    FleetReport,
    Workspace,
    WorkspaceState,
    WorstTrigger,
    allowed_silence,
    derive_state,
    due_time,
    find_reasons,
    quiet_time,
)

T0 = 1_800_000_000.0
SILENCE = allowed_silence()


def workspace(report: FleetReport | None = None, **fields) -> Workspace:
    report = report or FleetReport()
    return Workspace("w", report, T0, due_time(report, T0), **fields)


def announced(announcement: Announcement) -> FleetReport:
    return FleetReport(announcement=announcement)


def test_three_intervals_and_the_jitter_may_pass_before_a_workspace_is_missing() -> None:
    silent = workspace()
    assert 180 < SILENCE < 240
    assert derive_state(silent, T0 + SILENCE - 1) is WorkspaceState.OK
    assert derive_state(silent, T0 + SILENCE) is WorkspaceState.MISSING
    slow = workspace(FleetReport(interval=3600))
    assert derive_state(slow, T0 + 3 * 3600) is WorkspaceState.OK
    assert derive_state(silent, T0 - 1e6) is WorkspaceState.OK, "the clock was set back"


@pytest.mark.parametrize("announcement", [Announcement.STOPPING, Announcement.SLEEPING])
def test_who_announced_a_stop_or_sleep_is_asleep_and_never_missing(announcement) -> None:
    resting = workspace(announced(announcement))
    for later in (0, SILENCE, 1e8):
        assert derive_state(resting, T0 + later) is WorkspaceState.ASLEEP


def test_an_update_may_take_longer_but_not_for_ever() -> None:
    updating = workspace(announced(Announcement.UPDATING))
    assert derive_state(updating, T0 + SILENCE + 1) is WorkspaceState.UPDATING
    assert derive_state(updating, T0 + UPDATE_LIMIT) is WorkspaceState.MISSING


def test_an_ephemeral_workspace_is_never_missing() -> None:
    passing = workspace(is_ephemeral=True)
    assert derive_state(passing, T0) is WorkspaceState.OK
    assert derive_state(passing, T0 + SILENCE) is WorkspaceState.EPHEMERAL
    stopped = workspace(announced(Announcement.STOPPING), is_ephemeral=True)
    assert derive_state(stopped, T0) is WorkspaceState.EPHEMERAL


@pytest.mark.parametrize("outage", [61, 300, 600, 3599])
def test_after_an_outage_of_the_relay_its_length_passes_before_anybody_is_missing(outage) -> None:
    back = T0 + outage
    quiet_until = quiet_time(T0, back)
    assert quiet_until == back + max(outage, SILENCE)
    assert derive_state(workspace(), quiet_until - 1, quiet_until) is WorkspaceState.OK
    assert derive_state(workspace(), quiet_until, quiet_until) is WorkspaceState.MISSING


def test_a_restart_of_the_relay_is_no_outage_and_the_wait_after_a_long_one_is_bounded() -> None:
    assert quiet_time(T0, T0 + 20) <= T0 + 20
    assert quiet_time(T0, T0 - 1000) <= T0
    assert quiet_time(T0, T0 + 86_400) == T0 + 86_400 + LONGEST_QUIET


@pytest.mark.parametrize(
    ("report", "state", "reasons"),
    [
        (FleetReport(), "ok", []),
        (FleetReport(waiting=3, oldest_age=30), "ok", []),
        (FleetReport(waiting=3, oldest_age=1200), "warning", ["notifications wait for 20 min"]),
        (FleetReport(problems=2), "warning", ["2 problems"]),
        (FleetReport(worst=WorstTrigger("disk", T0, "warning")), "warning", ["disk: warning"]),
        (FleetReport(worst=WorstTrigger("disk", T0, "")), "warning", ["disk: firing"]),
        (FleetReport(worst=WorstTrigger("gpu", T0, "critical")), "failing", ["gpu: critical"]),
        (FleetReport(token="missing"), "failing", ["token missing"]),
        (FleetReport(state="token_refused", token="refused"), "failing", ["token refused"]),
        (
            FleetReport(state="source_dead", problems=1),
            "failing",
            ["a source has ended", "1 problem"],
        ),
    ],
)
def test_the_state_while_it_reports_is_that_of_the_worst(report, state, reasons) -> None:
    assert derive_state(workspace(report), T0) == state
    assert find_reasons(report) == reasons


def test_a_report_is_stored_and_read_again_whole() -> None:
    report = FleetReport("1.2", "box", "waiting", Announcement.AWAKE, 30.0, 4, 9.0, "ok")
    report = replace(report, worst=WorstTrigger("disk", T0, "failure"), problems=1, slept=60.0)
    assert parse_report(format_report(report)) == report
    assert parse_report('{"announcement": "of a later version"}') == FleetReport()
    assert ReportRequest.model_validate({}).report() == FleetReport()


def test_few_losses_are_said_one_by_one_and_many_at_once() -> None:
    few = NoticeBatch({"a": T0, "b": T0}, 0, 1000)
    assert [note.workspace_id for note in missing_notices(few, T0)] == ["a", "b"]
    many = NoticeBatch({f"w{number}": T0 + 60 for number in range(200)}, 12, 1000, T0)
    (note,) = missing_notices(many, T0 + 300)
    assert note.title.startswith("212 of 1,000 workspaces missing since ")
    assert note.body.endswith(", and 180 more")
    assert missing_notices(few._replace(since={}), T0) == []


def test_who_is_back_is_said_with_how_long_it_was_away() -> None:
    (note,) = back_notices(NoticeBatch({"a": T0 + 720}, 0, 1), {"a": T0})
    assert (note.title, note.data["outcome"]) == ("a is back after 12 min", "recovered")
    many = NoticeBatch({f"w{number}": T0 for number in range(212)}, 3, 1000)
    (note,) = back_notices(many, {})
    assert note.title == "212 workspaces are back; 3 still missing"
