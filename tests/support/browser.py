"""A page in headless Chromium, driven by the browser's debugging protocol."""

import asyncio
import base64
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

PATIENCE = 60.0
CHROMIUM = shutil.which("chromium")
_FLAGS = (
    *("--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--remote-debugging-port=0"),
)


class BrowserPage:
    """One tab. Scripts run in the page; what they throw is an AssertionError here."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future] = {}
        self.problems: list[str] = []
        self._events: dict[str, dict] = {}
        self._told = asyncio.Event()

    async def read(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            if "id" in event and (waiting := self._answers.pop(event["id"], None)):
                waiting.set_result(event)
                continue
            self._events[event.get("method", "")] = event.get("params", {})
            self._told.set()
            if event.get("method") == "Runtime.exceptionThrown":
                self.problems.append(str(event["params"]["exceptionDetails"]))
            elif event.get("method") == "Log.entryAdded":
                self.problems.append(str(event["params"]["entry"]["text"]))

    async def command(self, method: str, **parameters: object) -> dict:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(PATIENCE):
            answer = await self._answers[number]
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, url: str) -> None:
        await self.command("Page.navigate", url=url)

    async def run(self, script: str):
        """Return the value of an expression, which may be a promise."""
        result = await self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, script: str) -> object:
        """Wait until an expression is true; return its value."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    if value := await self._value(script):
                        return value
                    await asyncio.sleep(0.02)
        except TimeoutError:
            shown = await self._value("document.body.innerText.slice(0, 2000)")
            raise AssertionError(f"never true: {script}\n{self.problems}\n{shown}") from None

    async def _value(self, script: str):
        """Return the value of an expression; None while it throws, as when a page is loading."""
        result = await self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        return result["result"].get("value")

    async def event(self, method: str, field: str):
        """Wait for an event of the browser whose `field` is not empty; return that of the last."""
        async with asyncio.timeout(PATIENCE):
            while not self._events.get(method, {}).get(field):
                self._told.clear()
                await self._told.wait()
        return self._events[method][field]

    async def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            await self.command("Input.dispatchKeyEvent", type=kind, key=key, **text)

    async def resize(self, width: int, height: int) -> None:
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def prefer(self, scheme: str) -> None:
        """Let the page see a light or a dark system."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.command("Emulation.setEmulatedMedia", features=features)

    async def screenshot(self, file: Path) -> None:
        shot = await self.command("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240 - a test


class Browser:
    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session, self._address = session, address

    @asynccontextmanager
    async def page(self, url: str = "about:blank") -> AsyncIterator[BrowserPage]:
        """Open a tab of its own while inside."""
        async with self._session.put(f"{self._address}/json/new") as response:
            target = await response.json(content_type=None)
        limit = 64 << 20
        async with self._session.ws_connect(
            target["webSocketDebuggerUrl"], max_msg_size=limit
        ) as socket:
            page = BrowserPage(socket)
            reading = asyncio.create_task(page.read())
            try:
                for domain in ("Page", "Runtime", "Log"):
                    await page.command(f"{domain}.enable")
                await page.command("Emulation.setFocusEmulationEnabled", enabled=True)
                await page.command("Page.bringToFront")
                await page.open(url)
                yield page
            finally:
                reading.cancel()


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Run a headless Chromium with an empty profile."""
    assert CHROMIUM is not None
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *_FLAGS,
            *sandbox,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await _debugging_port(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                yield Browser(session, f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            await process.wait()


async def _debugging_port(file: Path) -> int:
    async with asyncio.timeout(PATIENCE):
        while True:
            lines = file.read_text().splitlines() if file.exists() else []  # noqa: ASYNC240
            if lines:
                return int(lines[0])
            await asyncio.sleep(0.02)
