"""`stalled`: the number that stands still, in lines and in bars: real files, virtual time."""

import json
import tomllib
from pathlib import Path

import pytest

from notifyd.config.shaping import ShapingConfig
from notifyd.shaping.summaries import summarize
from notifyd.sources.records.progress import Place, ProgressTimer, WatchedNumber
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues
from notifyd.triggers.trigger import Trigger
from support.logs import VirtualDaemon, running, trigger
from support.markdown import blocks, section
from support.stored import golden

ROOT = Path(__file__).parents[2]

STEPS = r"step (?P<progress>\d+)"
BARS = r"(?P<progress>\d+)%\|"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "train.log"
    path.touch()
    return path


def daemon_of(log, patterns=STEPS, **keys):
    return VirtualDaemon({"t": trigger(log, patterns=patterns, **{"stalled": "1m"} | keys)})


def write(log, text):
    with log.open("a") as file:
        file.write(text)


def wait(daemon, seconds):
    """Let time pass in small steps, as a large one would be a gap."""
    for _ in range(seconds):
        daemon.pass_time(1)


def states(daemon):
    return [(event.alert_state.value, event.facts["value"]) for event in daemon.events]


def test_a_number_that_stands_still_is_reported_once_and_when_it_moves(log):
    daemon = daemon_of(log)
    write(log, "step 1\n")
    daemon.poll_all()
    daemon.events.clear()  # that it moves is said once, in case it had stalled before the start
    wait(daemon, 50)
    write(log, "step 2\n")
    wait(daemon, 59)
    assert daemon.events == []
    write(log, "step 2\nvalidation loss 0.3\n")
    wait(daemon, 10)
    assert daemon.lines() == [f"stalled at 2 for 1m in {log}"]
    wait(daemon, 300)
    write(log, "step 3\n")
    wait(daemon, 1)
    assert daemon.lines()[1:] == [f"moving again at 3 in {log}"]


def test_a_progress_bar_without_a_single_newline(log):
    daemon = daemon_of(log, BARS)
    for percent in range(0, 40, 2):
        write(log, f"\r {percent}%|\x1b[32m##\x1b[0m  | {percent}/100 [00:10<00:20]")
        wait(daemon, 30)
    assert [state for state, _ in states(daemon)] == ["ended"]
    wait(daemon, 60)
    assert states(daemon)[1:] == [("began", "38%")]
    title, body = Trigger("train", daemon.triggers["t"], ShapingConfig()).render(
        summarize(daemon.events[-1:])
    )
    assert title == "train: stalled at 38%"
    assert body == f"stalled at 38% for 1m in {log}\n 38%|##  | 38/100 [00:10<00:20]"
    write(log, "\r 40%|##  | 40/100")
    wait(daemon, 2)
    assert states(daemon)[2:] == [("ended", "40%")]


def test_the_recipe_watches_the_bars_of_tqdm(log):
    recipe = section((ROOT / "docs/recipes.md").read_text(), "## Training runs")
    found = next(text for text in blocks(recipe, "toml") if "stalled" in text)
    ((name, config),) = tomllib.loads(found)["triggers"].items()
    daemon = VirtualDaemon({"t": trigger(log, patterns=config["patterns"], stalled="1m")})
    bar = " 42%|\u2588\u2588  | {}/10000 [3:10:11<4:20:00,  1.00it/s]"
    for step in (4209, 4210):
        write(log, f"\r{bar.format(step)}")
        wait(daemon, 2)
    wait(daemon, 60)
    title, _ = Trigger(name, daemon.triggers["t"], ShapingConfig()).render(
        summarize(daemon.events[-1:])
    )
    assert f"Push: `{title}`" in recipe


async def test_the_kernel_wakes_the_source_for_a_bar_and_a_timer_when_it_stands_still(log):
    async with running(trigger(log, patterns=BARS, stalled="1s")) as seen:
        write(log, "\r1%|")
        await seen.until(lambda: any(event.alert_state == "began" for event in seen.events))
        write(log, "\r2%|")
        await seen.until(lambda: "moving again at 2%" in seen.lines[-1])


