"""`notifyd send --direct`: one request straight to the API, without a daemon."""

import asyncio
import json
import sys

from notifyd.cli.direct_request import prepare
from notifyd.cli.exit_status import FAILED, REFUSED, TRY_LATER
from notifyd.cli.output import write
from notifyd.delivery.client import SendClient, encode_request
from notifyd.delivery.outcome import decide_outcome
from notifyd.delivery.response import ApiResponse
from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.notifications import Json, Message, Priority

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
    request = prepare(message, priority)
    body = encode_request(request.payload)
    notification_id = request.payload.id

    async def send() -> ApiResponse:
        async with SendClient(request.url, request.timeout) as client:
            return await client.send(
                notification_id, body, request.token, token_name=request.token_name
            )

    response = asyncio.run(send())
    attempt = SendAttempt(notification_id, 1, 0, 0)
    outcome = decide_outcome(response, attempt, request.now, jitter=0.0)
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
