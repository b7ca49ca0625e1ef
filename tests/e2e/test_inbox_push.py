"""Pushes in a real browser: the relay's own message is handed to the page's worker.

Headless browsers have no push service, so `subscribe` alone is scripted: it returns a subscription
to the push service of the test.
"""

import json
import time

import pytest

from notifyd.http.rate_limit import Rate
from support.browser import CHROMIUM, browsing
from support.push_service import allow_loopback, push_service
from support.visitor import visiting

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

LIVE = "document.querySelector('#connection')?.dataset.state === 'live'"
SHOWN = """navigator.serviceWorker.ready.then((worker) => worker.getNotifications()).then((all) =>
  all.map(({ title, body, tag, data, silent }) => ({ title, body, tag, data, silent })))"""
SUBSCRIBE = """
let subscription = null;
PushManager.prototype.getSubscription = async () => subscription;
PushManager.prototype.subscribe = async function (options) {
  window.subscribedWith = options;
  const keys = { p256dh: %(p256dh)s, auth: %(auth)s };
  return (subscription = {
    toJSON: () => ({ endpoint: %(endpoint)s, keys }),
    unsubscribe: async () => { subscription = null; return true; },
  });
};
"""


@pytest.fixture
async def service(tmp_path, monkeypatch):
    async with push_service(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
async def visitor(service):
    opening = visiting(rate=Rate(1000, 60.0), wall=time.time, may_push_to=allow_loopback)
    async with opening as opened:
        yield opened


@pytest.fixture
async def browser():
    async with browsing() as opened:
        yield opened


async def worker_id(page) -> str:
    """Return the id of the worker's registration, by which the browser hands it pushes."""
    await page.run("navigator.serviceWorker.ready.then(() => true)")
    registration = await page.event("ServiceWorker.workerRegistrationUpdated", "registrations")
    return registration[0]["registrationId"]


async def test_a_push_is_shown_replaced_and_opened(visitor, service, browser) -> None:
    await visitor.manage("GET", "/notifications/devices")
    token = await visitor.relay.mint_token("w1", "laptop")
    other = await visitor.relay.mint_token("w2", "laptop")
    for each in (token, other):
        await visitor.send(each, {"title": "before"})
    subscription = service.subscription("phone").body
    quoted = {name: json.dumps(value) for name, value in subscription.items()}
    origin = visitor.relay.url
    async with browser.page() as page:
        await page.command("Browser.grantPermissions", permissions=["notifications"], origin=origin)
        await page.command("Page.addScriptToEvaluateOnNewDocument", source=SUBSCRIBE % quoted)
        await page.command("ServiceWorker.enable")
        await page.open(visitor.relay.inbox_url)
        await page.until(LIVE)
        registration = await worker_id(page)
        await page.run("document.querySelector('#open-settings').click()")
        await page.until("!document.querySelector('#push-on').disabled")
        await page.run("document.querySelector('#push-on').click()")
        await page.until("!document.querySelector('#push-details').hidden")
        key = (await page.run("window.subscribedWith")) or {}
        assert (key["userVisibleOnly"], len(key["applicationServerKey"])) == (True, 87)

        note = {"title": "Build failed", "body": "see", "data": {"notification_id": "n1"}}
        await page.until(LIVE)
        sent = 1
        while (await visitor.send(token, note)).json["devices"] != 1:
            sent += 1  # the page's earlier stream is not closed yet
        message = (await service.until(sent))[-1]
        for _ in range(2):  # at least once means: perhaps twice
            await page.command(
                "ServiceWorker.deliverPushMessage",
                origin=origin,
                registrationId=registration,
                data=json.dumps(message.content),
            )
        await page.until(f"{SHOWN}.then((all) => all.length === 1)")
        (shown,) = await page.run(SHOWN)
        assert (shown["title"], shown["body"], shown["tag"]) == ("Build failed", "see", "w1/n1")
        assert shown["data"] == {"url": "", "seq": message.content["seq"]}

        await page.run("document.querySelector('[data-mute=hour]').click()")
        await page.until("!document.querySelector('#push-muted').hidden")
        await page.run("document.querySelector('[data-mute=off]').click()")
        await page.until("document.querySelector('#push-muted').hidden")
        await page.run("document.querySelector('#push-choices input').click()")
        await page.until("document.querySelector('.choice-title').textContent.endsWith('only')")
        (device,) = (await visitor.manage("GET", "/notifications/devices")).json["devices"]
        assert device["kind"] == "web_push"
        assert len(device["workspaces"]) == 1

        await page.run("document.querySelector('#settings').close()")
        await page.run("location.hash = '#n1'")
        await page.until(
            "document.activeElement.querySelector('.title')?.textContent === 'before'"
            " && document.activeElement.querySelector('.open').ariaExpanded === 'true'"
        )
        await page.run("document.querySelector('#push-on').click()")
        await page.until("document.querySelector('#push-details').hidden")
        assert (await visitor.manage("GET", "/notifications/devices")).json["devices"] == []
        assert page.problems == []


async def test_a_card_says_which_phone_did_not_get_it(visitor, service, browser) -> None:
    service.answers["/phone"] = [(400, {})]
    key = visitor.relay.inbox_url.partition("key=")[2]
    body = service.subscription("phone").body
    await visitor.ask("POST", f"/inbox/push?key={key}", json=body)
    async with browser.page(visitor.relay.inbox_url) as page:
        await page.until(LIVE)
        await visitor.send(await visitor.relay.mint_token("w1", "laptop"), {"title": "lost"})
        said = "Not delivered to phone: localhost refused the message (400)"
        await page.until(f"document.querySelector('.undelivered')?.textContent === {said!r}")
        assert page.problems == []
