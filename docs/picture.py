"""Write docs/inbox.png: the inbox page in the evening of the day in picture.toml.

Run by `make picture`, with Chromium. The notifications are stored as if they had been sent at their
times, and the browser gets a clock and a time zone of its own, so that the picture changes only
with the page.
"""

import asyncio
import base64
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from notifyd.http.rate_limit import Rate
from notifyd.relay import changes, sends
from notifyd.relay.changes import Action
from notifyd.relay.credentials import ClientCredentials
from notifyd.relay.sends import Send, StoreLimits
from notifyd.relay.server import Relay, open_relay
from support.browser import BrowserPage, browsing

TARGET = Path(__file__).with_name("inbox.png")
DAY = tomllib.loads(Path(__file__).with_name("picture.toml").read_text())["notifications"]
NOW = datetime(2026, 11, 30, 17, 42, tzinfo=UTC)
CLIENT = ClientCredentials("client_of_the_picture", "a secret of the picture")
LIMITS = StoreLimits(Rate(1000, 60.0), 1000, 1000)
QUESTION = 1800.0
"""Seconds in which the question can be answered."""
SCALE = 1.2
"""Pixels for each of the picture's 1280 columns."""

CLOCK = """\
{
  const Real = Date, shift = %d - Real.now();
  globalThis.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + shift); }
    static now() { return Real.now() + shift; }
  };
}"""
LIVE = """\
document.querySelector('#connection')?.dataset.state === 'live'
  && document.querySelectorAll('.card').length > 8
  && document.querySelector('#chart-text').textContent !== ''"""
UNREAD = "document.querySelector('#unread').textContent"
OPEN_TRACE = """\
[...document.querySelectorAll('.card')]
  .find((card) => card.textContent.includes('ValueError'))
  .querySelector('.open').click()"""
FRAMES = """\
<!doctype html>
<style>
  body {{ margin: 0; width: 1280px; height: 800px; position: relative; overflow: hidden;
         background: #dfe3ea; }}
  img {{ position: absolute; display: block; }}
  #desktop {{ left: 32px; top: 40px; width: 868px; height: 720px; border-radius: 12px;
             box-shadow: 0 6px 30px #10203030; }}
  #phone {{ right: 32px; top: 62px; width: 302px; height: 656px; border: 9px solid #15181d;
           border-radius: 40px; background: #15181d; box-shadow: 0 6px 24px #10203040; }}
</style>
<img id="desktop" src="data:image/png;base64,{desktop}">
<img id="phone" src="data:image/png;base64,{phone}">
"""


async def store_day(relay: Relay) -> None:
    tokens = {
        name: await relay.mint_token(name, "notifyd")
        for name in {each["workspace"] for each in DAY}
    }
    for number, each in enumerate(DAY):
        send = Send(
            tokens[each["workspace"]],
            each["title"],
            each["body"],
            each["data"],
            f"key-{number}",
            tuple(each.get("options", ())),
            QUESTION,
        )
        wall = datetime.combine(NOW, each["at"], UTC).timestamp()
        await relay.store.run(sends.accept, [send], pages=0, wall=wall, limits=LIMITS)
    read = [seq for seq, each in enumerate(DAY, 1) if each.get("read")]
    await relay.store.run(changes.apply, Action.READ, read, NOW.timestamp())


async def resize(page: BrowserPage, width: int, height: int, scale: float) -> None:
    await page.command(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=scale,
        mobile=False,
    )


async def show(page: BrowserPage, url: str, width: int, height: int, theme: str) -> None:
    """Open the inbox in a window of this size, in the evening of the day."""
    clock = CLOCK % int(NOW.timestamp() * 1000)
    await page.command("Page.addScriptToEvaluateOnNewDocument", source=clock)
    await page.command("Emulation.setTimezoneOverride", timezoneId="UTC")
    await page.command("Emulation.setLocaleOverride", locale="en-GB")
    await page.command("Emulation.setScrollbarsHidden", hidden=True)
    await page.prefer(theme)
    await resize(page, width, height, 2.0)
    await page.open(url)
    await page.until(LIVE)


async def shot(page: BrowserPage, file: Path) -> str:
    """Return a picture of the page, in base64."""
    await page.screenshot(file)
    return base64.b64encode(await asyncio.to_thread(file.read_bytes)).decode()


async def main() -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        async with (
            open_relay(":memory:", client=CLIENT, wall=NOW.timestamp) as relay,
            browsing() as browser,
            browser.page() as phone,
            browser.page() as desktop,
            browser.page() as frames,
        ):
            await store_day(relay)
            await show(phone, relay.inbox_url, 390, 844, "dark")
            unread = int(await phone.run(UNREAD))
            await phone.run(OPEN_TRACE)  # which reads it
            await phone.until(f"{UNREAD} === '{unread - 1}'")
            await show(desktop, relay.inbox_url, 1100, 912, "light")
            shots = {"phone": await shot(phone, file), "desktop": await shot(desktop, file)}
            await resize(frames, 1280, 800, SCALE)
            document = json.dumps(FRAMES.format(**shots))
            await frames.run(f"document.write({document})")
            await frames.run("Promise.all([...document.images].map((image) => image.decode()))")
            await frames.screenshot(TARGET)


asyncio.run(main())
