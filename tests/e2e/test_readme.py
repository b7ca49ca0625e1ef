"""What the README shows is what happens: its blocks are executed as they are written."""

import asyncio
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from notifyd.config.load import load
from notifyd.config.resource_limits import ResourceValue
from notifyd.config.settings import Settings
from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import TRIGGER_TYPES
from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.model.persistence import AT_ONCE
from notifyd.sources.platform.watched_value import ValueWatch
from notifyd.sources.probes.resources.measurement import Measurement
from notifyd.sources.probes.resources.watch import ResourceWatch
from notifyd.sources.schedule.source import ScheduleSource
from notifyd.triggers import Trigger
from support.daemon import wait_for
from support.markdown import blocks, pushes, section
from support.shell import environ, listed, running, shell, typed, wait_for_daemon, wait_for_pushes
from support.wheelhouse import pack

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TRIGGERS = section(README, "## Triggers")
FIVE_MINUTES = section(README, "## Five minutes from a token to a push")


@pytest.mark.timeout(300)  # it installs into a new virtual environment
def test_five_minutes_lead_from_a_token_to_a_push(tmp_path, platform):
    home, wheels = tmp_path, tmp_path / "wheels"  # a socket's path has to be short
    wheels.mkdir()
    needed = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
    pack(wheels, [Requirement(text).name for text in needed])
    env = environ(
        home,
        PIP_NO_INDEX="1",
        PIP_NO_COMPILE="1",
        PIP_FIND_LINKS=str(wheels),
        NOTIFYD_API__URL=platform.url,
    )
    install, token, start, use = blocks(FIVE_MINUTES, "sh")
    (config,) = blocks(FIVE_MINUTES, "toml")
    shell(install, env)
    shell(token, env, given=f"{platform.token}\n")
    with (home / ".config/notifyd/config.toml").open("a") as file:
        file.write(config)
    with running(start, env):
        wait_for_daemon(home)
        shell(use, env)
        wait_for_pushes(platform, FIVE_MINUTES, home)


def test_the_examples_send_the_pushes_that_are_announced(tmp_path, platform):
    env = environ(tmp_path, NOTIFYD_API__URL=platform.url, NOTIFYD_SEND_TOKEN=platform.token)
    config = tmp_path / ".config/notifyd/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("\n".join(blocks(TRIGGERS, "toml")))
    immediate = TRIGGERS.replace(section(TRIGGERS, "### Schedules"), "")
    immediate = immediate.replace(section(TRIGGERS, "### The platform"), "")
    immediate = immediate.replace(section(TRIGGERS, "### Probes"), "")
    with running("notifyd run", env):
        wait_for_daemon(tmp_path)
        for script in blocks(TRIGGERS, "sh"):
            typed(script, env)
        wait_for_pushes(platform, immediate, tmp_path)


async def test_the_schedule_fires_with_the_announced_push():
    """At its time, which the test sets: nobody waits until Monday."""
    text = section(README, "### Schedules")
    ((name, config),) = tomllib.loads(blocks(text, "toml")[0])["triggers"].items()
    trigger = TRIGGER_TYPES["schedule"].model_validate({**config, "timezone": "UTC"})
    monday_at_nine = 1_767_603_600.0
    events, clock, emitted = [], [monday_at_nine], asyncio.Event()

    async def emit(batch):
        events.extend(batch.events)
        emitted.set()

    source = ScheduleSource({name: trigger}, {}, wall=lambda: clock[0], clock_interval=0.01)
    task = asyncio.create_task(source.run(emit))
    for _ in range(2):
        await asyncio.wait_for(emitted.wait(), 45)
        emitted.clear()
        clock[0] = monday_at_nine + 1801
    task.cancel()
    await asyncio.wait({task})
    (event,) = events
    summary = MatchSummary(1, event.wall, event.wall, event.line, (event.line,), (), event)
    assert Trigger(name, trigger, ShapingConfig()).render(summary) == pushes(text)[0]


def test_the_platform_example_makes_the_announced_push():
    text = section(README, "### The platform")
    ((name, config),) = tomllib.loads(blocks(text, "toml")[0])["triggers"].items()
    trigger = TRIGGER_TYPES["oblien"].model_validate(config)
    _, event = ValueWatch(name, trigger).evaluate({"balance": 4.2}, None, 1_767_603_600.0)
    report = ConditionReport.FIRING
    summary = MatchSummary(1, event.wall, event.wall, event.line, (event.line,), (), event, report)
    assert Trigger(name, trigger, ShapingConfig()).render(summary) == pushes(text)[0]


def test_the_probe_makes_the_announced_push():
    text = section(README, "### Probes")
    ((name, config),) = tomllib.loads(blocks(text, "toml")[0])["triggers"].items()
    trigger = TRIGGER_TYPES["resource"].model_validate(config)
    watch = ResourceWatch(name, trigger, begin_after=AT_ONCE, end_after=AT_ONCE)
    title, body = pushes(text)[0]
    measured = Measurement(
        "disk /", title.partition(": ")[2].partition(" (")[0], ResourceValue(96.0, free=3.1 * 2**30)
    )
    event = watch.evaluate(measured, 1_767_603_600.0).event
    event = event._replace(facts={**event.facts, "after": body})
    report = ConditionReport.FIRING
    summary = MatchSummary(1, event.wall, event.wall, event.line, (event.line,), (), event, report)
    assert Trigger(name, trigger, ShapingConfig()).render(summary) == (title, body)


def test_the_demo_shows_what_the_second_shell_does(tmp_path):
    (tmp_path / ".venv").symlink_to(sys.prefix)
    commands, second_shell = blocks(section(README, "## Try it"), "sh")
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", commands, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    (recipe,) = re.findall(r"^run:.*\n\t@(.*)$", makefile, re.MULTILINE)
    recipe = recipe.replace("$(BIN)", ".venv/bin")
    socket = tmp_path / ".demo/notifyd.sock"
    with running(f"{recipe} --port 0", environ(tmp_path), tmp_path):
        wait_for(lambda: listed(socket) is not None)
        typed(second_shell, environ(tmp_path), tmp_path)
        expected = {"disk full", "reports: created results.csv", "jobs failed: status 3", "Hi"}
        wait_for(
            lambda: expected <= {title for title, _ in listed(socket)}, what=lambda: listed(socket)
        )


def test_every_trigger_type_has_an_example():
    shown = [
        trigger["type"]
        for text in blocks(README, "toml")
        for trigger in tomllib.loads(text).get("triggers", {}).values()
    ]
    assert sorted(shown) == sorted(TRIGGER_TYPES)


def test_it_is_short_enough_to_be_read():
    assert len(README.splitlines()) <= 200


def test_the_example_config_is_accepted(tmp_path):
    loaded = load(ROOT / "config.example.toml", {"HOME": str(tmp_path)})
    assert set(loaded.table) <= set(Settings.model_fields)
    # Commented out: what needs credentials, pings, or units of this machine.
    types = {trigger.type for trigger in loaded.settings.triggers.values()}
    assert types == set(TRIGGER_TYPES) - {"oblien", "heartbeat", "unit"}
