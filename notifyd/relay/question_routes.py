"""Questions over HTTP: a sender waits for the answer that somebody gives on the inbox page."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

from notifyd.http.errors import HttpError, printable
from notifyd.http.event_stream import OpenStreams
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import HttpRoute
from notifyd.relay import questions
from notifyd.relay.access import check_inbox_key, find_sender
from notifyd.relay.inbox_schemas import AnswerRequest, WaitParameters
from notifyd.relay.questions import Question, QuestionStatus
from notifyd.relay.store.base import RelayStore

_LOOK_AGAIN = 2.0
"""Seconds between two looks at the store, for answers that another relay took."""

_MOST_WAITING = 128
_MOST_OF_WORKSPACE = 32
"""Requests that wait at once, in all and of one workspace: the others need connections too."""

_REASONS = {
    QuestionStatus.ANSWERED: "the question was answered before",
    QuestionStatus.WITHDRAWN: "the question was withdrawn",
    QuestionStatus.EXPIRED: "the time for an answer is over",
}


class QuestionRoutes:
    def __init__(self, store: RelayStore, pages: OpenStreams, wall: Callable[[], float]) -> None:
        self._store = store
        self._pages = pages
        self._wall = wall
        self._waiting = OpenStreams(
            most=_MOST_WAITING,
            per_client=_MOST_OF_WORKSPACE,
            noun="requests that wait for an answer",
            code="too_many_waiting",
        )

    def close(self) -> None:
        """Answer all requests that wait, now and later."""
        self._waiting.close()

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        path = "/notifications/questions/{question}"
        return [
            HttpRoute("GET", path, self._wait),
            HttpRoute("DELETE", path, self._withdraw),
            HttpRoute("POST", f"{path}/answer", self._answer),
        ]

    async def _wait(self, request: Request[RemoteClient]) -> web.Response:
        """Answer once the question has ended, or when the time that was asked for is over."""
        token = await find_sender(self._store, request)
        key, wait = request.parameters["question"], request.query(WaitParameters).wait
        if not wait:
            return self._response(await self._find(token.workspace_id, key))
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        with self._waiting.admit(token.workspace_id) as place:
            while True:
                place.changed.clear()
                question = await self._find(token.workspace_id, key)
                remaining = until - loop.time()
                is_open = question.status(self._wall()) is QuestionStatus.OPEN
                if not is_open or remaining <= 0 or self._waiting.is_closing:
                    return self._response(question)
                try:
                    async with asyncio.timeout(min(remaining, _LOOK_AGAIN)):
                        await place.changed.wait()
                except TimeoutError:
                    pass

    async def _withdraw(self, request: Request[RemoteClient]) -> web.Response:
        token = await find_sender(self._store, request)
        key = request.parameters["question"]
        await self._store.run(questions.withdraw, token.workspace_id, key, self._wall())
        question = await self._find(token.workspace_id, key)
        self._announce_end()
        return self._response(question)

    async def _answer(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        body = await request.json(AnswerRequest, any_content_type=True)
        key, wall = request.parameters["question"], self._wall()
        question = await self._find(body.workspace_id, key)
        if body.answer not in question.options:
            options = ", ".join(map(printable, question.options))
            sentence = f"answer: use one of the options: {options}"
            raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error", sentence)
        is_first = await self._store.run(
            questions.answer,
            body.workspace_id,
            key,
            body.answer,
            wall,
            workspace_seq=body.workspace_seq,
        )
        question = await self._find(body.workspace_id, key)
        if not is_first:
            raise self._too_late(question)
        self._announce_end()
        return self._response(question)

    async def _find(self, workspace_id: str, key: str) -> Question:
        question = await self._store.read(questions.find, workspace_id, key)
        if question is None:
            sentence = f"no question {printable(key)}"
            raise HttpError(HTTPStatus.NOT_FOUND, "unknown_question", sentence)
        return question

    def _announce_end(self) -> None:
        """Wake the senders that wait, and the pages."""
        self._waiting.wake()
        self._pages.wake()

    def _response(self, question: Question) -> web.Response:
        status = question.status(self._wall())
        return success(question={**question.as_json(), "status": status})

    def _too_late(self, question: Question) -> HttpError:
        status = question.status(self._wall())
        if status is QuestionStatus.OPEN:
            sentence = "this question was replaced by a later one with the same key"
            return HttpError(HTTPStatus.CONFLICT, "replaced", sentence)
        details = {"question": {**question.as_json(), "status": status}}
        return HttpError(HTTPStatus.CONFLICT, status, _REASONS[status], details=details)
