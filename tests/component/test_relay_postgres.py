"""What only PostgreSQL can do, or get wrong."""

import asyncio
from importlib import resources
from itertools import count

import pytest

from notifyd.http.rate_limit import Rate
from notifyd.model.errors import StoreError
from notifyd.relay import credentials, notifications, sends, tokens
from notifyd.relay.sends import DeliveryReport, RateRefusal, Send, StoreLimits
from notifyd.relay.store.base import Transaction
from notifyd.relay.store.location import PostgresUrl, open_store, parse_database
from notifyd.relay.store.sqlite import VERSION
from support.postgres import PostgresServer


@pytest.fixture
async def url(postgres_server: PostgresServer) -> PostgresUrl:
    return await postgres_server.new_schema()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_both_spellings_of_the_scheme_are_known(scheme: str) -> None:
    parsed = parse_database(f"{scheme}://me:secret@db.test:5433/relay?password=secret")
    assert str(parsed) == "postgresql://me@db.test:5433/relay"
    assert "secret" not in repr(parsed)
    assert parsed.with_password == "postgresql://me:secret@db.test:5433/relay?password=secret"


@pytest.mark.parametrize("text", ["mysql://u:secret@h/d", "postgres://u:secret@h:x/d"])
def test_an_invalid_url_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="URL") as failure:
        parse_database(text)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("query", ["", "?sslmode=secret", "?host=/nowhere&port=1"])
async def test_an_error_does_not_show_the_password(query: str) -> None:
    url = parse_database(f"postgres://me:secret@127.0.0.1:1/relay{query}")
    with pytest.raises(StoreError, match=r"^postgresql://me@127\.0\.0\.1:1/relay: ") as failure:
        await open_store(url)
    assert "secret" not in str(failure.value)
    assert failure.value.__cause__ is None


def test_the_migrations_of_both_engines_are_in_step() -> None:
    latest = {}
    for engine in ("sqlite", "postgres"):
        folder = resources.files("notifyd.relay.store") / "migrations" / engine
        latest[engine] = max(int(file.name.removesuffix(".sql")) for file in folder.iterdir())
    assert latest == {"sqlite": VERSION, "postgres": VERSION}


async def test_a_schema_of_a_newer_version_is_refused(url: PostgresUrl) -> None:
    store = await open_store(url)

    async def age(transaction: Transaction) -> None:
        await transaction.execute("UPDATE schema_version SET version = 99")

    await store.run(age)
    await store.close()
    with pytest.raises(StoreError, match="newer notifyd"):
        await open_store(url)


async def test_relays_that_start_at_once_create_one_schema_and_one_client(
    url: PostgresUrl,
) -> None:
    stores = await asyncio.gather(*(open_store(url) for _ in range(4)))
    keys = await asyncio.gather(*(store.run(credentials.ensure_inbox_key) for store in stores))
    made = await asyncio.gather(*(store.run(credentials.ensure_client) for store in stores))
    assert len(set(keys)) == 1
    assert [type(each) for each in made].count(type(None)) == 3
    for store in stores:
        await store.close()


async def test_transactions_that_block_each_other_are_run_again(url: PostgresUrl) -> None:
    store = await open_store(url)
    for name in ("a", "b"):
        await store.run(credentials.save_url, name)
    both_hold_one, calls = asyncio.Barrier(2), count()

    async def change(transaction: Transaction, first: str, second: str) -> None:
        await transaction.execute("UPDATE settings SET value = value WHERE name = $1", first)
        if next(calls) < 2:
            await both_hold_one.wait()
        await transaction.execute("UPDATE settings SET value = value WHERE name = $1", second)

    await store.run(credentials.ensure_inbox_key)
    await asyncio.gather(
        store.run(change, "url", "inbox_key"), store.run(change, "inbox_key", "url")
    )
    assert next(calls) == 3, "one of them was run again"
    await store.close()


async def test_a_reader_misses_no_number_while_two_relays_write(url: PostgresUrl) -> None:
    stores = [await open_store(url) for _ in range(3)]
    plain = [(await stores[0].run(tokens.mint, f"w{n}", None, {}, 0.0))[1] for n in range(4)]
    limits = StoreLimits(Rate(10_000, 60.0))

    async def write(index: int) -> None:
        for number in range(30):
            batch = [Send(plain[(number + n) % 4], f"{index}", None, {}) for n in (3, 0, 2, 1)]
            await stores[index].run(sends.accept, batch, pages=0, wall=0.0, limits=limits)

    writing = asyncio.gather(write(0), write(1))
    seen = [0]
    while True:
        is_last = writing.done()
        seen += [stored.seq for stored in await stores[2].read(notifications.after, seen[-1], 1000)]
        if is_last:
            break
    await writing
    everything = await stores[2].read(notifications.after, 0, 1000)
    assert seen[1:] == [stored.seq for stored in everything]
    assert len(everything) == 240
    by_workspace = {}
    for stored in everything:
        by_workspace.setdefault(stored.workspace_id, []).append(stored.workspace_seq)
    assert all(numbers == list(range(1, 61)) for numbers in by_workspace.values())
    for store in stores:
        await store.close()


async def test_the_rate_and_a_key_are_exact_over_two_relays(url: PostgresUrl) -> None:
    stores = [await open_store(url) for _ in range(2)]
    (_, busy), (_, quiet) = [
        await stores[0].run(tokens.mint, name, None, {}, 0.0) for name in ("busy", "quiet")
    ]
    limits = StoreLimits(Rate(50, 3600.0))

    async def send(index: int, token: str, key: str | None) -> sends.SendResult:
        # The clock of the second relay is an hour behind: it decides nothing.
        batch, wall = [Send(token, "t", None, {}, key)], 3600.0 * (1 - index)
        (result,) = await stores[index].run(sends.accept, batch, pages=0, wall=wall, limits=limits)
        return result

    flood = [send(number % 2, busy, None) for number in range(120)]
    once = [send(number % 2, quiet, "k") for number in range(20)]
    results = await asyncio.gather(*flood, *once)
    refused = [result for result in results[:120] if isinstance(result, RateRefusal)]
    assert len(refused) == 70
    assert all(0 < result.wait <= 3600 for result in refused)
    stored = [result for result in results[120:] if isinstance(result, DeliveryReport)]
    assert (len(stored), [result.is_repeat for result in stored].count(False)) == (20, 1)
    kept = await stores[0].read(notifications.after, 0, 1000)
    assert len(kept) == 51
    for store in stores:
        await store.close()


async def test_nothing_outlives_a_transaction(url: PostgresUrl) -> None:
    store = await open_store(url)
    _, token = await store.run(tokens.mint, "w", None, {}, 0.0)
    batch = [Send(token, "t", None, {}, "k")]
    await store.run(sends.accept, batch, pages=0, wall=0.0, limits=StoreLimits())
    await store.run(sends.prune, 0.0, StoreLimits())

    async def leftovers(transaction: Transaction) -> int:
        rows = await transaction.fetch(
            "SELECT (SELECT count(*) FROM pg_prepared_statements WHERE name <> ''),"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
        )
        return sum(rows[0])

    assert await store.read(leftovers) == 0
    await store.close()
