"""The fleet of a relay: reports come in, and what there is to say about them goes to the inbox."""

import asyncio

import pytest

from notifyd.relay import fleet, notifications
from notifyd.relay.fleet_state import OUTAGE, UPDATE_LIMIT, FleetReport, allowed_silence
from notifyd.relay.store.location import open_store
from support.visitor import Visitor, visiting

SILENCE = allowed_silence()
REPORT = FleetReport()


@pytest.fixture
async def visitor(relay_database):
    async with visiting(relay_database) as opened:
        yield opened


async def report(visitor: Visitor, token: str, **fields):
    headers = {"Authorization": f"Bearer {token}"}
    return await visitor.ask("POST", "/fleet/report", json=fields, headers=headers)


async def fill(visitor: Visitor, names: list[str]) -> None:
    for name in names:
        await visitor.relay.mint_token(name, "t")
    await report_all(visitor, names)


async def report_all(visitor: Visitor, names: list[str], given=REPORT) -> None:
    for name in names:
        await visitor.relay.store.run(fleet.record, name, given, visitor.clock.now)


async def said(visitor: Visitor, seconds: float, step: float = OUTAGE / 4) -> list[str]:
    """Let time pass, with the relay at work; return the titles that were added."""
    last = await visitor.relay.store.read(notifications.newest_seq)
    end = visitor.clock.now + seconds
    while visitor.clock.now < end:
        visitor.clock.now = min(visitor.clock.now + step, end)
        await visitor.relay.store.run(fleet.look, visitor.clock.now)
    found = await visitor.relay.store.read(notifications.after, last, 100)
    return [note.title.partition(" since ")[0] for note in found]


async def states(visitor: Visitor) -> dict[str, str]:
    key = visitor.relay.inbox_url.partition("?")[2]
    answer = await visitor.ask("GET", f"/inbox/fleet?{key}")
    assert answer.json["total"] == len(answer.json["workspaces"])
    return {each["workspace_id"]: each["state"] for each in answer.json["workspaces"]}


async def change(visitor: Visitor, workspace_id: str, action: str, **fields) -> int:
    key = visitor.relay.inbox_url.partition("?")[2]
    body = {"workspace_id": workspace_id, "action": action, **fields}
    return (await visitor.ask("POST", f"/inbox/fleet?{key}", json=body)).status


async def test_a_report_needs_a_send_token_and_names_its_workspace(visitor) -> None:
    token = await visitor.relay.mint_token("w1", "laptop")
    assert (await report(visitor, "onp_wrong")).status == 401
    answer = await report(visitor, token, version="1.0", worst={"trigger": "gpu"}, later="ignored")
    assert (answer.status, answer.json["workspace_id"]) == (200, "w1")
    assert (await report(visitor, token)).status == 429
    assert (await report(visitor, token, announcement="stopping")).status == 200
    assert (await report(visitor, token, announcement="vanishing")).status == 422
    assert (await report(visitor, token, waiting=-1)).status == 422
    assert await states(visitor) == {"w1": "asleep"}
    assert (await visitor.ask("GET", "/inbox/fleet?key=wrong")).status == 403


async def test_missing_and_back_are_said_once_each(visitor) -> None:
    await fill(visitor, ["a", "b"])
    assert await said(visitor, SILENCE - 1) == []
    await report_all(visitor, ["b"])
    assert await said(visitor, 60) == ["a is missing"]
    assert await states(visitor) == {"a": "missing", "b": "ok"}
    for _ in range(20):
        await report_all(visitor, ["b"])
        assert await said(visitor, 60) == []
    await report_all(visitor, ["a", "b"])
    assert await said(visitor, 60) == ["a is back after 24 min"]


async def test_a_mass_loss_is_one_notification_and_so_is_its_end(visitor) -> None:
    names = [f"w{number}" for number in range(100)]
    await fill(visitor, names)
    assert await said(visitor, 45) == []
    await report_all(visitor, names[:79])  # the others are lost, at different times
    assert await said(visitor, 30) == []
    await report_all(visitor, names[:60])
    for _ in range(8):
        found = await said(visitor, 60)
        await report_all(visitor, names[:60])
        if found:
            break
    assert found == ["40 of 100 workspaces missing"]
    for _ in range(5):
        assert await said(visitor, 60) == []
        await report_all(visitor, names[:60])
    await report_all(visitor, names[:80])
    assert await said(visitor, 30) == []
    await report_all(visitor, names[80:])
    assert await said(visitor, 90) == ["40 workspaces are back"]