def test_a_bar_is_looked_at_once_a_second_at_most(log):
    daemon = daemon_of(log, BARS)
    write(log, "1%|")
    daemon.poll_all()
    looked_at = daemon.now
    for percent in range(2, 9):
        write(log, f"\r{percent}%|")
        daemon.pass_time(0.1)
        assert daemon.batch.wake_at == looked_at + 1.0
    wait(daemon, 1)
    wait(daemon, 60)
    assert states(daemon)[-1] == ("began", "8%")


def test_a_line_longer_than_any_buffer_is_seen_by_its_end(log):
    daemon = daemon_of(log, BARS)
    write(log, "".join(f"\r{number // 300}%|{'#' * 60}" for number in range(9000)))
    wait(daemon, 2)
    write(log, "\r30%|")
    wait(daemon, 62)
    assert states(daemon)[-1] == ("began", "30%")


@pytest.mark.parametrize(
    ("patterns", "lines"),
    [
        (STEPS, ["step 9/10", "step 10/10"]),
        (BARS, ["99%|", "100%|"]),
        (r"(?P<progress>\d+) of (?P<total>\d+)", ["9 of 10", "10 of 10"]),
        ([STEPS, "(?P<done>Training finished)"], ["step 7", "Training finished"]),
    ],
)
def test_a_number_that_is_complete_does_not_stall(log, patterns, lines):
    daemon = daemon_of(log, patterns)
    for line in lines:
        write(log, f"{line}\n")
        wait(daemon, 1)
    wait(daemon, 200)
    assert "began" not in [event.alert_state for event in daemon.events]
    write(log, f"{lines[0]}\n")
    wait(daemon, 200)
    assert daemon.events[-1].alert_state == "began"


def test_a_lower_number_as_of_the_next_epoch_is_movement(log):
    daemon = daemon_of(log)
    for step in (8, 9, 0, 1):
        write(log, f"step {step}\n")
        wait(daemon, 40)
    assert [state for state, _ in states(daemon)] == ["ended"]


def test_what_is_complete_ends_the_condition(log):
    daemon = daemon_of(log)
    write(log, "step 9/10\n")
    wait(daemon, 70)
    write(log, "step 10/10\n")
    wait(daemon, 100)
    assert states(daemon)[-2:] == [("began", "9/10"), ("ended", "10/10")]


def test_lines_with_a_number_are_no_matches_and_all_others_are(log):
    daemon = daemon_of(log, ["ERROR", STEPS])
    write(log, "step 1\nERROR at step 2\nstep 3\n")
    wait(daemon, 1)
    assert [event.line for event in daemon.events if not event.alert_state] == ["ERROR at step 2"]


def test_what_is_at_the_end_of_a_log_at_the_first_start_is_no_progress(log):
    write(log, "step 1\n 47%|####")
    daemon = daemon_of(log, [STEPS, BARS])
    wait(daemon, 200)
    assert daemon.events == []
    write(log, "\r 48%|####")
    wait(daemon, 100)
    assert states(daemon)[-1] == ("began", "48%")


def test_a_restart_restarts_the_wait_and_forgets_nothing(log):
    daemon = daemon_of(log, BARS)
    write(log, "1%|")
    wait(daemon, 2)
    daemon.restart()
    wait(daemon, 55)
    assert "began" not in [state for state, _ in states(daemon)]
    wait(daemon, 10)
    assert states(daemon)[-1] == ("began", "1%")
    daemon.events.clear()
    daemon.restart()
    wait(daemon, 200)
    assert daemon.events == []
    write(log, "\r2%|")
    wait(daemon, 2)
    assert states(daemon) == [("ended", "2%")]


def test_what_moved_while_the_daemon_was_down_is_over(log):
    daemon = daemon_of(log, BARS)
    write(log, "1%|")
    wait(daemon, 70)
    daemon.kill()
    write(log, "\r2%|")
    daemon.start()
    wait(daemon, 2)
    assert states(daemon)[-1] == ("ended", "2%")


