import asyncio
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from notifyd.http.rate_limit import Rate
from notifyd.model.errors import StoreError, StoreUnavailableError
from notifyd.relay import credentials, devices, notifications, sends, tokens
from notifyd.relay.inbox import open_pages
from notifyd.relay.schemas import DeviceRequest
from notifyd.relay.send_queue import SendQueue
from notifyd.relay.sends import (
    DeliveryReport,
    RateRefusal,
    Send,
    SendResult,
    StoreLimits,
    TokenRefusal,
)
from notifyd.relay.store.base import RelayStore, Transaction
from notifyd.relay.store.location import Database, open_store
from notifyd.relay.store.sqlite import SqliteStore

DAY = 86_400.0
LIMITS = StoreLimits()
STORED = Path(__file__).parents[1] / "stored"


@pytest.fixture
async def store(relay_database):
    opened = await open_store(relay_database, lambda: 0.0)
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def lasting_database(request, tmp_path: Path) -> Database:
    """A database that outlives its store."""
    if request.param == "sqlite":
        return tmp_path / "new" / "relay.db"
    return await request.getfixturevalue("postgres_server").new_schema()


async def minted(store: RelayStore, workspace: str = "w", **metadata) -> str:
    _, plain = await store.run(tokens.mint, workspace, "laptop", metadata, 100.0)
    return plain


async def register(store: RelayStore, device_id: str, wall: float = 1.0, **fields):
    request = DeviceRequest(**{"device_id": device_id, "fcm_token": "f", **fields})
    return await store.run(devices.register, request, wall)


async def accept(
    store: RelayStore, token: str, key: str | None = None, *, pages=0, wall=0.0
) -> DeliveryReport:
    (report,) = await accept_all(store, [Send(token, "t", "b", {"n": 1}, key)], pages, wall)
    assert isinstance(report, DeliveryReport)
    return report


async def accept_all(
    store: RelayStore, batch: list[Send], pages=0, wall=0.0, limits=LIMITS
) -> list[SendResult]:
    return await store.run(sends.accept, batch, pages=pages, wall=wall, limits=limits)


async def test_a_token_is_found_by_its_plain_text_alone(store: RelayStore) -> None:
    token, plain = await store.run(tokens.mint, "w", "laptop", {"channel": "ci"}, 100.0)
    assert plain.startswith("onp_")
    assert token.token_prefix == plain[:12]
    assert await store.run(tokens.find, plain) == token
    assert await store.run(tokens.find, plain[:-1]) is None
    assert await store.run(tokens.find, token.token_prefix) is None
    assert token.routing() == {"workspace_id": "w", "channel": "ci"}


async def test_revoking_keeps_the_record_and_the_first_time(store: RelayStore) -> None:
    await minted(store)
    for wall in (200.0, 300.0):
        revoked = await store.run(tokens.revoke, "1", wall)
        assert revoked is not None
        assert not revoked.is_active
        assert revoked.revoked_at == 200.0
    assert await store.run(tokens.revoke, "no such id", 1.0) is None


async def test_an_idempotency_key_stores_one_notification_within_a_day(store: RelayStore) -> None:
    token, same, other = await minted(store), await minted(store), await minted(store, "w2")
    first = await accept(store, token, "k", pages=2, wall=1000.0)
    again = await accept(store, token, "k", pages=5, wall=1000.0 + DAY - 1)
    assert (first.devices, first.is_repeat) == (2, False)
    assert (again.devices, again.is_repeat) == (2, True)
    assert (await accept(store, same, "k", wall=1001.0)).is_repeat
    assert not (await accept(store, other, "k", wall=1001.0)).is_repeat
    assert not (await accept(store, token, "k2", wall=1001.0)).is_repeat
    assert not (await accept(store, token, wall=1001.0)).is_repeat
    assert not (await accept(store, token, "k", wall=1000.0 + 2 * DAY)).is_repeat
    assert len(await store.run(notifications.after, 0, 100)) == 5


