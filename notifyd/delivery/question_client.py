"""Questions to a relay of notifyd: ask, wait for the answer, withdraw."""

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple, Self
from urllib.parse import quote

from notifyd.delivery.client import BODY_LIMIT, Secret
from notifyd.delivery.response import sanitize
from notifyd.http.outgoing import OutgoingPool, read_bounded
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Json, Payload

_UNKNOWN = "unknown_question"
"""The code by which a relay says that it knows questions, but not this one."""


class QuestionError(NotifydError):
    """The server refused or could not be reached. status: of its answer; None without one."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class NoAnswersError(NotifydError):
    """The server has no answers, as the platform."""


class AskedQuestion(NamedTuple):
    """status: open, answered, withdrawn or expired. answer: empty unless it is answered."""

    status: str
    answer: str


class QuestionClient:
    """One question by its key. timeout: seconds for a request, beside what it waits.

    Each method raises QuestionError.
    """

    def __init__(self, url: str, key: str, token: Secret, timeout: float) -> None:
        self._send = f"{url.rstrip('/')}/notifications/send"
        self._url = f"{url.rstrip('/')}/notifications/questions/{quote(key, safe='')}"
        self._key, self._secret, self._timeout = key, token.get_secret_value(), timeout
        self._pool = OutgoingPool(url)

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._pool.__aexit__(*exception)

    async def check_server(self) -> None:
        """Raise NoAnswersError before anything is sent that the server cannot ask."""
        status, answer = await self._request("GET", self._url)
        if status == HTTPStatus.UNAUTHORIZED:
            raise self._refusal(status, answer)
        if answer.get("code") != _UNKNOWN:
            raise NoAnswersError(
                f"the server at {self._pool.host} takes no answers: `notifyd ask` needs a relay of "
                "notifyd, whose address is [api] url (see `notifyd relay --help`)"
            )

    async def ask(self, payload: Payload, options: Sequence[str], within: float) -> None:
        """Send the question. within: seconds for which it can be answered."""
        body: Json = {
            "title": payload.title,
            "body": payload.body,
            "data": payload.data,
            "actions": [{"label": option} for option in options],
            "answer_within": within,
        }
        status, answer = await self._request("POST", self._send, body)
        if status != HTTPStatus.OK:
            raise self._refusal(status, answer)

    async def wait(self, seconds: float) -> AskedQuestion:
        """Return the question when it has ended, or as it is after so many seconds."""
        return await self._question("GET", f"{self._url}?wait={seconds:.3f}", seconds)

    async def withdraw(self) -> AskedQuestion:
        """End the question, unless it was answered meanwhile."""
        return await self._question("DELETE", self._url)

    async def _question(self, method: str, url: str, wait: float = 0.0) -> AskedQuestion:
        status, answer = await self._request(method, url, wait=wait)
        question = answer.get("question")
        if status != HTTPStatus.OK or not isinstance(question, dict):
            raise self._refusal(status, answer)
        return AskedQuestion(str(question.get("status")), str(question.get("answer") or ""))

    async def _request(
        self, method: str, url: str, body: Json | None = None, *, wait: float = 0.0
    ) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {self._secret}"}
        content = None
        if body is not None:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": self._key}
            content = json.dumps(body).encode()
        try:
            async with (
                asyncio.timeout(self._timeout + wait),
                self._pool.request(method, url, headers=headers, data=content) as response,
            ):
                return response.status, _json_object(await read_bounded(response, BODY_LIMIT))
        except Exception as error:  # noqa: BLE001 - whatever went wrong on the way, in words
            _, sentence = self._pool.fault(error, self._timeout + wait)
            raise QuestionError(sanitize(sentence, self._secret)) from None

    def _refusal(self, status: int, answer: Json) -> QuestionError:
        sentence = sanitize(str(answer.get("error") or ""), self._secret)
        return QuestionError(
            f"{self._pool.host} refused with {status}" + (f": {sentence}" if sentence else ""),
            status,
        )


def _json_object(content: bytes | None) -> Json:
    try:
        parsed = json.loads(content or b"")
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
