"""What happens in the demo: log lines, jobs, a check that fails and recovers, a question."""

import asyncio
import contextlib
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from notifyd.client.spool import new_id
from notifyd.delivery.question_client import QuestionClient, QuestionError
from notifyd.model.notifications import Json, Payload

_PACE = 2.0
"""Seconds between two steps."""

_TRACE = """\
Traceback (most recent call last):
  File "shop/orders.py", line 214, in place
    total = cart.total()
  File "shop/cart.py", line 88, in total
    return sum(line.price for line in self.lines)
TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'"""

_QUESTION = "Deploy the nightly build to production?"
_ANSWER_WITHIN = 6 * 3600.0


class DemoActivity:
    """Writes into the directory of the demo. url, token: of its relay."""

    def __init__(self, directory: Path, url: str, token: str, wall: float) -> None:
        self._directory = directory
        self._log = directory / "app.log"
        self._service = directory / "service.pid"
        self._url, self._token = url, SecretStr(token)
        self._question_id = new_id(wall)

    def prepare(self) -> None:
        """Make what the triggers watch, so that nothing is missing when the daemon starts."""
        (self._directory / "reports").mkdir(exist_ok=True)
        self._log.touch()
        self._service.touch()

    async def run(self) -> None:
        """Let things happen, one after the other; then write a dull log until cancelled."""
        await self._write("INFO  request served in 12 ms")
        await self._write("ALERT the nightly build broke: 3 tests failed")
        await self._write(f"ERROR request failed\n{_TRACE}")
        await self._run_job("sleep 1; exit 0")
        self._service.unlink(missing_ok=True)
        await self._ask()
        for _ in range(3):
            await self._write("INFO  request served in 15 ms")
        self._service.touch()
        await self._run_job("sleep 2; exit 3")
        while True:
            await self._write("INFO  request served in 9 ms")

    async def _write(self, line: str) -> None:
        await asyncio.sleep(_PACE)
        with self._log.open("a") as file:
            file.write(f"{datetime.now().astimezone():%H:%M:%S} {line}\n")

    async def _run_job(self, script: str) -> None:
        job = await asyncio.create_subprocess_exec(
            "bash", "-c", f'exec -a demo-job bash -c "{script}"', cwd=self._directory
        )
        await job.wait()

    async def _ask(self) -> None:
        data: Json = {"notification_id": self._question_id, "trigger": "deploy", "priority": "high"}
        payload = Payload(self._question_id, _QUESTION, "All 412 tests passed on main.", data)
        # The demo goes on without an answer, and without a question.
        with contextlib.suppress(QuestionError):
            async with QuestionClient(self._url, self._question_id, self._token, 10.0) as client:
                await client.ask(payload, ("Yes", "No"), _ANSWER_WITHIN)
