"""Pings on the socket, on the TCP listener, and in the form of healthchecks.io."""

import json
import shutil
import subprocess
import urllib.request
from asyncio import to_thread

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from notifyd.api.compat.healthchecks import LARGEST_BODY
from notifyd.api.pings import clip_output, parse_signal
from notifyd.config.sections import SocketConfig, SocketRateConfig
from notifyd.config.token import ListenSecrets
from notifyd.model.errors import StoreUnavailableError
from notifyd.model.pings import OUTPUT_KEPT, Ping, PingSignal
from support.command import run
from support.socket_api import TCP_TOKEN, ask, daemon, exchange, tcp_daemon

KEY = "k3yInThePath"
RID = "8f0d3c6e-5b0f-4a53-9b0e-0d3a2f1c7b11"


@pytest.fixture
async def served(tmp_path):
    async with daemon(tmp_path / "s") as running:
        yield running


@pytest.fixture
async def tcp():
    async with tcp_daemon() as running:
        running.secrets = ListenSecrets(SecretStr(TCP_TOKEN), ping_key=SecretStr(KEY))
        yield running


async def send(tcp, method: str, path: str, body: bytes | None = None, *, headers: str = ""):
    """Return status and text of an answer; a body of None sends no length either."""
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    host = "" if "Host:" in headers else "Host: hc-ping.com\r\n"
    head = f"{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n"
    raw = await tcp.exchange(f"{head}{headers}{length}\r\n".encode() + (body or b""))
    top, _, text = raw.partition(b"\r\n\r\n")
    return int(top.split(b" ")[1]), text.decode()


SIGNALS = [
    ("", Ping("backup")),
    ("/success", Ping("backup")),
    ("/start", Ping("backup", PingSignal.START)),
    ("/fail", Ping("backup", PingSignal.FAIL)),
    ("/log", Ping("backup", PingSignal.LOG)),
    ("/0", Ping("backup", exit_status=0)),
    ("/255", Ping("backup", PingSignal.FAIL, exit_status=255)),
]


@pytest.mark.parametrize(("path", "expected"), SIGNALS)
async def test_each_signal_is_a_path_on_the_socket(served, path, expected):
    answer = await ask(served.path, "POST", f"/v1/heartbeats/backup{path}")
    assert (answer.status, answer.body["heartbeat"]) == (200, "backup")
    assert served.control.pings == [expected]


async def test_a_body_of_any_type_is_the_output_and_rid_names_the_run(served):
    target = "/v1/heartbeats/backup/3?rid=night"
    text = "Content-Type: application/octet-stream\r\n"
    await ask(served.path, "POST", target, b"\x1b[31mred\x1b[0m \xff\r\nend\n", text)
    expected = Ping("backup", PingSignal.FAIL, "night", 3, "red \ufffd\nend")
    assert served.control.pings == [expected]


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        ("/v1/heartbeats/other", (404, "unknown_heartbeat")),
        ("/v1/heartbeats/backup/done", (422, "wrong_field")),
        ("/v1/heartbeats/backup/256", (422, "wrong_field")),
        ("/v1/heartbeats/backup/-1", (422, "wrong_field")),
        ("/v1/heartbeats/backup?run=1", (422, "unknown_field")),
        ("/v1/heartbeats/backup?rid=" + "x" * 65, (422, "wrong_field")),
    ],
)
async def test_a_wrong_ping_is_refused_in_a_sentence(served, target, refusal):
    assert (await ask(served.path, "POST", target)).refusal == refusal
    assert not served.control.pings


async def test_a_ping_that_cannot_be_stored_is_not_acknowledged(served, tcp):
    served.control.failure = tcp.control.failure = StoreUnavailableError("the disk is full")
    answer = await ask(served.path, "POST", "/v1/heartbeats/backup")
    assert answer.refusal == (503, "store_unavailable")
    assert (await send(tcp, "GET", f"/ping/{KEY}/backup"))[0] == 503


