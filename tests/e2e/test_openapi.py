"""A real daemon answers as its OpenAPI document says, whatever is asked, on both listeners."""

import os
import shutil
import socket
import socketserver
import threading
from contextlib import contextmanager

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from support.daemon import PLENTY
from support.examples import THOROUGH
from support.ports import free_port

EXAMPLES = 150 if THOROUGH else 4
"""Requests for each operation and each mode."""
CONFIG = """
[socket]
compat = true
rate = { max = 100000, per = "1s" }
[listen]
tcp = "127.0.0.1:%d"
token_file = "%s"
[triggers.app]
type = "log"
paths = ["%s/app.log"]
patterns = ["ERROR"]
[triggers.backup]
type = "heartbeat"
every = "1d"
"""
DOCUMENTED = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
)


@contextmanager
def forwarded(path):
    """Yield the URL of a TCP address from which each connection leads to a Unix socket."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.socket(socket.AF_UNIX) as upstream:
                upstream.connect(os.fspath(path))
                back = threading.Thread(target=copy, args=(upstream, self.request))
                back.start()
                copy(self.request, upstream)
                back.join()

    def copy(source, sink):
        try:
            with source.makefile("rb", 0) as stream:
                shutil.copyfileobj(stream, sink.makefile("wb", 0))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield "http://{}:{}".format(*server.server_address)
        finally:
            server.shutdown()
            thread.join()


def exercise(url, headers):
    """Send requests that fit the document and such that do not, and check each answer."""
    with requests.Session() as session:
        session.headers.update(headers)
        document = session.get(f"{url}/openapi.json", timeout=45).json()
        schema = schemathesis.openapi.from_dict(document).exclude(path="/v1/events")  # no end
        count = 0
        for found in schema.get_all_operations():
            operation = found.ok()
            # Any text is right for a parameter of a path.
            takes_more = operation.query or operation.body
            for mode in GenerationMode if takes_more else [GenerationMode.POSITIVE]:
                count += _exercise(operation.as_strategy(generation_mode=mode), url, session)
        return document, count


def _exercise(strategy, url, session):
    count = 0

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def check(case):
        nonlocal count
        count += 1
        response = case.call(base_url=url, session=session, timeout=45)
        case.validate_response(response, checks=[*DOCUMENTED, not_a_server_error])

    check()
    return count


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("listener", ["unix", "tcp"] if THOROUGH else ["unix"])
def test_answers_are_as_documented(daemon, tmp_path, listener):
    port = free_port()
    token = tmp_path / "listen-token"
    token.write_text("a-token\n")
    token.chmod(0o600)
    (tmp_path / "app.log").touch()
    one = daemon(PLENTY + CONFIG % (port, token, tmp_path)).start()
    if listener == "tcp":
        headers = {"Authorization": "Bearer a-token"}
        document, count = exercise(f"http://127.0.0.1:{port}", headers)
    else:
        with forwarded(one.socket) as url:
            document, count = exercise(url, {})
    assert count > 2 * len(document["paths"])
    assert one.ask("GET", "/v1/status")["success"] is True
    assert "request failed" not in one.log.read_text()
