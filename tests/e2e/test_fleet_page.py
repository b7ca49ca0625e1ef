"""The fleet on the inbox page, in a real browser."""

import time

import pytest

from notifyd.relay import fleet
from notifyd.relay.fleet_state import Announcement, FleetReport, WorstTrigger
from support.browser import CHROMIUM, browsing
from support.visitor import visiting

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

SHOWN = """Object.fromEntries([...document.querySelectorAll('.fleet-group')].map((group) => [
    group.dataset.state, [...group.querySelectorAll('.name')].map((name) => name.textContent)]))"""
FOCUSED = "document.activeElement.querySelector('.name')?.textContent"
OLD = 4000.0


@pytest.fixture
async def visitor():
    async with visiting(wall=time.time) as opened:
        yield opened


@pytest.fixture
async def browser():
    async with browsing() as opened:
        yield opened


async def record(visitor, name, ago=0.0, *, is_ephemeral=False, **fields) -> None:
    report, at = FleetReport(**fields), time.time() - ago
    await visitor.relay.store.run(fleet.record, name, report, at, is_ephemeral=is_ephemeral)


async def send_report(visitor, token, **fields) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await visitor.ask("POST", "/fleet/report", json=fields, headers=headers)
    assert answer.status == 200


def shows(state: str, *names: str) -> str:
    return f"JSON.stringify(({SHOWN})[{state!r}]) === JSON.stringify({list(names)})"


def click(selector: str) -> str:
    return f"document.querySelector({selector!r}).click()"


async def test_workspaces_stand_in_groups_and_change_while_one_looks(visitor, browser) -> None:
    token = await visitor.relay.mint_token("web", "t")
    hostile = "<b onclick=x>&amp;</b>"
    await visitor.relay.mint_token(hostile, "t")
    await record(visitor, hostile, OLD, host="<i>", version="1.0")
    await record(visitor, "ci-1", OLD, is_ephemeral=True)
    await record(visitor, "laptop", OLD, announcement=Announcement.STOPPING)
    worst = WorstTrigger("gpu", time.time() - 3600, "critical")
    await record(visitor, "train", waiting=3, worst=worst)
    async with browser.page(visitor.relay.inbox_url) as page:
        await page.until("!document.querySelector('[data-view=fleet]').hidden")
        await page.until("document.querySelector('#connection').dataset.state === 'live'")
        await page.press("f")
        await page.until(shows("missing", hostile))
        assert await page.run(SHOWN) == {
            "missing": [hostile],
            "failing": ["train"],
            "asleep": ["laptop"],
            "ephemeral": ["ci-1"],
        }
        facts = "document.querySelector('[data-state=failing] .facts').innerText"
        assert (await page.run(facts)).startswith("gpu: critical · for 60 min")
        await page.until("document.querySelector('#fleet-summary').textContent.startsWith('4 ')")
        await send_report(visitor, token)
        await page.until(shows("ok", "web"))
        await send_report(visitor, token, announcement="updating")
        await page.until(shows("updating", "web"))
        assert page.problems == []


async def test_a_workspace_is_paused_forgotten_and_opens_to_its_history(visitor, browser) -> None:
    tokens = {name: await visitor.relay.mint_token(name, "t") for name in ("a", "b", "c")}
    for name, token in tokens.items():
        await record(visitor, name)
        assert (await visitor.send(token, {"title": f"of {name}"})).status == 200
    async with browser.page(f"{visitor.relay.inbox_url}&view=fleet") as page:
        await page.until(shows("ok", "a", "b", "c"))
        await page.run(click(".more-actions"))
        await page.until("document.querySelector('.more-actions').ariaExpanded === 'true'")
        await page.run(click("[data-watch=pause]"))
        await page.until("document.querySelector('.paused').textContent === 'Paused'")
        found = await visitor.relay.store.read(fleet.list_workspaces, 0.0)
        assert found.workspaces[0].workspace.paused_until > time.time() + 80_000
        await page.run(click("[data-watch=forget]"))
        await page.until(shows("ok", "b", "c"))
        await page.press("j")
        await page.press("j")
        await page.until(f"{FOCUSED} === 'c'")
        await page.press("e")  # for notifications only
        await page.press("Enter")
        await page.until(
            "[...document.querySelectorAll('.title')].map((t) => t.textContent) == 'of c'"
        )
        assert "workspace=c" in await page.run("location.search")
        await page.press("f")
        await page.until(shows("ok", "b", "c"))
        assert page.problems == []


async def test_a_thousand_workspaces_stay_usable(visitor, browser) -> None:
    async def fill(transaction) -> None:
        for number in range(1000):
            report = FleetReport(problems=int(number % 100 == 0))
            await fleet.record(transaction, f"w{number}", report, time.time())

    await visitor.relay.store.run(fill)
    async with browser.page(f"{visitor.relay.inbox_url}&view=fleet") as page:
        await page.until(shows("ok"))
        await page.until("document.querySelectorAll('.workspace-row').length === 10")
        await page.run(click("[data-state=ok] h2 button"))
        await page.until("document.querySelectorAll('.workspace-row').length === 1000")
        await page.run("document.querySelector('[data-state=ok] h2 button').focus()")
        token = await visitor.relay.mint_token("w7", "t")
        await send_report(visitor, token, problems=1)
        await page.until(
            "document.querySelectorAll('[data-state=warning] .workspace-row').length === 11"
        )
        await page.run(
            "document.querySelector('#search').value = 'w99';"
            "document.querySelector('#search').dispatchEvent(new Event('input'))"
        )
        await page.until("document.querySelectorAll('.workspace-row').length === 11")
        assert page.problems == []