async def test_pings_have_a_rate_that_messages_do_not_use_up(tmp_path):
    settings = SocketConfig(rate=SocketRateConfig(max=2, per="1h"))
    async with daemon(tmp_path / "s", settings) as running:
        for status in (202, 202, 429):
            sent = await ask(running.path, "POST", "/notifications/send", {"title": "hi"})
            assert sent.status == status
        statuses = [
            (await ask(running.path, "POST", "/v1/heartbeats/backup")).status for _ in range(4)
        ]
        assert statuses == [200, 200, 429, 429]
    async with tcp_daemon(settings) as running:
        running.secrets = ListenSecrets(ping_key=SecretStr(KEY))
        answers = [await send(running, "GET", f"/ping/{KEY}/backup") for _ in range(3)]
        assert answers == [(200, "OK"), (200, "OK"), (429, "rate limited")]


async def test_a_ping_without_content_length_is_one_without_output(served):
    head = b"POST /v1/heartbeats/backup HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b" 200 " in await exchange(served.path, head)
    assert served.control.pings == [Ping("backup")]


# --- healthchecks.io's form


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(("path", "expected"), SIGNALS)
async def test_each_signal_is_a_path_in_the_form_of_healthchecks(tcp, method, path, expected):
    status, text = await send(tcp, method, f"/ping/{KEY}/backup{path}")
    assert (status, text) == (200, "" if method == "HEAD" else "OK")
    assert tcp.control.pings == [expected]


async def test_a_run_is_named_by_a_uuid_and_unknown_parameters_are_ignored(tcp):
    assert (await send(tcp, "GET", f"/ping/{KEY}/backup/start?rid={RID}&create=1"))[0] == 200
    assert tcp.control.pings == [Ping("backup", PingSignal.START, RID)]
    await send(tcp, "GET", f"/ping/{KEY}/backup?rid={RID.upper()}")
    assert tcp.control.pings[1].run == RID
    answer = await send(tcp, "GET", f"/ping/{KEY}/backup?rid=1")
    assert answer == (400, "invalid uuid format")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (f"/ping/{KEY}/other", (404, "not found")),
        ("/ping/wrong/backup", (404, "not found")),
        (f"/ping/{KEY}/backup/done", (400, "invalid url format")),
        (f"/ping/{KEY}/backup/256", (400, "invalid url format")),
        (f"/ping/{KEY}/backup/", (200, "OK")),
    ],
)
async def test_the_answers_are_those_that_clients_know(tcp, path, answer):
    assert await send(tcp, "GET", path) == answer


async def test_without_a_key_no_url_is_a_ping(tcp):
    tcp.secrets = ListenSecrets(SecretStr(TCP_TOKEN))
    for key in (KEY, "None", "%00"):
        assert await send(tcp, "GET", f"/ping/{key}/backup") == (404, "not found")
    assert (await send(tcp, "GET", "/ping/backup"))[0] == 404
    assert not tcp.control.pings


async def test_the_key_opens_nothing_else_and_other_methods_are_refused(tcp):
    host = f"Host: {tcp.host}\r\n"
    assert (await send(tcp, "GET", f"/v1/status?token={KEY}", headers=host))[0] == 401
    assert (await send(tcp, "PUT", f"/ping/{KEY}/backup", b"x"))[0] == 405
    assert not tcp.control.pings


async def test_an_error_is_logged_without_the_key(tcp):
    tcp.control.failure = ZeroDivisionError("unexpected")
    with capture_logs() as logs:
        assert (await send(tcp, "GET", f"/ping/{KEY}/backup"))[0] == 503
    [entry] = logs
    assert (entry["event"], entry["path"]) == ("request failed", "/ping/…")
    assert KEY not in str(entry)


