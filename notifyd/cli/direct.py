"""`notifyd send --direct`: one request straight to the API, without a daemon."""

import asyncio
import json
import os
import sys
import time
from dataclasses import replace

from notifyd.cli.exit_status import FAILED, REFUSED, TRY_LATER
from notifyd.cli.output import write
from notifyd.client.spool import new_id
from notifyd.config.load import load
from notifyd.config.token import find_token
from notifyd.delivery.client import SendClient, encode_request
from notifyd.delivery.outcome import decide_outcome
from notifyd.delivery.response import ApiResponse
from notifyd.engine.renderer import Renderer
from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import SOCKET, Json, Message, Notification, Priority, Status
from notifyd.text.visible import visible_text

_STATUSES = {
    OutcomeKind.DELIVERED: 0,
    OutcomeKind.NO_DEVICE: 0,
    OutcomeKind.REFUSED: REFUSED,
    OutcomeKind.RETRY: TRY_LATER,
}
"""Exit statuses; of every other outcome it is FAILED."""


def send_direct(message: Message, priority: Priority, *, as_json: bool) -> int:
    """Send one request with the configured URL and token, print its result, return the exit status.

    The text is masked and cut as the daemon does it. ConfigError, TokenError: before anything is
    sent.
    """
    loaded = load(None, os.environ)
    settings = loaded.settings
    token = find_token(settings.api, os.environ, loaded.files)
    secret = token.read()
    now = Now(time.monotonic(), time.time())
    notification = Notification(
        new_id(now.wall), Status.ATTEMPTING, SOCKET, priority, 1, now.wall, now.mono
    )
    renderer = Renderer({}, is_redacting=settings.text.redact)
    visible = replace(message, title=visible_text(message.title), body=visible_text(message.body))
    body = encode_request(renderer.render(notification, visible, now))

    async def send() -> ApiResponse:
        async with SendClient(settings.api.url, settings.api.timeout) as client:
            return await client.send(notification.id, body, secret, token_name=token.name)

    response = asyncio.run(send())
    outcome = decide_outcome(response, SendAttempt(notification.id, 1, 0, 0), now, jitter=0.0)
    _report(outcome, as_json=as_json)
    return _STATUSES.get(outcome.kind, FAILED)


def _report(outcome: Outcome, *, as_json: bool) -> None:
    is_sent = outcome.kind in (OutcomeKind.DELIVERED, OutcomeKind.NO_DEVICE)
    if as_json:
        answer: Json = {"success": is_sent, "id": outcome.id, "status": outcome.kind.value}
        answer |= outcome.report or {}
        if not is_sent:
            answer["error"] = outcome.reason
        write(json.dumps(answer, ensure_ascii=False))
    elif is_sent:
        write(outcome.id)
    if outcome.reason:
        print(f"notifyd send: {'' if is_sent else 'not sent: '}{outcome.reason}", file=sys.stderr)
