"""A table of hostile and malformed requests, sent to every listener.

After each of them the next good request is answered, nothing that was refused is kept, and the log
has no error.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from support.listeners import LISTENERS, AnyListener
from support.socket_api import reply

Build = Callable[[AnyListener], bytes]

GOOD = b'{"title":"t"}'
NESTED = b'{"title":"t","data":{"a":' * 600 + b"1" + b"}}" * 600


def raw(data: bytes) -> Build:
    """Return these bytes, with the host and the token of the listener for %s."""
    return lambda listener: data.replace(b"%s", host(listener))


def host(listener: AnyListener) -> bytes:
    """Return the headers that the listener needs of every request."""
    return listener.get.partition(b"\r\n")[2]


def path(method: bytes, target: bytes, headers: bytes = b"", body: bytes = b"") -> Build:
    head = method + b" " + target + b" HTTP/1.1\r\n%s" + headers
    return raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def get(headers: bytes) -> Build:
    return lambda listener: listener.get + headers + b"\r\n"


def post(headers: bytes, body: bytes = b"") -> Build:
    return lambda listener: listener.post + headers + b"\r\n\r\n" + body


def send(body: bytes, headers: bytes = b"") -> Build:
    return post(headers + b"Content-Length: %d" % len(body), body)


def chunked(body: bytes) -> Build:
    return post(b"Transfer-Encoding: chunked", body)


FORMS: list[tuple[str, Build, str]] = [
    # --- the request line
    ("no HTTP at all", raw(b"garbage\r\n\r\n"), "400"),
    ("TLS", raw(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n"), "400"),
    ("HTTP/2", raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "400"),
    ("HTTP/9.9", raw(b"GET /healthz HTTP/9.9\r\n%s\r\n"), "400"),
    ("a version that is none", raw(b"GET /healthz HTTP/one\r\n%s\r\n"), "400"),
    ("no version", raw(b"GET /healthz HTTP/\r\n%s\r\n"), "400"),
    ("a lower-case protocol", raw(b"GET /healthz http/1.1\r\n%s\r\n"), "400"),
    ("no path", raw(b"GET HTTP/1.1\r\n%s\r\n"), "400"),
    ("a path without a slash", raw(b"GET healthz HTTP/1.1\r\n%s\r\n"), "400"),
    ("two paths", raw(b"GET /a /b HTTP/1.1\r\n%s\r\n"), "400"),
    ("a tab for a space", raw(b"GET\t/healthz\tHTTP/1.1\r\n%s\r\n"), "400"),
    ("NUL in the path", raw(b"GET /heal\0thz HTTP/1.1\r\n%s\r\n"), "400"),
    ("NUL in the method", raw(b"GE\0T /healthz HTTP/1.1\r\n%s\r\n"), "400"),
    ("bytes that are no UTF-8 in the path", raw(b"GET /\xff\xfe HTTP/1.1\r\n%s\r\n"), "400"),
    ("a method in lower case", raw(b"get /healthz HTTP/1.1\r\n%s\r\n"), "400"),
    ("a method of 10 KB", raw(b"G" * 10_000 + b" / HTTP/1.1\r\n%s\r\n"), "400"),
    ("a path of 10 KB", raw(b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n%s\r\n"), "400"),
    ("a query of 10 KB", raw(b"GET /?" + b"x" * 10_000 + b" HTTP/1.1\r\n%s\r\n"), "400"),
    ("an IPv6 host that does not end", raw(b"GET http://[::1/ HTTP/1.1\r\n%s\r\n"), "400"),
    ("a port that is no number", raw(b"GET http://x:y/ HTTP/1.1\r\n%s\r\n"), "400"),
    ("lone carriage returns", raw(b"GET /healthz HTTP/1.1\r%s\r\r"), "400"),
    ("empty lines first", lambda listener: b"\r\n\r\n" + listener.get + b"\r\n", "200"),
    # --- headers
    ("no colon", get(b"no colon\r\n"), "400"),
    ("a space before the colon", get(b"A : b\r\n"), "400"),
    ("an empty name", get(b": b\r\n"), "400"),
    ("a folded line", get(b"A: b\r\n c\r\n"), "400"),
    ("NUL in a value", get(b"A: b\0c\r\n"), "400"),
    ("a lone CR in a value", get(b"A: b\rc\r\n"), "400"),
    ("NUL in a name", get(b"A\0: b\r\n"), "400"),
    ("a name with quotes", get(b'"A": b\r\n'), "400"),
    ("bytes that are no UTF-8 in a value", get(b"A: \xff\xfe\r\n"), "200"),
    ("a header of 20 KB", get(b"A: " + b"x" * 20_000 + b"\r\n"), "400"),
    ("a header of 1 MB without an end", get(b"A: " + b"x" * 1_000_000), "400"),
    ("a name of 20 KB", get(b"A" * 20_000 + b": x\r\n"), "400"),
    ("a thousand headers", get(b"A: x\r\n" * 1000), "400"),
    ("two hosts", get(b"Host: other\r\n"), "400"),
    ("two content types", send(GOOD, b"Content-Type: text/plain\r\n"), "400"),
    ("an unknown expectation", send(GOOD, b"Expect: a-miracle\r\n"), "accepted"),
    ("an upgrade to WebSocket", get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), "200"),
    ("an upgrade to HTTP/2", get(b"Connection: Upgrade\r\nUpgrade: h2c\r\n"), "200"),
    ("a broken range", get(b"Range: bytes=9-1\r\n"), "200"),
    ("a broken cookie", get(b"Cookie: \x01=;;=\xff\r\n"), "400"),
    ("a broken date", get(b"If-Modified-Since: yesterday\r\n"), "200"),
    # --- the length of the body
    ("no length", post(b"X: y"), "411"),
    ("a length of nothing", post(b"Content-Length: "), "400"),
    ("a negative length", post(b"Content-Length: -5"), "400"),
    ("a length with a plus", post(b"Content-Length: +5", b"aaaaa"), "400"),
    ("a length in hexadecimal", post(b"Content-Length: 0x5", b"aaaaa"), "400"),
    ("a length with a fraction", post(b"Content-Length: 5.0", b"aaaaa"), "400"),
    ("a length in Arabic digits", post("Content-Length: \u0665".encode(), b"aaaaa"), "400"),
    ("a length with an underscore", post(b"Content-Length: 1_3", GOOD), "400"),
    ("a list of lengths", post(b"Content-Length: 13, 13", GOOD), "400"),
    ("two equal lengths", send(GOOD, b"Content-Length: 13\r\n"), "400"),
    ("two lengths", send(GOOD, b"Content-Length: 12\r\n"), "400"),
    ("a length beyond 64 bits", post(b"Content-Length: " + b"9" * 30), "4xx"),
    ("a length of 4,000 digits", post(b"Content-Length: " + b"9" * 4000), "4xx"),
    ("20 MB announced", post(b"Content-Length: 20000000"), "413"),
    ("20 MB sent", send(b"x" * 20_000_000), "413"),
    # --- chunks, and smuggling
    ("chunks", chunked(b"d\r\n" + GOOD + b"\r\n0\r\n\r\n"), "accepted"),
    ("a chunk with an extension", chunked(b"d;a=b\r\n" + GOOD + b"\r\n0\r\n\r\n"), "accepted"),
    ("trailers", chunked(b"d\r\n" + GOOD + b"\r\n0\r\nA: b\r\n\r\n"), "accepted"),
    ("a chunk size that is no number", chunked(b"ZZ\r\n" + GOOD + b"\r\n0\r\n\r\n"), "400"),
    ("an empty chunk size", chunked(b"\r\n" + GOOD + b"\r\n0\r\n\r\n"), "400"),
    ("a negative chunk size", chunked(b"-1\r\n" + GOOD + b"\r\n0\r\n\r\n"), "400"),
    ("a chunk size with 0x", chunked(b"0xd\r\n" + GOOD + b"\r\n0\r\n\r\n"), "400"),
    ("a chunk size beyond 64 bits", chunked(b"f" * 17 + b"\r\n" + GOOD), "4xx"),
    ("a chunk that is longer", chunked(b"5\r\n" + GOOD + b"\r\n0\r\n\r\n"), "400"),
    ("chunks that end with LF alone", chunked(b"d\n" + GOOD + b"\n0\n\n"), "400"),
    ("more chunks than fit", chunked((b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 9), "413"),
    ("a length and chunks", send(GOOD, b"Transfer-Encoding: chunked\r\n"), "400"),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n"), "400"),
    ("chunked, then identity", post(b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n"), "400"),
    ("a misspelt chunked", post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n"), "400"),
    ("a space before chunked's colon", post(b"Transfer-Encoding : chunked", b"0\r\n\r\n"), "400"),
    ("chunks by HTTP/1.0", raw(
        b"POST /notifications/x HTTP/1.0\r\n%sTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "4xx"),
    ("a request inside a body that is too long",
        send(GOOD + b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"), "400"),
    ("a request behind a body that is too short", lambda listener: (
        listener.post + b"Content-Length: 13\r\n\r\n" + GOOD + listener.get + b"\r\n"),
        "accepted 200"),
    ("garbage behind a body", lambda listener: (
        listener.post + b"Content-Length: 13\r\n\r\n" + GOOD + b"garbage\r\n\r\n"), "400"),
    ("a compressed body", send(b"\x1f\x8b\x08", b"Content-Encoding: gzip\r\n"), "415"),
    ("an unknown encoding", send(GOOD, b"Content-Encoding: rot13\r\n"), "415"),
    # --- pipelining
    ("forty requests at once", lambda listener: (listener.get + b"\r\n") * 40, "200 " * 40),
    ("a good request, then garbage",
        lambda listener: listener.get + b"\r\n\0\0\0\r\n\r\n", "400"),
    ("a wrong request, then a good one", lambda listener: (
        listener.post + b"Content-Length: 1\r\n\r\n{" + listener.get + b"\r\n"), "400 200"),
    ("a request behind the last one", lambda listener: (
        listener.get + b"Connection: close\r\n\r\n" + listener.get + b"\r\n"), "400"),
    # --- methods
    ("HEAD", path(b"HEAD", b"/healthz"), "head"),
    ("OPTIONS", path(b"OPTIONS", b"/notifications/send"), "405"),
    ("OPTIONS *", path(b"OPTIONS", b"*"), "4xx"),
    ("TRACE", path(b"TRACE", b"/notifications/send"), "4xx"),
    ("CONNECT", path(b"CONNECT", b"evil.example:443"), "4xx"),
    ("DELETE where there is none", path(b"DELETE", b"/notifications/send"), "405"),
    ("PATCH", path(b"PATCH", b"/notifications/send", b"", GOOD), "405"),
    ("GET of what is posted", path(b"GET", b"/notifications/send"), "405"),
    ("a method of one's own", path(b"BREW", b"/notifications/send"), "4xx"),
    ("a method with signs", path(b"G!T", b"/notifications/send"), "4xx"),
    # --- paths
    ("an unknown path", path(b"GET", b"/notifications/nothing"), "4xx"),
    ("a path that climbs", path(b"GET", b"/v1/../../../etc/passwd"), "404"),
    ("an encoded path that climbs", path(b"GET", b"/v1/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), "404"),
    ("two slashes", path(b"POST", b"//notifications/send", b"", GOOD), "404"),
    ("a slash behind", path(b"POST", b"/notifications/send/", b"", GOOD), "404"),
    ("upper case", path(b"POST", b"/Notifications/Send", b"", GOOD), "404"),
    ("a broken escape", path(b"GET", b"/v1/%zz"), "404"),
    ("an escaped NUL", path(b"GET", b"/v1/notifications/%00"), "404"),
    ("an escaped line break", path(b"GET", b"/v1/notifications/a%0d%0aSet-Cookie:b"), "404"),
    ("bytes that are no UTF-8, escaped", path(b"GET", b"/v1/notifications/%ff"), "404"),
    ("a whole URL", path(b"GET", b"http://evil.example/notifications/nothing"), "4xx"),
    ("a path that is a URL's beginning", path(b"GET", b"//["), "404"),
    ("a thousand parameters", path(b"GET", b"/nothing?" + b"a=b&" * 1000), "404"),
    # --- JSON
    ("no bytes", send(b""), "400"),
    ("spaces", send(b"   "), "400"),
    ("half an object", send(b'{"title":'), "400"),
    ("two objects", send(GOOD + GOOD), "400"),
    ("a list", send(b"[]"), "422"),
    ("a number", send(b"1"), "422"),
    ("null", send(b"null"), "422"),
    ("a string", send(b'"title"'), "422"),
    ("10,000 open brackets", send(b"[" * 10_000), "400"),
    ("600 objects in one another", send(NESTED), "4xx"),
    ("NaN", send(b'{"title":"t","data":{"a":NaN}}'), "400"),
    ("Infinity", send(b'{"title":"t","data":{"a":-Infinity}}'), "400"),
    ("1e999", send(b'{"title":"t","data":{"a":1e999}}'), "422"),
    ("a number of 5,000 digits", send(b'{"title":"t","data":{"a":' + b"9" * 5000 + b"}}"), "400"),
    ("no UTF-8", send(b'{"title":"\xff"}'), "400"),
    ("half a character", send(b'{"title":"\xc3"}'), "400"),
    ("UTF-16", send('{"title":"t"}'.encode("utf-16")), "400"),
    ("UTF-8 with a byte order mark", send(b"\xef\xbb\xbf" + GOOD), "accepted"),
    ("a NUL in a string", send(b'{"title":"a\0b"}'), "400"),
    ("an escaped NUL in a string", send(rb'{"title":"a\u0000b"}'), "accepted"),
    ("half a surrogate pair", send(rb'{"title":"\ud800"}'), "accepted"),
    ("a key twice", send(b'{"title":"a","title":"b"}'), "accepted"),
    ("a key that is no string", send(b'{1:"a"}'), "400"),
    ("comments", send(b'{"title":"t"} // x'), "400"),
    ("single quotes", send(b"{'title':'t'}"), "400"),
    ("a comma too many", send(b'{"title":"t",}'), "400"),
    ("a title that is a number", send(b'{"title":5}'), "422"),
    ("a title that is an object", send(b'{"title":{}}'), "422"),
    ("data that is a list", send(b'{"title":"t","data":[]}'), "422"),
    ("neither title nor body", send(b"{}"), "422"),
    ("a title of 60 KB", send(b'{"title":"' + b"x" * 60_000 + b'"}'), "accepted"),
    ("another content type", raw(
        b"POST /notifications/send HTTP/1.1\r\n%sContent-Type: image/png\r\n"
        b"Content-Length: 13\r\n\r\n" + GOOD), "4xx"),
]  # fmt: skip
"""What is sent, and the statuses of the answers: `accepted` is 200 or 202, `4xx` any refusal,
`head` an answer without a body."""

UNFINISHED: list[tuple[str, Build]] = [
    ("nothing", raw(b"")),
    ("half a method", raw(b"GE")),
    ("half a header", get(b"A: ")),
    ("headers without an end", get(b"A: b")),
    ("no body", post(b"Content-Length: 50")),
    ("half a body", post(b"Content-Length: 50", b'{"title":')),
    ("a chunk without its end", chunked(b"d\r\n" + GOOD)),
    ("half a chunk", chunked(b"ff\r\n" + GOOD)),
    ("chunks without the last", chunked(b"d\r\n" + GOOD + b"\r\n")),
    ("half a chunk size", chunked(b"d")),
    ("a continue that is not used", post(b"Expect: 100-continue\r\nContent-Length: 13")),
]
"""What is not continued."""


def statuses(raw_answers: bytes) -> list[int]:
    """Return the statuses of the answers; each must be a JSON answer of its announced length."""
    parts = raw_answers.split(b"HTTP/1.")[1:]
    answers = [reply(b"HTTP/1." + part) for part in parts if not part.startswith(b"1 100 ")]
    return [answer.status if answer.status < 400 else answer.refusal[0] for answer in answers]


def has_expected(expected: str, found: list[int]) -> bool:
    words = expected.split()
    kinds = {"accepted": (200, 202), "4xx": range(400, 500)}
    return len(found) == len(words) and all(
        status in kinds.get(word, (int(word) if word.isdigit() else 0,))
        for word, status in zip(words, found, strict=True)
    )


async def problem_of(listener: AnyListener, build: Build, expected: str) -> str:
    """Send a form; return what is wrong with the answer, empty if nothing is."""
    raw_answers = await listener.exchange_all(build(listener))
    if expected == "head":
        head, _, body = raw_answers.partition(b"\r\n\r\n")
        return "" if head.split()[1] in (b"200", b"404") and not body else repr(raw_answers)
    try:
        found = statuses(raw_answers)
    except (AssertionError, ValueError, KeyError):
        return f"not in JSON: {raw_answers[:300]!r}"
    return (
        "" if has_expected(expected, found) else f"{found} for {expected}: {raw_answers[-200:]!r}"
    )


@pytest.mark.parametrize("kind", LISTENERS)
async def test_every_form_is_answered_and_the_next_good_request_too(
    tmp_path, kind, caplog, record_property
):
    problems, waits = {}, []
    caplog.set_level(logging.WARNING)
    with capture_logs() as logged:
        async with LISTENERS[kind](tmp_path, linger=0.2) as listener:
            for name, build, expected in FORMS:
                kept = await listener.stored()
                if problem := await problem_of(listener, build, expected):
                    problems[name] = problem
                accepted = expected.split().count("accepted")
                if await listener.stored() - kept != accepted:
                    problems[name] = f"{await listener.stored() - kept} kept, not {accepted}"
                began = time.monotonic()
                if not (await listener.send({"title": "good"})).body["success"]:
                    problems[name] = "the next request is refused"
                waits.append(time.monotonic() - began)
    assert not problems, json.dumps(problems, indent=1)
    assert [entry for entry in logged if entry["log_level"] == "error"] == []
    assert "Traceback" not in caplog.text
    waits.sort()
    record_property(
        "figures",
        f"hostile forms, {kind}: {len(FORMS)} forms; the next good request took"
        f" {waits[len(waits) // 2] * 1000:.1f} ms, at most {waits[-1] * 1000:.1f} ms",
    )


@pytest.mark.parametrize("kind", LISTENERS)
async def test_what_is_not_continued_is_ended_and_holds_up_nobody(tmp_path, kind, caplog):
    caplog.set_level(logging.WARNING)
    with capture_logs() as logged:
        async with LISTENERS[kind](tmp_path, head=1.0, body=1.0, linger=0.2) as listener:
            pending = [
                asyncio.create_task(listener.exchange(build(listener))) for _, build in UNFINISHED
            ]
            assert (await listener.send({"title": "good"})).body["success"]
            answers = await asyncio.gather(*pending)
            assert (await listener.send({"title": "good"})).body["success"]
            assert await listener.stored() == 2
    found = {name: statuses(raw) for (name, _), raw in zip(UNFINISHED, answers, strict=True)}
    assert found == {name: [408] for name, _ in UNFINISHED}
    assert [entry for entry in logged if entry["log_level"] == "error"] == []
    assert "Traceback" not in caplog.text
