"""A trial: one notification, through the daemon if it answers, else straight to the API."""

import asyncio
import time

from notifyd.client.http import send_request
from notifyd.client.spool import new_id
from notifyd.config.token import find_token
from notifyd.delivery.client import SendClient, encode_request
from notifyd.delivery.outcome import decide_outcome
from notifyd.delivery.response import ApiResponse
from notifyd.doctor.finding import CheckReport, Finding
from notifyd.doctor.subject import Subject
from notifyd.model.attempts import OutcomeKind, SendAttempt
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError, TokenError
from notifyd.model.events import Now
from notifyd.model.notifications import Json, Payload

_NAME = "test notification"
_TITLE, _BODY = "notifyd doctor", "A test notification: it works."
_WAIT = 30
"""Seconds for the delivery by the daemon."""
_DELIVERED = (OutcomeKind.DELIVERED, OutcomeKind.NO_DEVICE)


def send_trial(subject: Subject) -> CheckReport:
    """Send one notification and report its result."""
    if subject.status is not None:
        return _send_by_daemon(subject.socket)
    return _send_direct(subject)


def _send_by_daemon(socket: str) -> CheckReport:
    message = {"title": _TITLE, "body": _BODY, "priority": "high"}
    target = f"/notifications/send?wait={_WAIT}s"
    try:
        _, answer = send_request(
            "POST", target, body=message, socket_path=socket, within=_WAIT + 10.0
        )
    except (DaemonAnswerError, DaemonUnreachableError) as error:
        return _failed(str(error))
    if "devices" not in answer and "delivered" not in answer:
        return _failed(f"it was not delivered within {_WAIT} s; it stays queued")
    return CheckReport(_NAME, f"delivered to {answer.get('delivered', 0)} devices")


def _send_direct(subject: Subject) -> CheckReport:
    api = subject.settings.api
    source = find_token(api, subject.environ, subject.files)
    try:
        secret = source.read()
    except TokenError as error:
        return _failed(str(error))
    now = Now(time.monotonic(), subject.wall())
    name = new_id(now.wall)
    data: Json = {"notification_id": name, "trigger": "notifyd", "priority": "high", "count": "1"}
    body = encode_request(Payload(name, _TITLE, _BODY, data))

    async def send() -> ApiResponse:
        async with SendClient(api.url, api.timeout) as client:
            return await client.send(name, body, secret, token_name=source.name)

    outcome = decide_outcome(asyncio.run(send()), SendAttempt(name, 1, 0, 0), now, jitter=0.0)
    if outcome.kind not in _DELIVERED:
        return _failed(outcome.reason)
    return CheckReport(_NAME, outcome.reason or "delivered")


def _failed(reason: str) -> CheckReport:
    problem, _, fix = reason.partition("; ")
    return CheckReport(_NAME, "", (Finding.fault(problem, fix or "fix the faults above"),))