async def test_one_batch_of_two_workspaces_with_the_same_key(store: RelayStore) -> None:
    tokens = [await minted(store, "w1"), await minted(store, "w2")]
    batch = [Send(token, "t", None, {}, "k") for token in tokens]
    first, again = await accept_all(store, batch), await accept_all(store, batch)
    assert [result.is_repeat for result in first] == [False, False]
    assert [result.is_repeat for result in again] == [True, True]
    assert len(await store.run(notifications.after, 0, 9)) == 2


async def test_one_batch_with_a_key_twice_stores_one_notification(store: RelayStore) -> None:
    token, other = await minted(store), await minted(store, "w2")
    batch = [Send(token, "t", None, {}, "k"), Send(other, "t", None, {}, "k")]
    reports = await accept_all(store, batch * 10)
    assert [report.is_repeat for report in reports] == [False, False] + [True] * 18
    assert len(await store.run(notifications.after, 0, 100)) == 2


async def test_a_send_that_fails_does_not_take_its_batch_with_it(store: RelayStore) -> None:
    token = await minted(store)
    queue = SendQueue(store, open_pages(), LIMITS, lambda: 1.0)
    batch = [Send(token, "t", None, {"n": value}) for value in (1, object(), 2)]
    waiting = asyncio.gather(*map(queue.submit, batch), return_exceptions=True)
    running = asyncio.create_task(queue.run())
    results = await waiting
    running.cancel()
    assert [type(result) for result in results] == [DeliveryReport, TypeError, DeliveryReport]
    kept = await store.read(notifications.after, 0, 9)
    assert [each.data["n"] for each in kept] == [1, 2]


async def test_a_text_may_hold_any_character(store: RelayStore) -> None:
    token = await minted(store)
    await accept_all(store, [Send(token, "a\0b \U0001f600", "\u2028", {"trigger": "\0"})])
    (kept,) = await store.read(notifications.after, 0, 9)
    assert (kept.title.replace("\ufffd", "\0"), kept.body) == ("a\0b \U0001f600", "\u2028")
    assert kept.data["trigger"] == "\0"


async def test_a_batch_answers_each_send_for_itself(store: RelayStore) -> None:
    token, revoked = await minted(store), await minted(store, "w2")
    await store.run(tokens.revoke, "2", 1.0)
    batch = [Send(plain, "t", None, {}) for plain in (token, "onp_none", revoked, token, token)]
    limits = StoreLimits(Rate(2, 60.0))
    assert await accept_all(store, batch, pages=1, wall=100.0, limits=limits) == [
        DeliveryReport(1),
        TokenRefusal.UNKNOWN,
        TokenRefusal.REVOKED,
        DeliveryReport(1),
        RateRefusal("w", 60.0),
    ]
    kept = await store.run(notifications.after, 0, 100)
    assert [(each.workspace_id, each.workspace_seq) for each in kept] == [("w", 1), ("w", 2)]


async def test_pages_and_registered_devices_are_devices(store: RelayStore) -> None:
    token, pinned, lost = (
        await minted(store),
        await minted(store, device_id="phone"),
        await minted(store, device_id="gone"),
    )
    for name in ("phone", "tablet"):
        await register(store, name)
    assert (await accept(store, token, pages=3)).devices == 5
    assert (await accept(store, pinned, pages=3)).devices == 1
    assert (await accept(store, lost, pages=3)).devices == 0


async def test_the_same_device_is_updated_and_keeps_its_number(store: RelayStore) -> None:
    await register(store, "other")
    old = await register(store, "d", 1.0, platform="ios", device_info={"os": 17})
    again = await register(store, "d", 2.0, platform="web")
    assert (old.id, again.id) == (2, 2)
    assert (again.platform, again.device_info) == ("web", None)
    assert (again.created_at, again.last_seen_at) == (1.0, 2.0)
    assert [device.device_id for device in await store.run(devices.list_all)] == ["other", "d"]


async def test_a_device_is_deleted_by_its_number_before_its_name(store: RelayStore) -> None:
    for name in ("a", "b", "c"):
        await register(store, name)
    assert await register(store, "123") is None
    assert await store.run(devices.delete, "2")
    assert await store.run(devices.delete, "c")
    assert not await store.run(devices.delete, "c")
    assert not await store.run(devices.delete, "2")
    assert [device.device_id for device in await store.run(devices.list_all)] == ["a"]
    assert (await register(store, "d")).id == 4


