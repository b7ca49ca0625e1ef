"""`[listen] tcp` of a real daemon: from the file of the token to the platform."""

import hashlib
import hmac
import json
import socket
import subprocess
import urllib.error
import urllib.request

from support.daemon import PLENTY, wait_for
from support.ports import free_port


def listening(folder, port: int) -> str:
    (folder / "listen-token").write_text("first-token\n")
    (folder / "listen-token").chmod(0o600)
    return f'{PLENTY}\n[listen]\ntcp = "127.0.0.1:{port}"\ntoken_file = "{folder}/listen-token"\n'


def send(port: int, token: str) -> tuple[int, dict]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/notifications/send",
        json.dumps({"title": f"with {token}"}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=45) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_request_over_tcp_is_delivered_and_a_new_token_counts_after_a_reload(
    daemon, tmp_path, platform
):
    port = free_port()
    one = daemon(listening(tmp_path, port)).start()
    status, body = send(port, "first-token")
    assert status == 202
    wait_for(lambda: len(platform.delivered) == 1)
    [row] = one.ask("GET", f"/v1/notifications/{body['id']}")["notifications"]
    assert row["client"] == "tcp"
    (tmp_path / "listen-token").write_text("second-token\n")
    assert send(port, "second-token")[0] == 401
    assert one.ask("POST", "/v1/reload")["restart"] == []
    assert send(port, "first-token")[0] == 401
    assert send(port, "second-token")[0] == 202


def test_clients_of_ntfy_and_gotify_are_served_by_a_real_daemon(daemon, tmp_path, platform):
    port = free_port()
    one = daemon(listening(tmp_path, port) + "\n[socket]\ncompat = true\n").start()
    answers = []
    for target, headers in (("backups?title=Backup", {"Priority": "high"}), ("message", {})):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/{target}",
            b"message=successful" if target == "message" else b"successful",
            {"X-Gotify-Key": "first-token", **headers},
        )
        with urllib.request.urlopen(request, timeout=45) as response:
            answers.append(json.load(response))
    command = ["curl", "-sS", "--unix-socket", one.socket, "-d", '{"any": "JSON"}']
    done = subprocess.run(
        [*command, "http://localhost/builds"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["topic"] == "builds"
    wait_for(lambda: len(platform.delivered) == 3)
    pushes = [request.json for request in platform.delivered.values()]
    assert {push["body"] for push in pushes} == {"successful", '{"any": "JSON"}'}
    [topic] = [push for push in pushes if push.get("title") == "Backup"]
    assert topic["data"]["topic"] == "backups"
    assert topic["data"]["priority"] == "high"
    assert topic["data"]["notification_id"] == answers[0]["id"]
    assert answers[0]["expires"] - answers[0]["time"] in range(86_390, 86_411)
    [row] = one.ask("GET", f"/v1/notifications/{answers[1]['notification_id']}")["notifications"]
    assert row["client"] == "tcp"


def ask(port: int, target: str, method: str = "GET") -> str:
    """Return the body of an answer, or of an error."""
    headers = {"Authorization": "Bearer first-token"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{target}", None, headers)
    request.method = method
    try:
        with urllib.request.urlopen(request, timeout=45) as response:
            return response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()


def test_clients_see_nothing_of_triggers_files_and_other_users(daemon, tmp_path, platform):
    port, log = free_port(), tmp_path / "hidden.log"
    log.touch()
    triggers = f"""
[triggers.hidden]
type = "log"
paths = ["{log}"]
patterns = ["ERROR"]
[triggers.hidden-job]
type = "heartbeat"
every = "1h"
"""
    one = daemon(listening(tmp_path, port) + triggers).start()
    theirs = one.send(title="hidden message", delay="1h")
    with log.open("a") as stream:
        stream.write("ERROR hidden line\n")
    wait_for(lambda: one.ask("GET", "/v1/status")["triggers"]["hidden"]["matches"] == 1)
    assert "hidden" in str(one.ask("GET", "/v1/status"))
    answers = [
        *(ask(port, f"/v1/{what}") for what in ("status", "explain", "notifications")),
        *(ask(port, f"/v1/notifications?trigger={name}") for name in ("hidden", "socket")),
        ask(port, f"/v1/notifications/{theirs}"),
        *(ask(port, target) for target in ("/metrics", "/healthz")),
        *(ask(port, f"/v1/heartbeats/{name}", "POST") for name in ("hiden-job", "other")),
        ask(port, "/v1/retry?status=failed", "POST"),
        ask(port, "/v1/triggers/hidde/test", "POST"),
    ]
    for answer in answers:
        assert "hidden" not in answer
        assert str(tmp_path) not in answer
    assert json.loads(answers[-2])["waiting"] == 0
    assert '"healthy": true' in answers[0].replace('":true', '": true')


def test_a_missing_token_and_an_address_in_use_are_one_sentence(daemon, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one = daemon(listening(tmp_path, port))
        result = one.command("run", *one.named)
        assert result.returncode != 0
        sentence = f"127.0.0.1:{port} is in use; stop the program that listens there"
        assert sentence in result.stderr.strip().splitlines()[-1]
        assert "[listen] tcp" in result.stderr
    (tmp_path / "listen-token").unlink()
    for command in ("run", "check"):
        result = one.command(command, *one.named)
        assert result.returncode == 78
        assert "cannot read the listen token" in result.stderr.strip().splitlines()[-1]


WEBHOOKS = """
[webhooks]
secret_file = "{folder}/webhook-secret"
[triggers.failed]
type = "oblien"
webhook = "workload.*"
cooldown = "0s"
title = "{{{{ fields['data.name'] }}}} stopped with {{{{ fields['data.exit_code'] }}}}"
[triggers.paid]
type = "oblien"
webhook = "payment.succeeded"
"""


def deliver(port: int, body: dict) -> tuple[int, dict]:
    raw = json.dumps(body).encode()
    signature = hmac.new(b"the-secret", raw, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/webhooks/oblien",
        raw,
        {"X-Webhook-Signature": f"sha256={signature}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=45) as response:
        return response.status, json.load(response)


def test_a_webhook_is_pushed_once_also_when_it_is_repeated_after_a_kill(daemon, tmp_path, platform):
    port = free_port()
    (tmp_path / "webhook-secret").write_text("the-secret\n")
    one = daemon(listening(tmp_path, port) + WEBHOOKS.format(folder=tmp_path)).start()
    event = {"event": "workload.failed", "data": {"name": "trainer", "exit_code": 3}}
    assert deliver(port, event) == (200, {"success": True, "duplicate": False})
    one.kill()
    one.start()
    assert deliver(port, event) == (200, {"success": True, "duplicate": True})
    assert deliver(port, event | {"id": "evt_2"}) == (200, {"success": True, "duplicate": False})
    wait_for(lambda: len(platform.delivered) == 2)
    push = one.ask("GET", "/v1/notifications")["notifications"][-1]
    assert push["title"] == "trainer stopped with 3"
    assert push["body"].startswith("workload.failed: trainer\n")
    assert '"exit_code": 3' in push["body"]
