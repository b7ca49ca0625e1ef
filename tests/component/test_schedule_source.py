"""Times of cron expressions: each reported once, as missed after downtime, never twice."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from notifyd.config.triggers import ScheduleTriggerConfig
from notifyd.sources.schedule.source import (
    ScheduleSource,
    decode_time,
    encode_time,
)
from support.stored import golden

UTC = ZoneInfo("UTC")


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def trigger(cron, zone="UTC"):
    return ScheduleTriggerConfig(cron=cron, timezone=zone)


class Clock:
    def __init__(self, text):
        self.wall = at(text)

    def __call__(self):
        return self.wall


class Kept:
    """Keeps what a source commits."""

    def __init__(self, checkpoints=None):
        self.events, self.checkpoints = [], checkpoints or {}
        self.read = asyncio.Event()

    async def emit(self, batch):
        self.events += batch.events
        for key, value in batch.checkpoints.items():
            if value is None:
                self.checkpoints.pop(key)
            else:
                self.checkpoints[key] = value
        self.read.set()


async def test_a_corrected_clock_is_noticed_while_the_source_runs():
    kept, clock, daily = Kept(), Clock("2031-01-01 10:00"), trigger("0 9 * * *")
    source = ScheduleSource({"daily": daily}, {}, wall=clock, clock_interval=0.01)
    task = asyncio.create_task(source.run(kept.emit))
    for text in ("2026-06-01 08:00", "2026-06-01 09:00:01"):
        await asyncio.wait_for(kept.read.wait(), 45)
        kept.read.clear()
        clock.wall = at(text)
    await asyncio.wait_for(kept.read.wait(), 45)
    task.cancel()
    await asyncio.wait({task})
    assert [event.wall for event in kept.events] == [at("2026-06-01 09:00")]


async def run_once(kept, clock, **triggers):
    """Start a source, wait for its first batch, and stop it."""
    kept.read.clear()
    source = ScheduleSource(triggers, dict(kept.checkpoints), wall=clock)
    task = asyncio.create_task(source.run(kept.emit))
    await asyncio.wait_for(kept.read.wait(), 45)
    for _ in range(5):
        await asyncio.sleep(0)  # for another batch, which must not come
    task.cancel()
    await asyncio.wait({task})
    return source


async def test_a_time_is_reported_once_across_restarts_and_clocks_set_back():
    kept, clock, daily = Kept(), Clock("2026-06-01 08:00"), trigger("0 9 * * *")
    await run_once(kept, clock, daily=daily)
    assert kept.events == []
    clock.wall = at("2026-06-01 09:00:01")
    await run_once(kept, clock, daily=daily)
    await run_once(kept, clock, daily=daily)
    clock.wall = at("2026-06-01 08:30")
    await run_once(kept, clock, daily=daily)
    clock.wall = at("2026-06-01 09:00:30")
    await run_once(kept, clock, daily=daily)
    assert [(event.wall, event.line) for event in kept.events] == [
        (at("2026-06-01 09:00"), "Mon 09:00")
    ]


async def test_of_missed_times_only_the_last_is_reported_as_missed():
    kept, clock, daily = Kept(), Clock("2026-06-01 08:00"), trigger("0 9 * * *")
    await run_once(kept, clock, daily=daily)
    clock.wall = at("2026-06-04 12:00")
    await run_once(kept, clock, daily=daily)
    (event,) = kept.events
    assert event.wall == at("2026-06-04 09:00")
    assert event.line.startswith("Thu 09:00 was missed")


async def test_another_expression_starts_again_and_the_old_checkpoint_is_deleted():
    kept, clock = Kept(), Clock("2026-06-01 08:00")
    await run_once(kept, clock, daily=trigger("0 9 * * *"))
    clock.wall = at("2026-06-02 12:00")
    await run_once(kept, clock, daily=trigger("0 10 * * *"))
    assert kept.events == []
    assert len(kept.checkpoints) == 1


async def test_a_time_that_comes_while_the_source_runs_is_reported_then():
    kept, clock = Kept(), Clock("2026-06-01 08:59:59.98")
    source = ScheduleSource({"daily": trigger("0 9 * * *")}, {}, wall=clock)
    task = asyncio.create_task(source.run(kept.emit))
    await asyncio.wait_for(kept.read.wait(), 45)
    kept.read.clear()
    clock.wall = at("2026-06-01 09:00")
    await asyncio.wait_for(kept.read.wait(), 45)
    task.cancel()
    await asyncio.wait({task})
    assert len(kept.events) == 1


@pytest.mark.parametrize("cron", ["*/5 * * * *", "30 2 * * *", "0 9 * * mon-fri", "0 0 29 2 *"])
@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25", "2026-06-01"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_the_next_time_is_later_and_the_last_is_not(cron, day, zone):
    schedule = trigger(cron, zone).schedule
    for minute in range(0, 300, 7):
        wall = at(f"{day} 00:00") + minute * 60 + 13
        assert schedule.next_time(wall) > wall
        assert schedule.last_time(wall) <= wall
        assert schedule.last_time(schedule.next_time(wall)) == schedule.next_time(wall)


async def test_a_clock_that_was_far_ahead_does_not_stop_a_schedule():
    kept, clock, daily = Kept(), Clock("2031-01-01 10:00"), trigger("0 9 * * *")
    await run_once(kept, clock, daily=daily)
    clock.wall = at("2026-06-01 08:00")
    await run_once(kept, clock, daily=daily)
    clock.wall = at("2026-06-01 09:00:01")
    await run_once(kept, clock, daily=daily)
    assert [event.wall for event in kept.events] == [at("2026-06-01 09:00")]


def test_a_stored_time_is_written_as_before():
    _, value = golden("schedule-time")
    assert encode_time(decode_time(value)) == value


async def test_a_stored_time_of_a_released_version_is_read():
    key, value = golden("schedule-time")
    kept, clock = Kept({key: value}), Clock("2025-12-01 12:00")
    await run_once(kept, clock, daily=trigger("0 9 * * *", "Europe/Berlin"))
    assert [event.wall for event in kept.events] == [at("2025-12-01 08:00")]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("soon", '"soon" is not JSON'),
        ("NaN", "it must be a number of seconds from 0 to 253370764800, not NaN"),
        ('{"format": 2, "time": 7}', "a newer version of notifyd wrote it in format 2"),
    ],
)
async def test_a_trigger_with_a_damaged_time_starts_again_and_the_others_continue(damage, reason):
    triggers = {"daily": trigger("0 9 * * *"), "hourly": trigger("0 * * * *")}
    kept, clock = Kept(), Clock("2026-06-01 08:30")
    await run_once(kept, clock, **triggers)
    (key,) = (key for key in kept.checkpoints if "daily" in key)
    kept.checkpoints[key] = damage
    clock.wall = at("2026-06-01 09:00:01")
    with capture_logs() as logs:
        source = await run_once(kept, clock, **triggers)
    (sentence,) = source.health().messages
    assert sentence.startswith(f"discarded the stored last time of trigger daily: {reason}")
    assert [entry["event"] for entry in logs] == [sentence]
    assert [event.trigger for event in kept.events] == ["hourly"]
    clock.wall = at("2026-06-02 09:00:01")
    source = await run_once(kept, clock, **triggers)
    assert source.health().messages == []
    assert [event.trigger for event in kept.events] == ["hourly", "daily", "hourly"]
