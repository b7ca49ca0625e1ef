"""The unit source on a real D-Bus daemon, with a scripted manager: what it reports, and when."""

import asyncio
import shutil
import stat
import subprocess
import sys
import time
import tracemalloc
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus

from notifyd.config.triggers import UnitTriggerConfig
from notifyd.model.events import ENDED_QUIETLY, AlertState
from notifyd.sources.units.log_lines import UnitLog
from notifyd.sources.units.options import UnitSourceOptions, bus_address, default_bus
from notifyd.sources.units.registry import terms_key, unit_key
from notifyd.sources.units.source import UnitSource
from notifyd.sources.units.status import UnitStatus
from support.recorder import Recorder
from support.stored import golden
from support.systemd_manager import PROPERTIES, UNIT, BusDaemon, Manager, manager_on

pytestmark = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed"
)
FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED


@pytest.fixture
def bus(tmp_path):
    daemon = BusDaemon(tmp_path)
    yield daemon
    daemon.stop()


@pytest.fixture
def started_bus(bus):
    bus.start()
    return bus


@pytest.fixture
async def manager(started_bus):
    async with manager_on(started_bus) as running:
        yield running


@dataclass
class Seen:
    """A running source and what it has reported."""

    source: UnitSource
    recorder: Recorder

    @property
    def events(self):
        return self.recorder.events

    @property
    def lines(self):
        return self.recorder.lines

    async def until(self, count):
        await self.recorder.until(lambda: len(self.events) >= count)
        assert len(self.events) == count, self.lines


@asynccontextmanager
async def watching(
    bus, checkpoints=None, *, journalctl=("false",), boot="boot", delay=0.02, **config
):
    """Run a source with one trigger from its first look on."""
    trigger = UnitTriggerConfig.model_validate({"units": ["web.service"], **config})
    options = UnitSourceOptions(
        {"web": trigger},
        {"web": True},
        {"web": 1},
        {"DBUS_SYSTEM_BUS_ADDRESS": bus.address},
        0,
        boot,
        time.time,
        journalctl,
        (delay,),
    )
    recorder = Recorder(checkpoints)
    source = UnitSource(options, recorder.checkpoints)
    running = asyncio.create_task(source.run(recorder.emit))
    try:
        await recorder.until(lambda: bool(recorder.batches))
        yield Seen(source, recorder)
    finally:
        running.cancel()
        await asyncio.wait([running])


