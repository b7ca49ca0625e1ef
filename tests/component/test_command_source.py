"""The command source with real commands: what it hands over, and when."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import CommandTriggerConfig
from notifyd.model.errors import SourceError
from notifyd.sources.probes.commands.changed_output import KnownOutput, decode_output, terms_of
from notifyd.sources.probes.commands.source import CommandSource, CommandSourceOptions
from support.commands import long_sleep, wait_until_gone, wait_until_running
from support.daemon import wait_for
from support.stored import golden


def config(run, every=0.02, **keys):
    """Return a trigger that runs more often than a configuration allows."""
    read = CommandTriggerConfig.model_validate({"run": run, "timeout": "1m"} | keys)
    return read.model_copy(update={"every": every})


def source(triggers, checkpoints=None):
    shapings = {name: trigger.shaping(ShapingConfig()) for name, trigger in triggers.items()}
    options = CommandSourceOptions(triggers, shapings, lambda: 1000.0)
    return CommandSource(options, checkpoints or {})


class Committed:
    """Keeps what a source commits."""

    def __init__(self, checkpoints=None):
        self.batches, self.events, self.checkpoints = 0, [], dict(checkpoints or {})

    async def emit(self, batch):
        self.batches += 1
        self.events += batch.events
        for key, value in batch.checkpoints.items():
            if value is None:
                self.checkpoints.pop(key)
            else:
                self.checkpoints[key] = value

    def outcomes(self):
        return [event.facts.get("outcome") for event in self.events]


@asynccontextmanager
async def running(made, committed):
    task = asyncio.create_task(made.run(committed.emit))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(condition, what=""):
    await asyncio.to_thread(wait_for, condition, 45.0, what)


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def count(path):
    return path.read_text().count("\n") if path.exists() else 0


async def test_a_result_is_reported_when_it_changes_and_an_unchanged_one_commits_nothing(tmp_path):
    bad, runs = tmp_path / "bad", tmp_path / "runs"
    made = source({"t": config(f"echo run >> {runs}; echo $$; test ! -e {bad}")})
    committed = Committed()
    async with running(made, committed):
        await until(lambda: count(runs) > 3)
        assert (committed.batches, committed.outcomes()) == (2, ["success"])
        bad.touch()
        await until(lambda: len(committed.events) > 1)
        seen = count(runs)
        await until(lambda: count(runs) > seen + 3)
        bad.unlink()
        await until(lambda: len(committed.events) > 2)
    assert committed.outcomes() == ["success", "failure", "success"]
    assert [event.alert_state.value for event in committed.events] == ["ended", "began", "ended"]


async def test_results_are_handed_over_as_often_as_for_counts_them(tmp_path):
    runs = tmp_path / "runs"
    made = source({"t": config(f"echo run >> {runs}; false", **{"for": "3 times"})})
    committed = Committed()
    async with running(made, committed):
        await until(lambda: count(runs) > 5)
    assert committed.outcomes() == ["failure"] * 3


async def test_a_command_never_runs_twice_at_once_and_times_that_pass_are_left_out(tmp_path):
    lock, runs, twice = tmp_path / "lock", tmp_path / "runs", tmp_path / "twice"
    script = f"mkdir {lock} || touch {twice}; sleep 0.1; echo run >> {runs}; rmdir {lock}"
    async with running(source({"t": config(script, every=0.01)}), Committed()):
        await until(lambda: count(runs) > 3)
    assert not twice.exists()


async def test_the_first_starts_are_spread_and_a_slow_command_holds_up_no_other(tmp_path):
    gate, order = tmp_path / "gate", tmp_path / "order"
    triggers = {
        "slow": config(f"echo slow >> {order}; until test -e {gate}; do sleep 0.05; done"),
        "second": config(f"echo second >> {order}", every=0.3),
    }
    async with running(source(triggers), Committed()):
        await until(lambda: count(order) > 2)
        gate.touch()
    assert order.read_text().split()[:3] == ["slow", "second", "second"]


async def test_a_command_that_cannot_start_is_unknown_and_in_status_until_it_can(tmp_path):
    program = tmp_path / "check"
    made, committed = source({"t": config([str(program)])}), Committed()
    async with running(made, committed):
        await until(lambda: committed.events)
        assert committed.outcomes() == ["unknown"]
        (problem,) = made.health().messages
        assert problem == f"t: cannot start {program}: No such file or directory"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        await until(lambda: len(committed.events) > 1, committed.events)
        await until(lambda: committed.outcomes()[-1] == "success")
        assert made.health().messages == []


async def test_stopping_the_source_kills_what_runs():
    sleep = long_sleep()
    async with running(source({"t": config(f"{sleep} & wait")}), Committed()):
        await asyncio.to_thread(wait_until_running, sleep)
    await asyncio.to_thread(wait_until_gone, sleep)


async def test_a_runner_that_is_killed_ends_the_source_with_a_reason():
    sleep = long_sleep()
    made = source({"t": config(sleep.split())})
    task = asyncio.create_task(made.run(Committed().emit))
    (pid,) = await asyncio.to_thread(wait_until_running, sleep)
    os.kill(parent_of(pid), signal.SIGKILL)
    with pytest.raises(SourceError, match="the process that runs commands has ended"):
        await asyncio.wait_for(task, 45)
    await asyncio.to_thread(wait_until_gone, sleep)


async def test_changes_of_the_output_are_reported_once_also_over_a_restart(tmp_path):
    value = tmp_path / "value"
    value.write_text("one\n")
    triggers = {"t": config(f"cat {value}", check="changed")}
    committed = Committed()
    async with running(source(triggers), committed):
        await until(lambda: committed.checkpoints)
    value.write_text("two\n")
    async with running(source(triggers, committed.checkpoints), committed):
        await until(lambda: "one → two" in [event.line for event in committed.events])
    again = Committed(committed.checkpoints)
    async with running(source(triggers, committed.checkpoints), again):
        await until(lambda: again.events)
    assert again.outcomes() == ["success"]
    value.unlink()
    async with running(source(triggers, again.checkpoints), again):
        await until(lambda: "unknown" in again.outcomes())
    assert again.checkpoints == committed.checkpoints


async def test_another_command_is_not_compared_with_the_last_output(tmp_path):
    committed = Committed()
    async with running(source({"t": config("echo a", check="changed")}), committed):
        await until(lambda: committed.checkpoints)
    before = dict(committed.checkpoints)
    made = source({"t": config("echo b", check="changed")}, before)
    async with running(made, committed):
        await until(lambda: committed.checkpoints != before)
    assert all(event.facts["check"] == "changed" for event in committed.events)
    assert all(event.alert_state for event in committed.events)


async def test_checkpoints_of_triggers_that_are_gone_are_deleted():
    committed = Committed({"command:gone": "x"})
    async with running(source({"t": config("true")}, committed.checkpoints), committed):
        await until(lambda: committed.batches)
    assert committed.checkpoints == {}


def test_a_stored_output_is_read_as_it_was_written():
    key, value = golden("command-output")
    terms = terms_of(["/bin/sh", "-c", "cat /etc/version"])
    known = KnownOutput.of("12.8\n")
    assert decode_output(value, terms) == known
    assert (key, known.encode(terms)) == ("command:version", value)
    assert decode_output(value, "other terms") is None


async def test_an_unusable_stored_output_is_discarded_with_a_sentence():
    committed = Committed({"command:t": "[]"})
    made = source({"t": config("true", check="changed")}, committed.checkpoints)
    with capture_logs() as logs:
        async with running(made, committed):
            await until(lambda: logs)
    assert "discarded the stored last output of trigger t" in logs[0]["event"]
