import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from notifyd.model.errors import StoreError, StoreUnavailableError
from notifyd.relay import credentials, devices, notifications, tokens
from notifyd.relay.credentials import ClientCredentials, StoredClient
from notifyd.relay.devices import Device
from notifyd.relay.notifications import IncomingNotification
from notifyd.relay.store import RelayStore
from notifyd.relay.tokens import Token

DAY = 86_400.0


@pytest.fixture
async def store():
    opened = await RelayStore.open(":memory:")
    yield opened
    await opened.close()


async def minted(store: RelayStore, **metadata) -> Token:
    token, _ = await store.run(tokens.mint, "w", "laptop", metadata, 100.0)
    return token


async def accept(store: RelayStore, token: Token, key: str | None = None, *, pages=0, wall=0.0):
    note = IncomingNotification("t", "b", {"n": 1}, key)
    return await store.run(notifications.accept, token, note, pages=pages, wall=wall)


async def test_a_token_is_found_by_its_plain_text_alone(store: RelayStore) -> None:
    token, plain = await store.run(tokens.mint, "w", "laptop", {"channel": "ci"}, 100.0)
    assert plain.startswith("onp_")
    assert token.token_prefix == plain[:12]
    assert await store.run(tokens.find, plain) == token
    assert await store.run(tokens.find, plain[:-1]) is None
    assert await store.run(tokens.find, token.token_prefix) is None
    assert token.routing() == {"workspace_id": "w", "channel": "ci"}


async def test_revoking_keeps_the_record_and_the_first_time(store: RelayStore) -> None:
    token = await minted(store)
    for wall in (200.0, 300.0):
        revoked = await store.run(tokens.revoke, token.id, wall)
        assert revoked is not None
        assert not revoked.is_active
        assert revoked.revoked_at == 200.0
    assert await store.run(tokens.revoke, "no such id", 1.0) is None


async def test_an_idempotency_key_stores_one_notification_within_a_day(store: RelayStore) -> None:
    token, other = await minted(store), await minted(store)
    first = await accept(store, token, "k", pages=2, wall=1000.0)
    again = await accept(store, token, "k", pages=5, wall=1000.0 + DAY - 1)
    assert (first.devices, first.is_repeat) == (2, False)
    assert (again.devices, again.is_repeat) == (2, True)
    assert not (await accept(store, other, "k", wall=1001.0)).is_repeat
    assert not (await accept(store, token, "k2", wall=1001.0)).is_repeat
    assert not (await accept(store, token, wall=1001.0)).is_repeat
    assert not (await accept(store, token, "k", wall=1000.0 + 2 * DAY)).is_repeat
    assert len(await store.run(notifications.after, 0, 100)) == 5


async def test_concurrent_requests_with_one_key_store_one_notification(store: RelayStore) -> None:
    token = await minted(store)
    receipts = await asyncio.gather(*(accept(store, token, "k") for _ in range(20)))
    assert [receipt.is_repeat for receipt in receipts].count(False) == 1
    assert len(await store.run(notifications.after, 0, 100)) == 1


async def test_pages_and_registered_devices_are_devices(store: RelayStore) -> None:
    token, pinned, lost = (
        await minted(store),
        await minted(store, device_id="phone"),
        await minted(store, device_id="gone"),
    )
    for name in ("phone", "tablet"):
        await store.run(devices.register, Device(name, "f", "ios", None, 1.0, 1.0))
    assert (await accept(store, token, pages=3)).devices == 5
    assert (await accept(store, pinned, pages=3)).devices == 1
    assert (await accept(store, lost, pages=3)).devices == 0


async def test_the_same_device_is_updated(store: RelayStore) -> None:
    await store.run(devices.register, Device("d", "old", "ios", {"os": 17}, 1.0, 1.0))
    again = await store.run(devices.register, Device("d", "new", "web", None, 2.0, 2.0))
    assert again == Device("d", "new", "web", None, 1.0, 2.0)
    assert await store.run(devices.list_all) == [again]
    assert await store.run(devices.delete, "d")
    assert not await store.run(devices.delete, "d")


async def test_only_the_latest_are_stored_and_no_number_is_reused(store: RelayStore) -> None:
    token, note = await minted(store), IncomingNotification("t", None, {})
    for _ in range(25):
        await store.run(notifications.accept, token, note, pages=0, wall=0.0, limit=10)
    kept = await store.run(notifications.after, 0, 100)
    assert [received.seq for received in kept] == list(range(16, 26))
    assert await store.run(notifications.before_latest, 4) == 21
    assert await store.run(notifications.before_latest, 100) == 0
    assert await store.run(notifications.newest_seq) == 25


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


async def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    file = tmp_path / "new" / "relay.db"
    store = await RelayStore.open(file)
    token = await minted(store)
    await accept(store, token, "k", pages=1)
    await store.run(devices.register, Device("d", "f", "ios", {"a": [1]}, 1.0, 1.0))
    await store.run(credentials.save_client, StoredClient.of(ClientCredentials("id", "secret")))
    key = await store.run(credentials.load_inbox_key)
    before = await store.run(notifications.after, 0, 10), await store.run(devices.list_all)
    await store.close()

    store = await RelayStore.open(file)
    assert (await accept(store, token, "k")).is_repeat
    after = await store.run(notifications.after, 0, 10), await store.run(devices.list_all)
    assert after == before
    assert await store.run(credentials.load_inbox_key) == key
    kept = await store.run(credentials.load_client)
    assert kept is not None
    assert kept.has_credentials("id", "secret")
    assert not kept.has_credentials("id", "wrong")
    assert not kept.has_credentials("wrong", "secret")
    await store.close()


async def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    file = tmp_path / "new" / "relay.db"
    store = await RelayStore.open(file)
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
        await RelayStore.open(text)
    assert text.read_bytes() == before

    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer notifyd"):
        await RelayStore.open(newer)

    with pytest.raises(StoreError, match=r"cannot be opened .*directory"):
        await RelayStore.open(tmp_path)


async def test_a_full_disk_is_an_error_and_changes_nothing(store: RelayStore) -> None:
    token = await minted(store)
    await store.run(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
    note = IncomingNotification("t", "b" * 100_000, {})
    with pytest.raises(StoreUnavailableError, match="is the disk full"):
        await store.run(notifications.accept, token, note, pages=0, wall=0.0)
    assert await store.run(notifications.newest_seq) == 0
    await store.run(lambda connection: connection.execute("PRAGMA max_page_count = 10000"))
    await store.run(notifications.accept, token, note, pages=0, wall=0.0)
    assert await store.run(notifications.newest_seq) == 1
