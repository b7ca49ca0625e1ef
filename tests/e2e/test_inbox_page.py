"""The inbox page in a real browser, as a person uses it."""

import asyncio
import time

import pytest

from notifyd.http.rate_limit import Rate
from notifyd.relay import credentials, inbox, sends
from notifyd.relay.sends import Send, StoreLimits
from notifyd.relay.server import open_relay
from support.browser import CHROMIUM, BrowserPage, browsing
from support.command import run
from support.visitor import CLIENT, Visitor, visiting

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

LIMITS = StoreLimits(Rate(1_000_000, 60.0), 100_000, 100_000)
TRACE = """Traceback (most recent call last):
  File "/app/cart.py", line 88, in total
    return sum(line.price for line in self.lines)
ValueError: price of line 3 is None"""
LINK = {"label": "Log", "url": "https://ci.test/1"}
LIVE = "document.querySelector('#connection')?.dataset.state === 'live'"
TITLES = "[...document.querySelectorAll('.title')].map((title) => title.textContent)"
KEPT = (
    "caches.open('inbox-2').then((cache) => cache.keys())"
    ".then((keys) => keys.map((each) => each.url))"
)
UNREAD = "document.querySelector('#unread').textContent"


@pytest.fixture
async def visitor():
    async with visiting(rate=Rate(100_000, 60.0), wall=time.time) as opened:
        yield opened


@pytest.fixture
async def browser():
    async with browsing() as opened:
        yield opened


async def store(visitor: Visitor, *notifications: dict, workspace: str = "w1") -> str:
    """Store notifications as if they had been sent, oldest first; return their token."""
    token = await visitor.relay.mint_token(workspace, "laptop")
    batch = [
        Send(token, each.pop("title", None), each.pop("body", None), each)
        for each in map(dict, notifications)
    ]
    await visitor.relay.store.run(sends.accept, batch, pages=0, wall=time.time(), limits=LIMITS)
    return token


async def live(page: BrowserPage) -> None:
    await page.until(LIVE)


async def shows(page: BrowserPage, *titles: str) -> None:
    await page.until(f"JSON.stringify({TITLES}) === JSON.stringify({list(titles)})")


def click(selector: str) -> str:
    return f"document.querySelector({selector!r}).click()"


async def test_a_card_says_what_happened_and_text_stays_text(visitor, browser) -> None:
    await store(
        visitor,
        {"title": "<b onclick=x>&amp;</b>", "body": "<script>window.hacked = 1</script>"},
        {"title": "build failed", "url": "https://ci.test/7", "body": "see http://a.test/b."},
        {"title": "later", "url": "javascript:window.hacked = 1"},
        {
            "title": "app: 28 \u00d7",
            "body": TRACE,
            "trigger": "app",
            "count": "28",
            "outcome": "failure",
        },
    )
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await shows(
            page,
            "ValueError: price of line 3 is None",
            "later",
            "build failed",
            "<b onclick=x>&amp;</b>",
        )
        links = "[...document.querySelectorAll('#days a')].map((a) => [a.href, a.rel])"
        assert await page.run(links) == [
            ["https://ci.test/7", "noopener noreferrer"],
            ["http://a.test/b", "noopener noreferrer"],
        ]
        first = "document.querySelector('.card')"
        assert await page.run(f"{first}.querySelector('.times').textContent") == "\u00d7 28"
        assert await page.run(f"{first}.querySelector('.tile').ariaLabel") == "Failed"
        assert await page.run("document.title") == "(4) Inbox"
        await page.run(f"{first}.click()")
        assert await page.run(f"{first}.querySelector('pre').textContent") == TRACE
        await page.until("document.title === '(3) Inbox'")
        assert await page.run("window.hacked") is None
        assert page.problems == []


