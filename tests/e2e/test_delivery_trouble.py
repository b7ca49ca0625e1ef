"""The daemon and an API that refuses: a revoked token, a failed notification, a Retry-After."""

import json
import subprocess

import pytest

from notifyd.model.errors import DaemonAnswerError
from support.daemon import PLENTY, wait_for
from support.replies import ok, status

NEW = "onp_another-token"


@pytest.fixture
def token(tmp_path, platform):
    token = tmp_path / "token"
    token.write_text(platform.token)
    token.chmod(0o600)
    return token


@pytest.fixture
def running(daemon, token):
    return daemon(f'{PLENTY}\n[api]\ntoken_file = "{token}"\n').start()


def health(daemon):
    try:
        return daemon.ask("GET", "/healthz")
    except DaemonAnswerError as error:
        return error.answer | {"code": error.status}


def state(daemon, part="delivery"):
    return daemon.ask("GET", "/v1/status")[part]


def test_a_revoked_token_stops_sending_until_there_is_a_new_one(running, platform, token):
    platform.tokens = {NEW}
    ids = {running.send(title=str(number)) for number in range(20)}
    wait_for(lambda: state(running, "token")["state"] == "refused")
    assert len(platform.received) == 1
    assert health(running) == {"success": False, "status": "token_refused", "code": 503}
    assert f"store a new one in the file {token}" in running.command("status").stdout
    ids.add(running.send(title="meanwhile"))
    assert len(platform.received) == 1
    token.write_text(NEW)
    assert platform.waited(2)[1].token == NEW
    wait_for(lambda: set(platform.delivered) == ids, what="everything that was queued")
    assert health(running) == {"success": True, "status": "ok"}
    assert (
        len([line for line in running.log.read_text().splitlines() if "sending paused" in line])
        == 1
    )


def test_a_token_replaced_before_its_revocation_is_used_without_a_refusal(running, platform, token):
    running.send(title="a")
    platform.waited(1)
    fresh = token.with_name("fresh")
    fresh.write_text(NEW)
    fresh.rename(token)
    platform.tokens.add(NEW)
    running.send(title="b")
    assert [received.token for received in platform.waited(2)] == [platform.token, NEW]
    assert [received.status for received in platform.received] == [200, 200]


def test_a_reload_uses_a_token_file_that_now_exists_beside_the_configuration(daemon, platform):
    one = daemon(PLENTY).start()
    one.send(title="with the token from the environment")
    platform.waited(1)
    platform.tokens.add(NEW)
    beside = one.config.with_name("send-token")
    beside.write_text(NEW)
    beside.chmod(0o600)
    assert one.ask("POST", "/v1/reload")["reloaded"]
    one.send(title="with the token from the file")
    assert [received.token for received in platform.waited(2)] == [platform.token, NEW]
    assert state(one, "token")["source"] == f"the file {beside}"


def test_a_deleted_token_file_stops_sending_until_it_is_back(running, platform, token):
    token.unlink()
    notification = running.send(title="a")
    wait_for(lambda: state(running)["state"] == "refused")
    assert "No such file" in running.command("status").stdout
    token.touch()
    wait_for(lambda: "is empty" in str(state(running, "token")["problem"]))
    assert platform.received == []
    token.write_text(platform.token)
    wait_for(lambda: notification in platform.delivered)


def test_a_failed_notification_is_reported_and_retried_under_its_id(running, platform):
    platform.plan(status(422, "title: too rude"))
    notification = running.send(title="rude")
    wait_for(lambda: state(running)["last_failed"])
    shown = running.command("status").stdout
    assert "title: too rude" in shown
    assert f"notifyd retry {notification}" in shown
    running.kill()
    running.start()
    assert running.command("retry", "--all").returncode == 0
    first, second = platform.waited(2)
    assert (first.id, first.json) == (second.id, second.json)
    wait_for(running.quiet)
    again = running.command("retry", notification)
    assert again.returncode == 1
    assert again.stderr.startswith("it was delivered: ")
    history = json.loads(running.command("history", "--json").stdout)["notifications"]
    assert [(row["status"], row["attempts"]) for row in history] == [("delivered", 2)]


def test_a_retry_after_is_kept_over_a_kill_and_reported(running, platform):
    platform.plan(status(429, "slow down", Retry_After=900))
    running.send(title="a")
    wait_for(lambda: state(running)["state"] == "waiting")
    running.kill()
    running.start()
    assert health(running) == {"success": True, "status": "waiting"}
    done = running.command("retry")
    assert "1 waiting" in done.stdout
    assert "slow down" in running.command("status").stdout
    assert 600 < state(running)["paused_for"] <= 900
    assert len(platform.received) == 1


def test_no_registered_device_is_a_warning(running, platform):
    platform.plan(ok(devices=0, delivered=0))
    running.send(title="a")
    wait_for(lambda: state(running)["warning"])
    shown = running.command("status").stdout
    assert "no device is registered" in shown
    assert "open the inbox page" in shown
    assert running.ask("GET", "/v1/status")["socket"]["per_hour"] == round(1 / 24, 2)
    assert health(running)["status"] == "ok"


def test_metrics_hold_no_secrets(running, platform):
    platform.plan(status(503), status(401, f"unknown {platform.token}"))
    running.send(title="a title of mine")
    wait_for(lambda: state(running)["outcomes"]["retry"])
    text = metrics(running)
    assert 'notifyd_deliveries_total{verdict="retry"}' in text
    assert 'notifyd_matches_total{trigger="socket"} 1.0' in text
    assert "mine" not in text
    assert platform.token not in text


def metrics(running):
    command = ["curl", "-sS", "--unix-socket", running.socket, "http://localhost/metrics"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