async def test_of_a_huge_body_the_end_is_kept_and_a_monstrous_one_does_not_count(tcp):
    body = b"".join(b"line %d\n" % number for number in range(200_000))
    assert await send(tcp, "POST", f"/ping/{KEY}/backup", body) == (200, "OK")
    [ping] = tcp.control.pings
    assert ping.output.startswith("…\nline 1998")
    assert ping.output.endswith("line 199999")
    headers = f"Content-Length: {LARGEST_BODY + 1}\r\n"
    assert (await send(tcp, "POST", f"/ping/{KEY}/backup", headers=headers))[0] == 413
    assert len(tcp.control.pings) == 1


async def test_the_token_pings_over_tcp_too(tcp):
    headers = f"Host: {tcp.host}\r\nAuthorization: Bearer {TCP_TOKEN}\r\n"
    assert (await send(tcp, "POST", "/v1/heartbeats/backup", b"", headers=headers))[0] == 200
    assert tcp.control.pings == [Ping("backup")]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
async def test_curl_works_as_healthchecks_documents_it(tcp):
    url = f"http://{tcp.host}/ping/{KEY}/backup"
    calls = f"""
        curl -m 10 --retry 5 {url}
        curl -fsS -m 10 --retry 5 -o /dev/null {url}
        curl -m 10 --retry 5 {url}/start?rid={RID}
        m=$(echo certbot says hello 2>&1)
        curl -fsS -m 10 --retry 5 --data-raw "$m" {url}
        (exit 7); curl -m 10 --retry 5 "{url}/$??rid={RID}"
        echo "the output of a pipe" | curl -fsS --data-binary @- {url}/log
        curl -fsS -X POST {url}/fail
        curl -fsSI {url} > /dev/null
    """
    done = await to_thread(
        subprocess.run, ["sh", "-c", calls], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "OK" * 6, done.stderr
    fail = PingSignal.FAIL
    assert tcp.control.pings == [
        Ping("backup"),
        Ping("backup"),
        Ping("backup", PingSignal.START, RID),
        Ping("backup", output="certbot says hello"),
        Ping("backup", fail, RID, 7),
        Ping("backup", PingSignal.LOG, output="the output of a pipe"),
        Ping("backup", fail),
        Ping("backup"),
    ]


@pytest.mark.skipif(not shutil.which("wget"), reason="wget is not installed")
async def test_wget_works_as_healthchecks_documents_it(tcp):
    url = f"http://{tcp.host}/ping/{KEY}/backup"
    calls = f"""
        wget {url} -T 10 -t 10 -O /dev/null
        wget -qO- --post-data="a line" {url}/1
    """
    done = await to_thread(
        subprocess.run,
        ["sh", "-ec", calls],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "OK", done.stderr
    assert tcp.control.pings == [
        Ping("backup"),
        Ping("backup", PingSignal.FAIL, exit_status=1, output="a line"),
    ]


async def test_python_works_as_healthchecks_documents_it(tcp):
    url = f"http://{tcp.host}/ping/{KEY}/backup"
    json_client = {"Content-type": "application/json", "X-Api-Key": ""}  # as healthchecks-io sends

    def use() -> list[bytes]:
        calls = [
            url,
            urllib.request.Request(url, data=b"all good"),
            urllib.request.Request(f"{url}/fail", b"not JSON", json_client, method="POST"),
            urllib.request.Request(f"{url}/start", headers=json_client, method="HEAD"),
        ]
        answers = []
        for call in calls:
            with urllib.request.urlopen(call, timeout=10) as answer:
                answers.append(answer.read())
        return answers

    assert await to_thread(use) == [b"OK", b"OK", b"OK", b""]
    assert tcp.control.pings == [
        Ping("backup"),
        Ping("backup", output="all good"),
        Ping("backup", PingSignal.FAIL, output="not JSON"),
        Ping("backup", PingSignal.START),
    ]


async def test_the_published_python_client_works_unchanged(tcp):
    healthchecks_io = pytest.importorskip("healthchecks_io", reason="healthchecks-io is missing")
    client = healthchecks_io.Client(ping_key=KEY, ping_url=f"http://{tcp.host}/ping")

    def use() -> list[tuple[bool, str]]:
        answers = [
            client.start_ping(slug="backup"),
            client.success_ping(slug="backup", data="all good"),
            client.fail_ping(slug="backup"),
            client.exit_code_ping(3, slug="backup"),
        ]
        with healthchecks_io.CheckTrap(client, slug="backup") as trap:
            trap.add_log("a line of the job")
        with pytest.raises(healthchecks_io.CheckNotFoundError):
            client.success_ping(slug="other")
        return answers

    assert await to_thread(use) == [(True, "OK")] * 4
    signals = [ping.signal for ping in tcp.control.pings]
    assert signals == ["start", "success", "fail", "fail", "start", "success"]
    assert "a line of the job" in tcp.control.pings[-1].output


# --- the command


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("backup", Ping("backup")),
        ("backup start", Ping("backup", PingSignal.START)),
        ("--rid r/1 backup 3", Ping("backup", PingSignal.FAIL, "r/1", 3)),
        ("backup log all is well", Ping("backup", PingSignal.LOG, output="all is well")),
        ("backup fail -", Ping("backup", PingSignal.FAIL, output="from stdin")),
        ("backup -", Ping("backup", output="from stdin")),
    ],
)
async def test_the_command_says_nothing_and_pings(served, words, expected):
    ran = await run("ping", *words.split(), stdin=b"from stdin\n", NOTIFYD_SOCK=str(served.path))
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert served.control.pings == [expected]