async def test_who_is_back_before_it_was_said_is_not_mentioned(visitor) -> None:
    await fill(visitor, list("abcde"))
    while (await states(visitor))["a"] != "missing":
        assert await said(visitor, 30) == []
        await report_all(visitor, list("bcde"))
    await report_all(visitor, ["a"])
    for _ in range(5):
        assert await said(visitor, 60) == []
        await report_all(visitor, list("abcde"))


async def test_an_outage_of_the_relay_makes_nobody_missing(visitor) -> None:
    names = ["a", "b"]
    await fill(visitor, names)
    assert await said(visitor, 30) == []
    visitor.clock.now += 1800
    await visitor.relay.store.run(fleet.look, visitor.clock.now)
    assert set((await states(visitor)).values()) == {"ok"}
    assert await said(visitor, 900) == []
    await report_all(visitor, ["a"])
    assert await said(visitor, 1000) != []
    assert (await states(visitor))["b"] == "missing"


async def test_a_pause_lasts_over_restarts_and_updates(tmp_path) -> None:
    file = tmp_path / "relay.db"
    async with visiting(file) as visitor:
        await fill(visitor, ["a", "b"])
        assert await change(visitor, "a", "pause") == 200
        assert await change(visitor, "nobody", "pause") == 404
        now = visitor.clock.now
    async with visiting(file) as visitor:
        visitor.clock.now = now
        await report_all(visitor, ["a", "b"], FleetReport(version="2"))
        assert await said(visitor, 300) == ["b is missing"]
        assert await states(visitor) == {"a": "missing", "b": "missing"}
        await change(visitor, "a", "pause", seconds=600)
        assert await said(visitor, 590) == []
        assert await said(visitor, 30) == ["a is missing"]


async def test_ephemeral_sleeping_and_updating_workspaces_are_not_missing() -> None:
    async with visiting(ephemeral=["ci-*"]) as visitor:
        for name, fields in {
            "ci-17": {},
            "job": {"ephemeral": True},
            "laptop": {"announcement": "sleeping"},
            "server": {"announcement": "updating"},
            "chosen": {},
        }.items():
            assert (
                await report(visitor, await visitor.relay.mint_token(name, "t"), **fields)
            ).status == 200
        await change(visitor, "chosen", "ephemeral")
        assert await said(visitor, UPDATE_LIMIT - 60) == []
        assert await states(visitor) == {
            "ci-17": "ephemeral",
            "job": "ephemeral",
            "laptop": "asleep",
            "server": "updating",
            "chosen": "ephemeral",
        }
        assert await said(visitor, 60) == ["server is missing"]
        await visitor.relay.store.run(fleet.prune, visitor.clock.now + 90_000)
        assert set(await states(visitor)) == {"laptop", "server"}


async def test_two_relays_on_one_database_say_it_once(relay_database, tmp_path) -> None:
    shared = tmp_path / "relay.db" if relay_database == ":memory:" else relay_database
    async with visiting(shared) as visitor:
        other = await open_store(shared)
        await fill(visitor, ["a", "b"])
        for _ in range(20):
            visitor.clock.now += 15
            await asyncio.gather(
                visitor.relay.store.run(fleet.look, visitor.clock.now),
                other.run(fleet.look, visitor.clock.now + 0.5),
            )
        await other.close()
        found = await visitor.relay.store.read(notifications.after, 0, 100)
        assert sorted(note.title[:12] for note in found) == ["a is missing", "b is missing"]


async def test_whose_tokens_were_revoked_is_forgotten(visitor) -> None:
    await fill(visitor, ["a", "b"])
    await visitor.manage("POST", "/notifications/tokens/1/revoke")
    assert await said(visitor, 300) == ["b is missing"]
    assert await states(visitor) == {"b": "missing"}


async def test_open_pages_hear_of_reports_and_ask_for_what_changed(visitor) -> None:
    token = await visitor.relay.mint_token("w1", "laptop")
    await fill(visitor, ["old"])
    visitor.clock.now += 60
    async with visitor.page() as events:
        await events.until_live()
        await report(visitor, token)
        assert (await events.event()).kind == "fleet"
    key = visitor.relay.inbox_url.partition("?")[2]
    answer = await visitor.ask("GET", f"/inbox/fleet?{key}&since={visitor.clock.now - 5}")
    assert [each["workspace_id"] for each in answer.json["workspaces"]] == ["w1"]
    assert answer.json["total"] == 2
