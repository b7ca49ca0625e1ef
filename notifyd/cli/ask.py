"""`notifyd ask`: ask the person a question on the inbox page of a relay, and print the answer."""

import argparse
import asyncio
import json
import random
import signal
import sys
from contextlib import suppress
from http import HTTPStatus

from notifyd.cli.direct_request import DirectRequest, prepare
from notifyd.cli.exit_status import (
    FAILED,
    REFUSED,
    TERMINATED,
    TRY_LATER,
    UNREACHABLE,
    UsageError,
)
from notifyd.cli.output import write
from notifyd.delivery.question_client import (
    AskedQuestion,
    NoAnswersError,
    QuestionClient,
    QuestionError,
)
from notifyd.model.notifications import Message, Priority
from notifyd.text.durations import format_duration, parse_duration

HELP = "Ask a question on the inbox page of a relay, wait, and print the answer."

EPILOG = """\
The answers are buttons on the inbox page. The first one that is pressed counts, and is printed.
When no answer came in time, nothing is printed and the question is withdrawn. The platform takes no
answers: this needs a relay of notifyd as [api] url, and its send token.

examples:
  notifyd ask "Which branch?" --option main --option release --timeout 1h
  [ "$(notifyd ask 'Deploy to production?' --option Yes --option No)" = Yes ] && make deploy

exit status: 0 answered, 69 the server takes no answers, 75 no answer in time or not reachable,
77 token refused.
"""

_LONGEST_TITLE = 120
_MOST_OPTIONS = 5
_LONGEST_OPTION = 40
_LONGEST_TIMEOUT = 7 * 86_400.0
_WAIT = 30.0
"""Seconds that one request waits."""
_MARGIN = 10.0
"""Seconds for which the server waits longer: until then the question is withdrawn."""
_TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_PAUSES = (1.0, 30.0)
"""Seconds before the server is asked again after a failure, at first and at most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("question", metavar="QUESTION", help="the question")
    parser.add_argument(
        "--option",
        dest="options",
        action="append",
        metavar="A",
        help="an answer that can be given; two to five times (default: Yes and No)",
    )
    parser.add_argument(
        "--timeout", default="10m", metavar="D", help="wait for this long (default: 10m)"
    )
    parser.add_argument("-t", "--title", help="title of the notification (default: the question)")
    parser.add_argument(
        "-p",
        "--priority",
        choices=[priority.value for priority in Priority],
        default="high",
        help="priority (default: high)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    options, within = _options(args.options or ["Yes", "No"]), _timeout(args.timeout)
    request = prepare(_message(args.question, args.title), Priority(args.priority))
    try:
        question = asyncio.run(_ask(request, options, within))
    except NoAnswersError as error:
        _warn(str(error))
        return UNREACHABLE
    except QuestionError as error:
        _warn(_refusal(error, request.token_name))
        return _refusal_status(error.status)
    except asyncio.CancelledError:  # a signal; Ctrl-C is a KeyboardInterrupt by now
        return TERMINATED
    if args.json:
        write(json.dumps({"status": question.status, "answer": question.answer or None}))
    elif question.answer:
        write(question.answer)
    if question.answer:
        return 0
    _warn(f"no answer within {format_duration(within)}")
    return TRY_LATER


async def _ask(request: DirectRequest, options: list[str], within: float) -> AskedQuestion:
    """Ask, and return the question when it was answered or its time is over.

    It is withdrawn whenever nobody waits for it any more.
    """
    client = QuestionClient(request.url, request.payload.id, request.token, request.timeout)
    async with client:
        await client.check_server()
        _cancel_on_signals()
        try:
            await client.ask(request.payload, options, min(within + _MARGIN, _LONGEST_TIMEOUT))
            async with asyncio.timeout(within):
                return await _answered(client)
        except TimeoutError:
            return await client.withdraw()
        except (asyncio.CancelledError, QuestionError):
            # Ctrl-C or a signal; or an answer that was lost on the way: it may have been asked.
            with suppress(QuestionError):
                await client.withdraw()
            raise


def _cancel_on_signals() -> None:
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _answered(client: QuestionClient) -> AskedQuestion:
    """Wait until the question has ended. A server that is away for a while is asked again."""
    pause, longest = _PAUSES
    while True:
        try:
            question = await client.wait(_WAIT)
        except QuestionError as error:
            if error.status is not None and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads clients
            pause = min(2 * pause, longest)
            continue
        pause, longest = _PAUSES
        if question.status != "open":
            return question


def _refusal(error: QuestionError, token_name: str) -> str:
    if error.status == HTTPStatus.UNAUTHORIZED:
        return f"the send token was refused ({error}): store a new one in {token_name}"
    return str(error)


def _refusal_status(status: int | None) -> int:
    """Return the exit status for an HTTP status; None: there was no answer."""
    if status == HTTPStatus.UNAUTHORIZED:
        return REFUSED
    if status is None or status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TRY_LATER
    return FAILED


def _message(question: str, title: str | None) -> Message:
    if not question.strip():
        raise UsageError("QUESTION: must have text")
    if title:
        return Message(title, question, {})
    first, _, rest = question.strip().partition("\n")
    if len(first) <= _LONGEST_TITLE:
        return Message(first, rest.strip(), {})
    return Message("A question", question, {})


def _options(options: list[str]) -> list[str]:
    if not 2 <= len(options) <= _MOST_OPTIONS:  # noqa: PLR2004 - one option is no choice
        raise UsageError(f"--option: give 2 to {_MOST_OPTIONS} options (got {len(options)})")
    if len(set(options)) < len(options):
        raise UsageError("--option: the options must differ")
    for option in options:
        if not option.strip() or len(option) > _LONGEST_OPTION:
            raise UsageError(
                f"--option: use 1 to {_LONGEST_OPTION} characters (got {option[:50]!r})"
            )
    return options


def _timeout(text: str) -> float:
    try:
        within = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None
    if not 0 < within <= _LONGEST_TIMEOUT:
        raise UsageError(f'--timeout: use more than "0s" and at most "7d" (got "{text}")')
    return within


def _warn(sentence: str) -> None:
    print(f"notifyd ask: {sentence}", file=sys.stderr)
