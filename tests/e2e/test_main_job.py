"""The main job as a user sees it: something happens, and the platform gets a request."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from notifyd.client.http import send_request
from support.daemon import PLENTY, wait_for
from support.replies import hang, status

CONFIG = """
[triggers.alerts]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['ALERT (?P<what>.*)']
title = "{{{{ fields.what }}}}"
debounce = "0s"
cooldown = "0s"

[triggers.reports]
type = "file"
paths = ["{folder}/reports/*.csv"]
debounce = "0s"
cooldown = "0s"

[triggers.jobs]
type = "process"
name = "main-job"
cooldown = "0s"
"""


@pytest.fixture
def running(daemon, tmp_path):
    (tmp_path / "reports").mkdir()
    (tmp_path / "app.log").write_text("ALERT from long ago\n")
    return daemon(CONFIG.format(folder=tmp_path)).start()


def arrived(platform, count=1):
    return [received.json for received in platform.waited(count)]


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_a_log_line_reaches_the_platform(running, platform, tmp_path):
    append(tmp_path / "app.log", "fine\nALERT disk full\n")
    (message,) = arrived(platform)
    assert message["title"] == "disk full"
    assert message["data"]["trigger"] == "alerts"
    assert message["data"]["count"] == "1"
    assert message["data"]["priority"] == "default"
    (received,) = platform.received
    assert received.token == platform.token
    assert received.id == message["data"]["notification_id"]


def test_a_created_file_reaches_the_platform(running, platform, tmp_path):
    (tmp_path / "reports" / "march.csv").write_text("1,2\n")
    (message,) = arrived(platform)
    assert "march.csv" in message["title"] + message["body"]
    assert message["data"]["trigger"] == "reports"


def test_the_end_of_a_process_tells_its_exit_status(running, platform):
    stray = "exec -a main-job bash -c 'read -r line; exit 3' < {pipe}"
    inside, outside = os.pipe()
    with os.fdopen(outside, "w") as pipe:
        job = subprocess.Popen(
            ["bash", "-c", stray.format(pipe=f"/dev/fd/{inside}")], pass_fds=[inside]
        )
        os.close(inside)
        wait_for(lambda: watched(running, "process"), what="the job is seen")
        pipe.write("go\n")
    job.wait()
    (message,) = arrived(platform)
    assert "status 3" in message["title"] + message["body"]
    assert str(job.pid) in str(message)


def watched(daemon, source):
    sources = daemon.ask("GET", "/v1/status")["sources"]
    return sum(one["watching"] for one in sources if one["name"] == source)


def test_a_request_of_the_socket_reaches_the_platform_under_its_id(running, platform):
    answer = running.ask("POST", "/notifications/send", {"title": "Hi", "data": {"run_id": "abc"}})
    assert answer["status"] == "queued"
    (message,) = arrived(platform)
    assert message["title"] == "Hi"
    assert message["data"]["run_id"] == "abc"
    assert message["data"]["notification_id"] == answer["id"]


def test_notifyd_send_with_wait_prints_the_platforms_figures(running, platform):
    done = running.command("send", "-t", "Hi", "there", "--wait")
    assert done.returncode == 0, done.stderr
    assert arrived(platform)[0]["body"] == "there"
    assert "1" in done.stdout


def test_curl_over_the_socket(running, platform):
    done = subprocess.run(
        [
            *("curl", "-sS", "--unix-socket", running.socket),
            "http://localhost/notifications/send",
            *("-H", "Content-Type: application/json"),
            *("-d", '{"title":"Build","body":"green"}'),
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    assert '"success": true' in done.stdout.replace('":true', '": true')
    assert arrived(platform)[0]["title"] == "Build"


def test_what_was_written_while_the_daemon_was_down_is_read(running, platform, tmp_path):
    assert running.stop() == 0
    append(tmp_path / "app.log", "ALERT one\n")
    (tmp_path / "app.log").rename(tmp_path / "app.log.1")
    append(tmp_path / "app.log", "ALERT two\n")
    (tmp_path / "reports" / "while-down.csv").touch()
    running.start()
    titles = " ".join(message["title"] + message["body"] for message in arrived(platform, 3))
    assert "one" in titles
    assert "two" in titles
    assert "while-down.csv" in titles
    assert "long ago" not in titles


def test_sigterm_delivers_what_waits_and_ends_with_zero(running, platform):
    notification = running.send(title="last words")
    assert running.stop() == 0
    assert notification in platform.delivered
    assert not running.socket.exists()


def test_a_wrong_reload_keeps_the_old_pipeline_and_says_why(running, platform, tmp_path):
    good = running.config.read_text()
    running.write(good.replace('type = "log"', 'type = "logg"'))
    reload = running.command("reload")
    assert reload.returncode != 0
    assert "logg" in reload.stderr + reload.stdout
    assert "logg" in str(running.ask("GET", "/v1/status")["reload"])
    append(tmp_path / "app.log", "ALERT still here\n")
    assert arrived(platform)[0]["title"] == "still here"


def test_sighup_takes_a_new_configuration_without_losing_a_line(running, platform, tmp_path):
    running.write(running.config.read_text().replace("ALERT", "PANIC"))
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "configuration reloaded" in running.log.read_text())
    append(tmp_path / "app.log", "ALERT no more\nPANIC now\n")
    assert arrived(platform)[0]["title"] == "now"


def test_a_second_daemon_is_told_who_runs(running):
    second = subprocess.run(
        [sys.executable, "-m", "notifyd", "run", "--config", running.config],
        env=running.environ,
        capture_output=True,
        text=True,
        timeout=45,
        check=False,
    )
    assert second.returncode == 1
    assert str(running.process.pid) in second.stderr
    assert second.stderr.count("\n") == 1
    assert running.answers()


def test_check_knows_the_daemon_that_runs_with_the_configuration(running, tmp_path):
    config = running.config
    status = running.ask("GET", "/v1/status")
    assert status["config"] == str(config)
    words = ["check", "--config"]
    done = running.command(*words, str(config))
    assert done.returncode == 0
    assert "runs with this configuration; `notifyd reload` applies changes" in done.stderr
    other = tmp_path / "other.toml"
    other.write_text(config.read_text())
    done = running.command(*words, str(other))
    assert done.returncode == 0
    note = f"process {running.process.pid} runs with another configuration, {config}, and holds"
    assert note in done.stderr


def test_check_knows_the_daemon_that_holds_the_socket_with_another_state(daemon, tmp_path):
    path = tmp_path / "own.sock"
    one = daemon(f'{PLENTY}[socket]\npath = "{path}"\n')
    one.socket = path
    one.start()
    one.environ |= {"STATE_DIRECTORY": str(tmp_path / "other")}
    done = one.command("check", "--config", str(one.config))
    assert done.returncode == 0, done.stderr
    assert "a daemon runs with this configuration" in done.stderr
    other = tmp_path / "other.toml"
    other.write_text(one.config.read_text())
    done = one.command("check", "--config", str(other))
    assert done.returncode == 0
    assert "note: a daemon with another configuration runs: process " in done.stderr


def test_without_a_token_everything_waits_for_one(daemon, platform, tmp_path):
    naked = daemon(PLENTY)
    del naked.environ["NOTIFYD_SEND_TOKEN"]
    with naked:
        naked.send(title="early")
        token = naked.ask("GET", "/v1/status")["token"]
        problem = token["problem"]
        assert token["state"] == "missing"
        for way in ("token_file", "NOTIFYD_SEND_TOKEN", f"{tmp_path}/send-token"):
            assert way in problem
        assert platform.received == []
        (tmp_path / "send-token").write_text(platform.token)
        assert arrived(platform, 1)[0]["title"] == "early"
        assert naked.log.read_text().count("there is no send token") == 1


def test_the_token_is_nowhere_but_in_the_header(running, platform, tmp_path):
    running.send(title="x")
    append(tmp_path / "app.log", "ALERT y\n")
    arrived(platform, 2)
    everything = str(running.ask("GET", "/v1/status")) + running.log.read_text()
    everything += str(running.ask("GET", "/v1/notifications?limit=10"))
    running.stop()
    for path in (tmp_path / "state").rglob("*"):
        everything += path.read_bytes().decode("latin-1") if path.is_file() else ""
    assert platform.token not in everything


def test_the_socket_has_its_mode_and_group(running):
    assert oct(running.socket.stat().st_mode)[-3:] == "660"


def test_a_failed_attempt_is_made_again_by_itself(running, platform):
    platform.plan(status(503), status(500))
    notification = running.send(title="patience")
    wait_for(lambda: notification in platform.delivered, what="the third attempt")
    assert [received.id for received in platform.received] == [notification] * 3


def test_the_rate_paces_and_does_not_stall(daemon, platform, tmp_path):
    paced = daemon('rate_limit = { max = 2, per = "1s" }').start()
    began = time.monotonic()
    for number in range(5):
        paced.send(title=str(number))
    times = [received.time - began for received in platform.waited(5)]
    assert times[2] >= 1.0
    assert times[4] >= 2.0


def test_stopping_while_nothing_can_be_sent_is_quick(running, platform):
    platform.plan(hang())
    running.send(title="stuck")
    platform.waited(1)
    assert running.stop() == 0


def test_hangups_while_it_starts_do_not_end_it(daemon, platform):
    one = daemon(PLENTY, fresh=True)
    one.launch(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    while not one.answers():
        one.process.send_signal(signal.SIGHUP)
    assert one.stop() == 0


@pytest.mark.parametrize("pause", [0.0, 0.01, 0.03, 0.1])
def test_a_stop_in_the_middle_of_a_reload_is_a_stop(running, pause):
    running.write(running.config.read_text().replace("ALERT", "PANIC"))
    running.process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(pause)
    assert running.stop() == 0


def test_a_start_that_cannot_store_anything_can_be_stopped(running):
    running.send(title="so that there is a database")
    assert running.stop() == 0
    other = sqlite3.connect(running.folder / "state" / "notifyd.db")
    other.execute("BEGIN IMMEDIATE")
    running.launch()
    wait_for(lambda: "database writes fail" in running.log.read_text())
    assert running.stop() == 0
    other.close()


def test_a_token_file_that_vanishes_is_told(daemon, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("onp_one")
    secret.chmod(0o600)
    one = daemon(f'api.token_file = "{secret}"').start()
    assert one.ask("GET", "/v1/status")["token"]["state"] == "ok"
    secret.unlink()
    token = one.ask("GET", "/v1/status")["token"]
    assert token["state"] == "unusable"
    assert f"unusable, expected in the file {secret}" in one.command("status").stdout
    assert str(secret) in token["problem"]


def test_waiting_answers_come_with_the_platforms_own_figures(running):
    target = "/notifications/send?wait=10s"
    _, answer = send_request("POST", target, body={"title": "x"}, socket_path=str(running.socket))
    assert answer["delivered"] == 1
    assert answer["devices"] == 1