def journalctl_of(folder, lines):
    """Return a command that shows these lines at its second call, and systemd's own at each."""
    own = "".join(f"_SYSTEMD_UNIT=web.service\\nMESSAGE={line}\\n\\n" for line in lines)
    script = folder / "journalctl"
    script.write_text(
        f"""#!/bin/sh
case "$*" in *--since=@1699999999.95*_SYSTEMD_UNIT=web.service*) ;; *) exit 1;; esac
if [ -e {folder}/called ]; then printf '{own}'; fi
printf '_SYSTEMD_UNIT=init.scope\\nMESSAGE=Main process exited\\n\\n'
touch {folder}/called
"""
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return (str(script),)


async def test_a_failure_is_reported_with_its_status_and_the_last_lines(
    started_bus, manager: Manager, tmp_path
):
    journalctl = journalctl_of(tmp_path, ["starting", "cannot bind port 80"])
    async with watching(started_bus, journalctl=journalctl) as seen:
        await manager.start("web.service")
        await manager.start("other.service")
        await manager.fail("other.service", 1)
        await manager.fail("web.service", 42)
        await seen.until(1)
        [event] = seen.events
        assert event.line == "web.service: main process exited with status 42"
        assert event.alert_state is FIRING
        assert event.facts["after"] == "starting\ncannot bind port 80"
        wanted = {"unit": "web.service", "event": "failed", "outcome": "failure"}
        assert event.facts.items() >= wanted.items()
        assert (event.facts["exit_code"], event.facts["result"]) == ("42", "exit-code")
        assert seen.source.health().watching == 1


async def test_a_huge_entry_of_the_journal_is_read_in_little_memory():
    head = r"printf '_SYSTEMD_UNIT=web.service\nMESSAGE='"
    script = rf"{head}; head -c 32M /dev/zero | tr '\0' x; echo; echo"
    log = UnitLog(("sh", "-c", script), 0)
    status = UnitStatus("web.service", "failed", started_wall=1.0)
    tracemalloc.start()
    try:
        [line] = await log.last_lines(status, 5)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert line.startswith("xxx")
    assert line.endswith("x…")


async def test_starts_stops_and_globs(started_bus, manager: Manager):
    async with watching(
        started_bus, units=["web@*.service"], on=["started", "stopped"], tail_lines=0
    ) as seen:
        await manager.start("web@1.service")
        await manager.start("webby.service")
        await manager.reset("web@1.service")
        await seen.until(2)
        assert seen.lines == ["web@1.service started", "web@1.service stopped"]
        assert seen.source.health().watching == 1


async def test_a_recovery_is_reported_once_and_a_reset_ends_quietly(started_bus, manager: Manager):
    async with watching(started_bus) as seen:
        await manager.start("web.service")
        await manager.fail("web.service", 1)
        await seen.until(1)
        await manager.start("web.service")
        await seen.until(2)
        assert (seen.lines[-1], seen.events[-1].alert_state) == (
            "web.service runs again",
            RESOLVED,
        )
        await manager.fail("web.service", 1)
        await seen.until(3)
        await manager.reset("web.service")
        await seen.until(4)
        assert seen.events[-1].facts["event"] == ENDED_QUIETLY
        await seen.recorder.until(
            lambda: unit_key("system", "web.service") not in seen.recorder.checkpoints
        )


async def test_a_unit_that_is_unloaded_as_it_fails_is_reported(started_bus, manager: Manager):
    async with watching(started_bus, units=["job-*"]) as seen:
        await manager.start("job-7.service")
        await manager.fail("job-7.service", 7)
        await manager.unload("job-7.service")
        await seen.until(2)
        assert seen.events[0].facts["exit_code"] == "7"
        await seen.recorder.until(lambda: seen.source.health().watching == 0)


async def test_a_reload_of_the_unit_files_ends_nothing_and_finds_new_units(
    started_bus, manager: Manager
):
    async with watching(started_bus, units=["web.service", "new.service"]) as seen:
        await manager.start("web.service")
        await manager.fail("web.service", 1)
        await seen.until(1)
        assert seen.source.health().missing_paths == ("new.service",)
        await manager.set("new.service", announced=False)
        await manager.reload()
        await seen.recorder.until(lambda: not seen.source.health().missing_paths)
        assert len(seen.events) == 1


async def test_a_signal_of_another_sender_counts_for_nothing(started_bus, manager: Manager):
    async with watching(started_bus, on=["failed", "started"]) as seen:
        forger = await MessageBus(bus_address=started_bus.address).connect()
        for member in (await _names(forger)) - {forger.unique_name}:
            forged = Message.new_signal(
                "/org/freedesktop/systemd1/unit/web_2eservice",
                PROPERTIES,
                "PropertiesChanged",
                "sa{sv}as",
                [UNIT, {"ActiveState": Variant("s", "failed")}, []],
            )
            forged.destination = member
            await forger.send(forged)
        await _names(forger)  # answered behind what was sent
        forger.disconnect()
        await manager.start("web.service")
        await seen.until(1)
        assert seen.lines == ["web.service started"]


async def _names(bus):
    call = Message("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ListNames")
    return {name for name in (await bus.call(call)).body[0] if name.startswith(":")}


# restarts of the daemon, the bus and the manager


async def test_a_failure_that_was_reported_is_not_reported_again(started_bus, manager: Manager):
    async with watching(started_bus) as seen:
        await manager.start("web.service")
        await manager.fail("web.service", 1)
        await seen.until(1)
        stored = seen.recorder.checkpoints
    async with watching(started_bus, stored) as seen:
        await manager.start("web.service")
        await seen.until(1)
        assert seen.lines == ["web.service runs again"]


async def test_what_failed_while_the_daemon_was_down_is_found_once(started_bus, manager: Manager):
    await manager.start("web.service")
    async with watching(started_bus) as seen:
        stored = seen.recorder.checkpoints
    await manager.fail("web.service", 3)
    for expected in (["web.service: main process exited with status 3 (noticed late)"], []):
        async with watching(started_bus, stored) as seen:
            await seen.until(len(expected))
            assert seen.lines == expected
            stored = seen.recorder.checkpoints


async def test_restarts_while_the_daemon_was_down_are_one_report_with_their_count(
    started_bus, manager: Manager
):
    await manager.start("web.service", NRestarts=1, Restart="on-failure")
    async with watching(started_bus) as seen:
        assert seen.events == []
        stored = seen.recorder.checkpoints
    await manager.start("web.service", NRestarts=4)
    async with watching(started_bus, stored) as seen:
        await seen.until(2)
        assert seen.lines == [
            "web.service: restarted 3 times by systemd after it failed (noticed late)",
            "web.service runs again",
        ]
        assert len(seen.recorder.batches[0].events) == 2, "one commit, so one notification"
        stored = seen.recorder.checkpoints
    async with watching(started_bus, stored) as seen:
        assert seen.events == []


async def test_after_a_reboot_only_failures_are_found(started_bus, manager: Manager):
    on = ["failed", "started", "stopped"]
    async with watching(started_bus, on=on) as seen:
        await manager.start("web.service")
        await seen.until(1)
        stored = seen.recorder.checkpoints
    await manager.start("web.service")
    async with watching(started_bus, stored, on=on, boot="second") as seen:
        assert seen.events == []
    await manager.fail("web.service", 5)
    async with watching(started_bus, stored, on=on, boot="third") as seen:
        await seen.until(1)
        assert seen.events[0].facts["exit_code"] == "5"


async def test_a_bus_that_cannot_be_reached_is_a_problem_until_it_can(bus):
    async with watching(bus) as seen:
        [problem] = seen.source.health().messages
        assert "units cannot be watched: cannot connect to the bus at unix:path=" in problem
        assert "No such file or directory" in problem
        bus.start()
        async with manager_on(bus) as manager:
            await manager.start("web.service", announced=False)
            await manager.fail("web.service", 9, announced=False)
            await seen.until(1)
            assert seen.source.health().messages == []


async def test_what_happens_while_the_bus_is_away_is_found_once_it_is_back(bus):
    bus.start()
    async with manager_on(bus) as manager, watching(bus) as seen:
        await manager.start("web.service")
        await manager.fail("web.service", 1)
        await seen.until(1)
        units = manager.units
        bus.stop()
        await seen.recorder.until(lambda: bool(seen.source.health().problems))
        bus.start()
        async with manager_on(bus) as another:
            another.units = units
            await another.start("web.service")
            await seen.until(2)
            assert seen.lines[-1] == "web.service runs again"


async def test_a_manager_that_is_replaced_is_subscribed_to_again(started_bus, manager: Manager):
    async with watching(started_bus) as seen:
        await manager.start("web.service")
        manager._bus.disconnect()
        async with manager_on(started_bus) as another:
            another.units = manager.units
            await asyncio.wait_for(another.subscribed.wait(), 45)
            await another.fail("web.service", 1)
            await seen.until(1)


async def test_a_manager_that_still_knows_its_subscriber_is_watched_on(
    started_bus, manager: Manager
):
    async with watching(started_bus, delay=3600.0) as seen:  # it never connects again
        await manager.lose_name()
        await manager.start("web.service")
        await manager.fail("web.service", 1)
        await seen.until(1)
        assert seen.source.health().problems == ()


async def test_a_manager_that_executes_itself_anew_reports_unloaded_units(
    started_bus, manager: Manager
):
    """It announces a reload under its old name on the bus, and the end of it under the new one."""
    await manager.start("web.service")
    await manager.fail("web.service", 1)
    keys = {"units": ["*.service"], "on": ["failed", "started"]}
    async with watching(started_bus, delay=3600.0, **keys) as seen:
        await seen.until(1)
        await manager.begin_reload()
        await manager.lose_name()
        await manager.start("other.service")
        await seen.until(2)  # all units were queried again
        await manager.unload("web.service")
        await seen.until(3)
        assert seen.lines[-1] == "web.service is no longer failed"


# what is stored


async def test_stored_values_of_earlier_versions_are_read(started_bus, manager: Manager):
    await manager.start("web.service", NRestarts=4, Restart="on-failure")
    stored = dict([golden("unit-record"), golden("unit-terms")])
    async with watching(started_bus, stored, boot="first") as seen:
        await seen.until(2)
        assert seen.source.health().problems == ()


async def test_an_unusable_stored_value_is_reported_and_does_no_harm(started_bus, manager: Manager):
    await manager.start("web.service", NRestarts=4)
    stored = {unit_key("system", "web.service"): "7", terms_key("web"): "{}", "unit:else:x": "{}"}
    async with watching(started_bus, stored) as seen:
        await seen.recorder.until(lambda: "unit:else:x" not in seen.recorder.checkpoints)
        assert len(seen.source.health().problems) == 2
        assert seen.events == []


def test_nothing_of_d_bus_is_imported_without_a_unit_trigger():
    code = "import sys, notifyd.app; sys.exit('dbus_fast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_which_bus_is_watched_and_where_it_is():
    assert default_bus({"XDG_RUNTIME_DIR": "/run/user/7"}, 7) == "user"
    assert default_bus({"XDG_RUNTIME_DIR": "/run/user/0"}, 0) == "system"
    assert default_bus({}, 7) == "system"
    assert bus_address("system", {}, 7) == "unix:path=/run/dbus/system_bus_socket"
    assert bus_address("user", {}, 7) == "unix:path=/run/user/7/bus"
    assert bus_address("user", {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}, 7) == "unix:path=/x"