async def test_the_command_sends_the_end_of_a_long_output(served):
    output = b"".join(b"line %d\n" % number for number in range(100_000))
    ran = await run("ping", "backup", "-", stdin=output, NOTIFYD_SOCK=str(served.path))
    assert ran.status == 0
    assert served.control.pings[0].output.endswith("line 99999")


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ("other", 1, "no heartbeat 'other'"),
        ("backup all good", 2, "use one of start, success, fail, log or an exit status"),
        ("backup 256", 2, "signal: use one of"),
        ("", 2, "NAME"),
    ],
)
async def test_the_command_reports_a_mistake(served, words, status, sentence):
    ran = await run("ping", *words.split(), NOTIFYD_SOCK=str(served.path))
    assert ran.status == status
    assert sentence in ran.err
    assert "Traceback" not in ran.err


async def test_the_command_without_a_daemon_spools_and_says_so(tmp_path):
    environ = {"NOTIFYD_SOCK": str(tmp_path / "none"), "XDG_STATE_HOME": str(tmp_path)}
    ran = await run("ping", "backup", "3", "tape is full", **environ)
    assert (ran.status, ran.out, "is spooled" in ran.err) == (0, "", True)
    (file,) = (tmp_path / "notifyd/spool").iterdir()
    request = {"name": "backup", "signal": "3", "rid": "", "output": "tape is full"}
    assert json.loads(file.read_text())["request"] == request


async def test_the_command_fails_where_nothing_can_be_spooled_either(tmp_path):
    (tmp_path / "notifyd").write_text("a file is in the way")
    environ = {"NOTIFYD_SOCK": str(tmp_path / "none"), "XDG_STATE_HOME": str(tmp_path)}
    ran = await run("ping", "backup", **environ)
    assert ran.status == 69
    assert "no notifyd answers" in ran.err
    assert ran.err.endswith("Not a directory; let this user write there\n")


async def test_the_command_shows_the_answer_as_json(served):
    ran = await run("ping", "--json", "backup", NOTIFYD_SOCK=str(served.path))
    assert ran.out == '{"success": true, "heartbeat": "backup", "signal": "success"}\n'


# --- what is kept


@pytest.mark.parametrize("text", ["", "1.5", "1000", "½", "START", "start ", "log\n"])
def test_anything_else_is_no_signal(text):
    assert parse_signal(text) is None


def test_of_one_long_line_the_end_is_kept():
    kept = clip_output(b"x" * 100_000 + b" end")
    assert len(kept) == OUTPUT_KEPT
    assert kept.startswith("…\nxxx")
    assert kept.endswith(" end")
