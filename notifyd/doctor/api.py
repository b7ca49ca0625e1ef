"""Check: the API can be reached, and what it says to questions that send nothing."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from notifyd.config.credentials import find_credentials
from notifyd.doctor.finding import CheckOutcome, Finding, skipped
from notifyd.doctor.subject import Once, Subject
from notifyd.http.outgoing import OutgoingPool, read_bounded
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Json
from notifyd.platform.client import Client

_TIMEOUT = 8.0
"""Seconds for one request at most."""
HIDDEN = "only root can read the daemon's variables: run `notifyd doctor` as root"
"""Why the API is not asked: they may hold its address, a proxy, or an authority."""

_BODY_LIMIT = 64 << 10
_REDIRECT, _CLIENT_ERROR, _SERVER_ERROR = 300, 400, 500
_SHORTEST_PREFIX = 8
"""Characters of a token that the platform shows at least, so that it can be told from others."""


class ApiAnswer(NamedTuple):
    """What came back. date: the header. wall: this machine's time when it came.

    fault, cause: why nothing came, as a sentence and as a word.
    """

    status: int = 0
    date: str = ""
    wall: float = 0.0
    seconds: float = 0.0
    fault: str = ""
    cause: str = ""


class PlatformListing(NamedTuple):
    """What the platform lists for client credentials. problem: why it does not."""

    items: tuple[Json, ...] = ()
    problem: str = ""


class ApiAnswers:
    """The API's answers to questions that send nothing; each is asked once, by who needs it first.

    devices, tokens: None without client credentials, and where the daemon uses another API than
    the configuration names.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._url = subject.api_url
        self._timeout = min(subject.settings.api.timeout, _TIMEOUT)
        self._credentials = find_credentials(subject.environ)
        self.reached = Once(self._reach)
        self.devices = Once(lambda: self._list("list_devices", "devices"))
        self.tokens = Once(lambda: self._list("list_tokens", "tokens"))

    def token_fault(self, token: str) -> str:
        """Return why the platform no longer accepts a token; empty if it does, or is not asked."""
        record = self._find_token(token)
        status = record.get("status", "active") if record else "active"
        if status == "active" and not (record or {}).get("revoked_at"):
            return ""
        return f"the platform lists the send token as {status if status != 'active' else 'revoked'}"

    def knows_token(self, token: str) -> bool:
        """Return whether the platform lists a token as active."""
        return self._find_token(token) is not None and not self.token_fault(token)

    def _find_token(self, token: str) -> Json | None:
        listing = self.tokens()
        for record in listing.items if listing else ():
            prefix = record.get("token_prefix")
            if not isinstance(prefix, str) or len(prefix) < _SHORTEST_PREFIX:
                continue
            if token.startswith(prefix.rstrip(".…")):
                return record
        return None

    def _reach(self) -> ApiAnswer:
        return asyncio.run(self._get())

    async def _get(self) -> ApiAnswer:
        pool = OutgoingPool(self._url)
        began = time.monotonic()
        try:
            async with (
                asyncio.timeout(self._timeout),
                pool,
                pool.request("GET", f"{self._url}/", headers={}) as response,
            ):
                wall, seconds = self._subject.wall(), time.monotonic() - began
                await read_bounded(response, _BODY_LIMIT)
                date = response.headers.get("Date", "")
                return ApiAnswer(response.status, date, wall, seconds)
        except Exception as error:  # noqa: BLE001 - any fault on the way is the finding
            cause, sentence = pool.fault(error, self._timeout)
            return ApiAnswer(fault=sentence, cause=cause)

    def _list(self, method: str, key: str) -> PlatformListing | None:
        subject = self._subject
        # The credentials go where the configuration says, not where a socket's answer leads.
        is_named = subject.api_url == subject.settings.api.url.rstrip("/")
        if self._credentials is None or subject.has_hidden_environ or not is_named:
            return None
        if self.reached().fault:
            return None
        try:
            return PlatformListing(tuple(_records(asyncio.run(self._call(method)), key)))
        except NotifydError as error:
            return PlatformListing(problem=str(error))

    async def _call(self, method: str) -> Any:
        credentials = self._credentials
        async with Client(
            credentials.client_id if credentials else "",
            credentials.client_secret if credentials else "",
            base_url=self._url,
            timeout=self._timeout,
            max_wait=0.0,
        ) as client:
            return await getattr(client.notifications, method)()


def check(subject: Subject, answers: ApiAnswers) -> CheckOutcome:
    if subject.has_hidden_environ:
        return skipped(HIDDEN)
    answer = answers.reached()
    url = subject.api_url
    host = urlsplit(url).netloc
    if answer.fault:
        problem, _, hint = answer.fault.partition(": ")
        fix = _FIXES.get(answer.cause, "").format(url=url, host=host)
        fix = "; ".join(filter(None, [hint, fix]))
        if subject.has_delivered and subject.part("delivery").get("state") == "ok":
            problem = f"from here, {problem}; the daemon, which has other variables, delivers"
            return CheckOutcome("", [Finding.warning(problem, fix)])
        return CheckOutcome("", [Finding.fault(problem, fix)])
    findings = [*_status_findings(answer.status, url)]
    for listing in filter(None, (answers.devices(), answers.tokens())):
        if listing.problem:
            fix = "set OBLIEN_CLIENT_ID and OBLIEN_CLIENT_SECRET to the account's credentials"
            findings.append(Finding.warning(f"the client credentials: {listing.problem}", fix))
            break
    return CheckOutcome(f"{host} answers in {1000 * answer.seconds:.0f} ms", findings)


_FIXES = {
    "dns": "check the network and /etc/resolv.conf: `getent hosts {host}`",
    "connect": "check the network and the firewall: `curl -v {url}`",
    "timeout": "check the network and the firewall: `curl -v {url}`",
    "reset": "check the network and proxies: `curl -v {url}`",
    "tls": "check [api] url and what intercepts TLS: `curl -v {url}`",
    "certificate": "look at it: `curl -v {url}`",
    "proxy": "fix HTTPS_PROXY or NO_PROXY in the daemon's environment, then restart it",
    "no_http": "correct [api] url",
}
"""By the cause of a fault on the way."""


def _status_findings(status: int, url: str) -> Iterable[Finding]:
    if _REDIRECT <= status < _CLIENT_ERROR:
        problem = f"{url} redirects ({status}), and redirects are not followed"
        yield Finding.warning(problem, "set [api] url to the address it leads to")
    elif status >= _SERVER_ERROR:
        problem = f"{url} answers with status {status}: the platform has a fault"
        yield Finding.warning(problem, "wait; notifications stay queued and are sent later")


def _records(answer: Any, key: str) -> Iterable[Json]:
    """Yield the records of a list, which lies in the answer or is the answer."""
    found = answer.get(key) if isinstance(answer, dict) else answer
    yield from (record for record in found or () if isinstance(record, dict))