async def test_the_keyboard_moves_archives_deletes_and_undoes(visitor, browser) -> None:
    await store(visitor, *({"title": str(number)} for number in range(1, 5)))
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await shows(page, "4", "3", "2", "1")
        await page.press("j")
        await page.press("j")
        await page.press("e")
        await shows(page, "4", "2", "1")
        await page.until("document.activeElement.querySelector('.title')?.textContent === '2'")
        await page.until("!document.querySelector('#toast').hidden")
        await page.press("z")
        await shows(page, "4", "3", "2", "1")
        await page.press("j")
        await page.press("#")
        await shows(page, "4", "3", "2")
        await page.until("document.activeElement.querySelector('.title')?.textContent === '2'")
        await page.press("Enter")
        await page.until("document.activeElement.querySelector('.open').ariaExpanded === 'true'")
        await page.until(f"{UNREAD} === '2'")
        await page.press("u")
        await page.until(f"{UNREAD} === '3'")
        await page.press("?")
        await page.until("document.querySelector('#help').open")
        assert page.problems == []


async def test_filters_and_search_are_the_relay_s_and_stay_in_the_address(visitor, browser) -> None:
    await store(visitor, *({"title": f"old {number}"} for number in range(120)))
    await store(
        visitor,
        {"title": "nightly ended", "trigger": "nightly", "outcome": "success"},
        {"title": "nightly failed", "trigger": "nightly", "outcome": "failure"},
        workspace="w2",
    )
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await page.run(
            "document.querySelector('#search').value = 'old 79';"
            "document.querySelector('#search').dispatchEvent(new Event('input'))"
        )
        await shows(page, "old 79")
        await page.run(click("#clear-filters"))
        await page.run(
            "[...document.querySelectorAll('#filters button')]"
            ".find((button) => button.textContent === 'Failed').click()"
        )
        await shows(page, "nightly failed")
        address = await page.run("location.href")
        assert address.endswith("&outcome=failure")
        await page.open(address)
        await shows(page, "nightly failed")
        await page.open(visitor.relay.inbox_url)
        await page.until(f"{TITLES}.length >= 50")
        await page.until(
            f"window.scrollTo(0, document.body.scrollHeight), {TITLES}.at(-1) === 'old 0'"
        )
        assert page.problems == []


async def test_two_pages_show_the_same_and_one_answer_wins(visitor, browser) -> None:
    token = await store(visitor)
    environ = {"NOTIFYD_API__URL": visitor.relay.url, "NOTIFYD_SEND_TOKEN": token}
    async with (
        browser.page(visitor.relay.inbox_url) as page,
        browser.page(visitor.relay.inbox_url) as other,
    ):
        await live(page)
        await live(other)
        asking = asyncio.create_task(run("ask", "Deploy?", **environ))
        for each in (page, other):
            await each.until("document.querySelectorAll('.options button').length === 2")
        await asyncio.gather(
            page.run(click(".options button:first-child")),
            other.run(click(".options button:last-child")),
        )
        ran = await asking
        assert (ran.status, ran.out) in {(0, "Yes\n"), (0, "No\n")}
        result = f"document.querySelector('.result').textContent === 'Answered: {ran.out.strip()}'"
        await page.until(result)
        await other.until(result)
        await page.run("document.querySelector('.open').click()")
        await page.run(click("[data-action=archive]"))
        await shows(other)
        # The answer that came too late is the only thing that a browser may have complained of.
        assert all("409" in problem for problem in page.problems + other.problems)


async def test_a_question_that_nobody_waits_for_any_more_is_withdrawn(visitor, browser) -> None:
    token = await store(visitor)
    environ = {"NOTIFYD_API__URL": visitor.relay.url, "NOTIFYD_SEND_TOKEN": token}
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        assert (await run("ask", "Deploy?", "--timeout", "100ms", **environ)).status == 75
        withdrawn = "Withdrawn without an answer"
        await page.until(f"document.querySelector('.result')?.textContent === '{withdrawn}'")
        assert await page.run("document.querySelector('.options').hidden")


async def test_offline_it_says_so_and_shows_what_it_had(tmp_path, browser) -> None:
    database = tmp_path / "relay.db"
    async with open_relay(database, client=CLIENT) as relay:
        visitor, port = Visitor(relay, None), int(relay.url.rpartition(":")[2])
        await store(visitor, {"title": "before"})
        url = relay.inbox_url
        page_context = browser.page(url)
        page = await page_context.__aenter__()
        await live(page)
        await page.until("navigator.serviceWorker.controller !== null")
        await page.open(url)  # the worker keeps what passes through it
        await live(page)
        await shows(page, "before")
    await page.until("!document.querySelector('#offline').hidden")
    assert "Last update: now" in await page.run("document.querySelector('#offline').textContent")
    await page.open(url)
    await shows(page, "before")
    await page.until("!document.querySelector('#offline').hidden")
    async with open_relay(database, port=port, client=CLIENT) as relay:
        await store(Visitor(relay, None), {"title": "after"})
        await page.run(click("#retry"))
        await live(page)
        await shows(page, "after", "before")
        await page.until("document.querySelector('#offline').hidden")
        await page_context.__aexit__(None, None, None)