async def test_a_busy_workspace_evicts_its_own_and_no_number_is_reused(store: RelayStore) -> None:
    quiet, busy = await minted(store, "quiet"), await minted(store, "busy")
    limits = StoreLimits(Rate(1000, 60.0), per_workspace=10, total=15)

    async def send(token: str, times: int) -> list[tuple[str, int, int]]:
        for _ in range(times):
            await accept_all(store, [Send(token, "t", None, {})], limits=limits)
            await store.run(sends.prune, 0.0, limits)
        kept = await store.run(notifications.after, 0, 100)
        return [(each.workspace_id, each.seq, each.workspace_seq) for each in kept]

    assert await send(quiet, 8) == [("quiet", n, n) for n in range(1, 9)]
    assert await send(busy, 25) == [
        *(("quiet", n, n) for n in range(2, 9)),
        *(("busy", n + 8, n) for n in range(18, 26)),
    ]
    assert await store.run(notifications.before_latest, 4) == 29
    assert await store.run(notifications.before_latest, 100) == 0
    assert await store.run(notifications.newest_seq) == 33


async def test_the_rate_holds_over_a_restart(lasting_database: Database) -> None:
    limits, database = StoreLimits(Rate(3, 60.0)), lasting_database
    store = await open_store(database, lambda: 0.0)
    token = await minted(store)
    await store.close()

    async def send(wall: float) -> float:
        """Send in a process of its own; return the seconds to wait."""
        store = await open_store(database, lambda: 0.0)
        (result,) = await accept_all(store, [Send(token, "t", None, {})], wall=wall, limits=limits)
        await store.run(sends.prune, wall, limits)
        await store.close()
        return result.wait if isinstance(result, RateRefusal) else 0.0

    assert [await send(wall) for wall in (0.0, 10.0, 20.0, 25.0, 59.0)] == [0, 0, 0, 35.0, 1.0]
    assert [await send(wall) for wall in (60.0, 61.0)] == [0, 9.0]
    assert await send(30.0) == 40.0, "the clock was set back: some requests lie in the future"


async def test_a_database_of_schema_1_is_taken_over_whole(tmp_path: Path) -> None:
    file = tmp_path / "relay.db"
    connection = sqlite3.connect(file)
    connection.executescript((STORED / "relay-schema-1.sql").read_text())
    connection.close()
    for _ in range(2):  # the second time there is nothing to migrate
        store = await SqliteStore.open(file)
        kept = await store.run(tokens.list_all, None)
        assert [(t.id, t.workspace_id, t.name, t.is_active) for t in kept] == [
            (3, "w1", "revoked", False),
            (2, "w2", None, True),
            (1, "w1", "laptop", True),
        ]
        found = await store.run(devices.list_all)
        assert [(d.id, d.device_id, d.last_seen_at) for d in found] == [
            (1, "phone", 20.0),
            (2, "2", 21.0),
            (3, "tablet", 22.0),
        ]
        notes = await store.run(notifications.after, 0, 100)
        assert [(n.seq, n.workspace_id, n.workspace_seq, n.title) for n in notes] == [
            (1, "w1", 1, "title 0"),
            (2, "w2", 1, "title 1"),
            (3, "w1", 2, "title 2"),
            (4, "w1", 3, "title 3"),
            (5, "w1", 4, "title 4"),
            (6, "w2", 2, "title 5"),
        ]
        client = await store.run(credentials.load_client)
        assert client.has_credentials("client_of_schema_1", "secret of schema 1")
        assert await store.run(credentials.ensure_inbox_key) == "oO7FRZDP0QUmtqXL4YXNo9AUK6XKz6ku"
        assert await store.run(references) == [1, 2, 1, None, 3, 2]
        await store.close()

    store = await SqliteStore.open(file)
    laptop = "onp_7Athwmv1GqdhjpEoN17gEG9hV5kCe1X6twQ5mwytacw"
    assert (await accept(store, laptop, "k2", wall=1010.0)).is_repeat
    assert not (await accept(store, laptop, "k3", wall=1010.0)).is_repeat
    assert [n.workspace_seq for n in await store.run(notifications.after, 6, 9)] == [5]
    uuid = "33936503-7746-4760-9700-92487af2c8e3"
    assert (await store.run(tokens.revoke, uuid, 1.0)).id == 2
    assert await store.run(tokens.delete, uuid)
    assert await register(store, "2", 30.0, platform="ios")
    assert await store.run(devices.delete, "2")
    assert (await store.run(tokens.find, await minted(store))).id == 4
    await store.close()