def test_a_gap_begins_the_wait_again(log):
    daemon = daemon_of(log)
    write(log, "step 1\n")
    wait(daemon, 50)
    daemon.pass_time(3600)
    wait(daemon, 55)
    assert "began" not in [state for state, _ in states(daemon)]
    wait(daemon, 10)
    assert states(daemon)[-1] == ("began", "1")


def test_of_several_logs_the_first_that_stalls_begins_and_the_last_that_moves_ends(tmp_path):
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    daemon = VirtualDaemon({"t": trigger(tmp_path / "*.log", patterns=STEPS, stalled="1m")})
    write(first, "step 1\n")
    wait(daemon, 30)
    write(second, "step 7\n")
    wait(daemon, 100)
    write(first, "step 2\n")
    wait(daemon, 10)
    write(second, "step 8\n")
    wait(daemon, 10)
    assert states(daemon)[1:] == [("began", "1"), ("ended", "8")]


def test_with_group_by_path_each_log_has_a_condition_of_its_own(tmp_path):
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    config = trigger(tmp_path / "*.log", patterns=STEPS, stalled="1m", group_by="path")
    daemon = VirtualDaemon({"t": config})
    write(first, "step 1\n")
    write(second, "step 7\n")
    wait(daemon, 100)
    assert sorted(states(daemon)[1:]) == [("began", "1"), ("began", "7")]
    assert {event.path for event in daemon.events} == {str(first), str(second)}


def test_a_number_under_json_is_the_value_of_the_key(log):
    daemon = daemon_of(log, ".", format="json")
    write(log, json.dumps({"msg": "training", "progress": 5}) + "\n")
    wait(daemon, 100)
    assert states(daemon)[-1] == ("began", "5")


def test_the_stored_number_is_a_format_of_its_own(log):
    key, value = golden("log-stalled")
    assert WatchedNumber("9", "9/10", "step 9/10", is_stalled=True).encode() == value
    assert WatchedNumber.decode(value).shown == "9/10"
    with pytest.raises(CheckpointValueError):
        WatchedNumber.decode("{}")
    daemon = daemon_of(log)
    daemon.kill()
    daemon.checkpoints |= {key.replace("PATH", str(log)): "{}", "log:stalled:gone:/x": value}
    daemon.start()
    wait(daemon, 2)
    assert not any(key.startswith("log:stalled:") for key in daemon.checkpoints)
    assert "it is watched again once its number moves" in daemon.problems[0]


def test_the_number_of_a_log_with_a_name_of_any_bytes_is_stored_and_restored(tmp_path):
    log = tmp_path / "caf\udce9.log"
    log.touch()
    daemon = daemon_of(log)
    write(log, "step 1\n")
    wait(daemon, 1)
    [key] = [key for key in daemon.checkpoints if key.startswith("log:stalled:")]
    assert key.encode().endswith(rb"caf\udce9.log")
    daemon.restart()
    wait(daemon, 61)
    assert daemon.lines()[-1] == f"stalled at 1 for 1m in {log}"


@pytest.mark.parametrize("share", ["42,13", "7,5"])
def test_a_decimal_comma_does_not_make_a_number_complete(log, share):
    daemon = daemon_of(log, patterns=r"(?P<progress>[\d,]+)%")
    write(log, f"{share}%\n")
    wait(daemon, 61)
    assert daemon.lines()[-1] == f"stalled at {share}% for 1m in {log}"


def test_the_oldest_number_gives_way_to_more_than_a_thousand(log):
    keys = {"t": trigger(log, patterns=STEPS, stalled="1m")}
    timer = ProgressTimer(keys, {}, prefix="p:", refused=RefusedValues("log"))
    timer.begin_poll(0.0)
    for number in range(1001):
        timer.observe(Place("t", f"/{number}"), {"progress": "1"}, "step 1", 0.0)
    stored = timer.take_changes()
    assert stored.pop("p:t:/0") is None
    assert len(stored) == 1000
    assert None not in stored.values()