async def test_an_empty_inbox_helps_and_a_wrong_key_is_a_page(visitor, browser) -> None:
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await page.until("!document.querySelector('#empty').hidden")
        assert visitor.relay.url in await page.run("document.querySelector('#empty').textContent")
        await store(visitor, {"title": "first"})
        await visitor.send(await store(visitor), {"title": "second"})
        await shows(page, "second", "first")
        await page.until("document.querySelector('#empty').hidden")
        await page.open(visitor.relay.url + "/inbox?key=wrong")
        await page.until("document.title === 'Wrong address'")
        assert "notifyd relay inbox" in await page.run("document.body.textContent")


async def test_it_opens_with_twenty_thousand(visitor, browser) -> None:
    await store(visitor, *({"title": f"n {number}"} for number in range(20_000)))
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await page.until(f"{UNREAD}.replace(/\\D/g, '') === '20000'")
        await page.until(f"window.scrollTo(0, document.body.scrollHeight), {TITLES}.length >= 400")
        await page.run(click("#read-all"))
        await page.until("document.querySelector('#unread').hidden")
        assert page.problems == []


async def test_no_text_stops_the_page(visitor, browser) -> None:
    dots, spaces = "." * 60_000, " " * 60_000
    await store(
        visitor,
        {"title": "progress", "body": f"\t{'.' * 120}\n\t{'a.' * 60}\n\tdone"},
        {"title": "end of an address", "body": f"http://a.test/b{dots}c"},
        {"title": "spaces", "body": f"a{spaces}b"},
        {"title": "marks", "body": "e" + "\u0301" * 1750, "actions": [{"label": "x" * 3000}] * 50},
        {"title": "odd", "actions": [*[None] * 9, {"url": {}}, LINK], "url": []},
    )
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await shows(page, "odd", "marks", "spaces", "end of an address", "progress")
        links = "document.querySelector('.card').querySelectorAll('.links a').length"
        assert await page.run(links) == 1
        assert page.problems == []


async def test_a_refused_event_stream_is_opened_again(browser, monkeypatch) -> None:
    monkeypatch.setattr(inbox, "MOST_PAGES", 1)
    async with visiting(wall=time.time) as visitor:
        async with visitor.page() as other:
            await other.until_live()
            page_context = browser.page(visitor.relay.inbox_url)
            page = await page_context.__aenter__()
            await page.until("!document.querySelector('#offline').hidden")
        await live(page)
        await page_context.__aexit__(None, None, None)


async def test_a_late_answer_does_not_replace_a_newer_list(visitor, browser) -> None:
    await store(visitor, {"title": "slow"}, {"title": "quick"})
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await page.run(
            "real = fetch; window.fetch = async (path, how) => {"
            "  const answer = await real(path, how);"
            "  if (path.includes('q=slow')) await new Promise((go) => { window.go = go; });"
            "  return answer; };"
            "setFilter('q', 'slow')"
        )
        await page.until("typeof window.go === 'function'")
        await page.run("setFilter('q', 'quick')")
        await shows(page, "quick")
        await page.run("go(); new Promise((done) => setTimeout(done, 100))")
        await shows(page, "quick")
        assert await page.run(f"{TITLES}.length") == 1


async def test_counts_follow_while_notifications_keep_coming(visitor, browser) -> None:
    token = await store(visitor)
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        sending = asyncio.create_task(keep_sending(visitor, token))
        await page.until(f"Number({UNREAD}.replace(/\\D/g, '')) > 0")
        sending.cancel()


async def keep_sending(visitor: Visitor, token: str) -> None:
    while True:
        await visitor.send(token)


