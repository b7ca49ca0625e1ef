"""What systemd hears: WATCHDOG=1 only while the engine works, and a status that stays true."""

import asyncio
import socket
from contextlib import asynccontextmanager

from notifyd.engine.clock import Clock
from notifyd.engine.engine import Engine
from notifyd.engine.service_reporter import ServiceReporter
from notifyd.model.errors import DatabaseDamagedError, StoreUnavailableError
from notifyd.model.notifications import Message, Payload, Priority
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import restore_state
from notifyd.shaping.inputs import Submitted
from notifyd.shaping.rules import Budget, Limit, Rules
from notifyd.telemetry.systemd import ServiceManager
from support.histories import PEER

RULES = Rules(triggers={}, rate=Limit(100, 60.0), budget=Budget(100, 60.0, 100))
REQUEST = Submitted(Message("hi", ""), Priority.DEFAULT, PEER)


class HangingStore(OutboxStore):
    """A store whose commits raise `failure`, and that hangs until `released` is set."""

    def __init__(self, folder):
        super().__init__(folder)
        self.failure = None
        self.released, self.repairing = asyncio.Event(), asyncio.Event()
        self.released.set()

    async def commit(self, commit):
        if self.failure:
            raise self.failure
        await self.released.wait()
        await super().commit(commit)

    async def repair(self, _):
        self.repairing.set()
        await self.released.wait()
        self.failure = None


@asynccontextmanager
async def running(folder):
    async with HangingStore(folder) as store:
        stored = await store.load()
        clock = Clock(stored.clock, boot="boot")
        state = restore_state(
            stored.state_entries, stored.notifications, seed="seed", now=clock.now()
        )
        engine = Engine(
            store, state, clock, RULES, lambda row, *_: Payload(row.id, "title", "", {})
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await engine.apply([])
            yield engine, store
            engine.stop()


async def turns(engine, within):
    try:
        async with asyncio.timeout(within):
            await engine.wait_turn()
    except TimeoutError:
        return False
    return True


async def test_an_engine_that_waits_or_works_comes_round(tmp_path):
    async with running(tmp_path) as (engine, _):
        assert await turns(engine, 45)
        await asyncio.gather(*(engine.apply([REQUEST]) for _ in range(20)), engine.wait_turn())


async def test_a_hung_engine_does_not_come_round_although_the_event_loop_turns(tmp_path):
    async with running(tmp_path) as (engine, store):
        store.released.clear()
        request = asyncio.create_task(engine.apply([REQUEST]))
        async with asyncio.timeout(45):
            while await turns(engine, 0.2):  # until it has taken the request
                pass
        store.released.set()
        assert await turns(engine, 45)
        await request


async def test_a_database_that_cannot_be_written_is_no_hang(tmp_path):
    async with running(tmp_path) as (engine, store):
        store.failure = StoreUnavailableError("disk full")
        request = asyncio.create_task(engine.apply([REQUEST]))
        assert await turns(engine, 45)
        assert await turns(engine, 45)
        store.failure = None
        await request


async def test_a_long_repair_of_the_database_is_no_hang(tmp_path):
    async with running(tmp_path) as (engine, store):
        store.failure = DatabaseDamagedError("damaged")
        store.released.clear()
        request = asyncio.create_task(engine.apply([REQUEST]))
        await store.repairing.wait()
        assert await turns(engine, 45)
        assert await turns(engine, 45)
        store.released.set()
        await request


async def test_the_watchdog_hears_only_of_an_engine_that_comes_round(tmp_path):
    path = str(tmp_path / "notify")
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.settimeout(0)

        async def received():
            async with asyncio.timeout(45):
                return (await loop.sock_recv(systemd, 1000)).decode()

        manager = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000"})
        async with running(tmp_path / "state") as (engine, store):
            status = "0 waiting"
            reporter = ServiceReporter(manager, engine, lambda: status)
            task = asyncio.create_task(reporter.run())
            heard = {await received() for _ in range(3)}
            assert heard == {"WATCHDOG=1", "STATUS=0 waiting"}
            store.released.clear()
            request = asyncio.create_task(engine.apply([REQUEST]))
            await turns(engine, 0.2)
            while not await is_silent(loop, systemd):
                pass
            store.released.set()
            assert await received() == "WATCHDOG=1"
            status = "1 waiting"
            while (line := await received()) == "WATCHDOG=1":
                pass
            assert line == "STATUS=1 waiting"
            await request
            task.cancel()
            await asyncio.wait([task])


async def is_silent(loop, systemd):
    try:
        async with asyncio.timeout(0.3):
            await loop.sock_recv(systemd, 1000)
    except TimeoutError:
        return True
    return False