async def references(transaction: Transaction) -> list[int | None]:
    rows = await transaction.fetch("SELECT token_id FROM notifications ORDER BY seq")
    return [row[0] for row in rows]


async def test_reading_starts_after_a_number(store: RelayStore) -> None:
    token = await minted(store)
    for wall in range(5):
        await accept(store, token, wall=float(wall))
    batch = await store.run(notifications.after, 2, 2)
    assert [(received.seq, received.received_at) for received in batch] == [(3, 2.0), (4, 3.0)]
    assert batch[0].as_json()["token"] == "laptop"


async def test_a_token_records_its_last_use(store: RelayStore) -> None:
    token = await minted(store)
    await accept(store, token, wall=123.0)
    assert [kept.last_used_at for kept in await store.run(tokens.list_all, "w")] == [123.0]
    assert await store.run(tokens.list_all, "another") == []


async def test_a_restart_keeps_everything(lasting_database: Database) -> None:
    store = await open_store(lasting_database, lambda: 0.0)
    token = await minted(store)
    await accept(store, token, "k", pages=1)
    await register(store, "d", device_info={"a": [1]})
    client = await store.run(credentials.renew_client)
    key = await store.run(credentials.ensure_inbox_key)
    before = await store.run(notifications.after, 0, 10), await store.run(devices.list_all)
    await store.close()

    store = await open_store(lasting_database, lambda: 0.0)
    assert (await accept(store, token, "k")).is_repeat
    after = await store.run(notifications.after, 0, 10), await store.run(devices.list_all)
    assert after == before
    assert await store.run(credentials.ensure_inbox_key) == key
    kept = await store.run(credentials.load_client)
    assert kept is not None
    assert kept.has_credentials(client.id, client.secret)
    assert not kept.has_credentials(client.id, "wrong")
    assert not kept.has_credentials("wrong", client.secret)
    await store.close()


async def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    file = tmp_path / "new" / "relay.db"
    store = await SqliteStore.open(file)
    await minted(store)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {"relay.db": 0o600, "relay.db-wal": 0o600, "relay.db-shm": 0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    await store.close()


async def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but something that matters " * 100)
    before = text.read_bytes()
    with pytest.raises(StoreError, match=r"notes\.txt: .*not a database.*--database"):
        await SqliteStore.open(text)
    assert text.read_bytes() == before

    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer notifyd"):
        await SqliteStore.open(newer)

    with pytest.raises(StoreError, match=r"cannot be opened .*directory"):
        await SqliteStore.open(tmp_path)


async def test_a_full_disk_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "relay.db")
    token = await minted(store)
    note = Send(token, "t", "b" * 100_000, {})
    await store.run(limit_pages, 1)
    with pytest.raises(StoreUnavailableError, match="is the disk full"):
        await accept_all(store, [note])
    assert await store.read(notifications.newest_seq) == 0
    await store.run(limit_pages, 10_000)
    await accept_all(store, [note])
    assert await store.read(notifications.newest_seq) == 1
    await store.close()


async def limit_pages(transaction: Transaction, pages: int) -> None:
    await transaction.fetch(f"PRAGMA max_page_count = {pages}")


async def test_reading_goes_on_while_a_change_is_made(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "relay.db")
    token, may_end, is_inside = await minted(store), threading.Event(), threading.Event()

    async def change(transaction: Transaction) -> None:
        await transaction.execute("DELETE FROM tokens")
        is_inside.set()
        may_end.wait(60)

    changing = asyncio.create_task(store.run(change))
    await asyncio.to_thread(is_inside.wait, 60)
    assert await store.read(tokens.find, token) is not None
    may_end.set()
    await changing
    assert await store.read(tokens.find, token) is None
    await store.close()