async def test_it_works_where_a_browser_keeps_nothing(visitor, browser) -> None:
    await store(visitor, {"title": "shown"})
    async with browser.page() as page:
        throws = "{ get() { throw new DOMException('denied', 'SecurityError'); } }"
        source = f"Object.defineProperty(window, 'localStorage', {throws})"
        await page.command("Page.addScriptToEvaluateOnNewDocument", source=source)
        await page.open(visitor.relay.inbox_url)
        await live(page)
        await shows(page, "shown")
        assert page.problems == []


async def test_repeats_are_read_and_archived_as_one(visitor, browser) -> None:
    again = {"title": "disk full", "trigger": "disk"}
    await store(visitor, {"title": "other"}, *[again] * 5)
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await shows(page, "disk full", "other")
        await page.run(click(".card"))
        await page.until(f"{UNREAD} === '1'")
        await page.press("j")
        await page.press("e")
        await shows(page, "other")
        await page.until("document.querySelector('#toast-text').textContent.includes('5')")
        await page.run(click("#undo"))
        await shows(page, "disk full", "other")
        assert page.problems == []


async def test_with_filters_only_what_they_show_is_marked_as_read(visitor, browser) -> None:
    await store(visitor, {"title": "a", "trigger": "one"}, {"title": "b", "trigger": "two"})
    async with browser.page(visitor.relay.inbox_url + "&source=one") as page:
        await live(page)
        await shows(page, "a")
        assert await page.run("document.querySelector('#read-all').textContent") == (
            "Mark these as read"
        )
        await page.run(click("#read-all"))
        await page.until(f"{UNREAD} === '1'")


async def test_what_comes_disturbs_neither_a_selection_nor_the_focus(visitor, browser) -> None:
    token = await store(
        visitor, {"title": "chosen", "trigger": "one"}, {"title": "b", "trigger": "two"}
    )
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await page.resize(1280, 900)
        await page.until("document.querySelectorAll('[data-filter^=source]').length === 2")
        await page.run("getSelection().selectAllChildren(document.querySelectorAll('.title')[1])")
        await page.run("document.querySelector('[data-filter^=source]').focus()")
        await visitor.send(token, {"title": "new"})
        await shows(page, "new", "b", "chosen")
        await page.until(f"{UNREAD} === '3'")
        assert await page.run("String(getSelection())") == "chosen"
        assert await page.run("document.activeElement.dataset.filter") == "source=one"


async def test_a_page_that_is_left_open_does_not_grow_without_end(visitor, browser) -> None:
    token = await store(visitor, {"title": "first"})
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await store(visitor, *({"title": str(number)} for number in range(700)))
        await visitor.send(token, {"title": "last"})
        await page.until(f"{TITLES}[0] === 'last'")
        assert await page.run("cards.size === ordered.length && ordered.length") == 500
        await page.until(
            f"window.scrollTo(0, document.body.scrollHeight), {TITLES}.at(-1) === 'first'"
        )


async def test_offline_it_keeps_one_list_and_nothing_of_an_earlier_key(tmp_path, browser) -> None:
    async with visiting(tmp_path / "relay.db", wall=time.time) as visitor:
        await store(visitor, {"title": "secret", "trigger": "one"})
        url = visitor.relay.inbox_url
        async with browser.page(url) as page:
            await live(page)
            await page.until("navigator.serviceWorker.controller !== null")
            for query in ("", "&source=one", "&q=secret", "&view=archive"):
                await page.open("about:blank")
                await page.open(url + query)
                await live(page)
            await page.until(f"{KEPT}.then((kept) => kept.length === 4)")
            key = await visitor.relay.store.run(credentials.renew_inbox_key)
            await page.open(url.partition("key=")[0] + "key=" + key)
            await live(page)
            every = f"kept.length > 0 && kept.every((url) => url.includes({key!r}))"
            await page.until(f"{KEPT}.then((kept) => {every})")


async def test_a_page_left_open_over_an_update_loads_the_new_one_once(visitor, browser) -> None:
    outdate = (
        "document.body.dataset.version = 'old'; window.isOld = true;"
        "document.querySelector('#connection').dataset.state = 'connecting'; void reload()"
    )
    async with browser.page(visitor.relay.inbox_url) as page:
        await live(page)
        await page.run(outdate)
        await page.until("window.isOld === undefined")
        await live(page)
        await page.run(outdate)
        await live(page)
        assert await page.run("window.isOld") is True, "the second time it stays"
