"""A user who is not an admin sees numbers of their own and the daemon's health, nothing else."""

import json
from dataclasses import replace

import pytest

from notifyd.cli.status import format_status
from notifyd.model.health import Problem, SourceHealth
from notifyd.model.notifications import TCP_PEER, Message, Peer, Priority
from notifyd.shaping.inputs import Muted, Submitted
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.telemetry.delivery_log import DeliveryReporter
from notifyd.telemetry.metrics import render_metrics
from notifyd.telemetry.own_status import build_own_status
from notifyd.telemetry.status import DaemonInfo
from support.histories import History, match

SECRET = "secret"
ALICE, BOB = Peer(1000, 1000, 1), Peer(1001, 1001, 2)
INFO = DaemonInfo(
    store_error=f"cannot store anything in /{SECRET}/notifyd.db: disk full",
    sources=[
        SourceHealth("log", 3, (Problem("file", f"/{SECRET}/a.log"),), (f"/{SECRET}/b.log",)),
    ],
    trigger_types={f"{SECRET}-app": "log"},
    token_name=f"the file /{SECRET}/token",
    token_state="ok",
    token_problem=f"every user can read /{SECRET}/token",
    api_url=f"https://{SECRET}.example",
    uptime=5.0,
    reload_error=f"{SECRET}: wrong",
    delivery=DeliveryReporter().summary() | {"last_failed": {"id": SECRET, "reason": SECRET}},
    config_file=f"/{SECRET}/config.toml",
)
REFUSED = SendState(
    SendStatus.REFUSED,
    f"the send token was refused (401): store a new one in the file /{SECRET}/token",
    "http_401",
    no_device_reason=f"no device for {SECRET}",
)


def history() -> History:
    run = History(Rules({f"{SECRET}-app": Rule(f"{SECRET}-app", cooldown=60.0, debounce=0.0)}))
    run.feed(match(f"{SECRET}-app", line=SECRET), match(f"{SECRET}-app", line=SECRET))
    for peer, delay in ((ALICE, 0.0), (ALICE, 60.0), (BOB, 0.0), (BOB, 60.0), (TCP_PEER, 60.0)):
        run.feed(Submitted(Message(SECRET, SECRET), Priority.DEFAULT, peer, "", delay))
    run.feed(Muted(f"{SECRET}-app", 600.0))
    run.sleep(10)
    run.state.global_state = replace(run.state.global_state, send_state=REFUSED)
    return run


@pytest.mark.parametrize("uid", [ALICE.uid, 4242, TCP_PEER.uid])
def test_nothing_of_the_daemon_and_of_others_is_shown(uid):
    run = history()
    status = build_own_status(run.state, run.now, INFO, uid)
    assert SECRET not in json.dumps(status)
    assert SECRET not in render_metrics(status).decode()
    assert SECRET not in format_status(status)
    assert not {"triggers", "sources", "socket", "api", "config", "held_back"} & status.keys()


def test_numbers_are_of_the_users_own_notifications():
    run = history()
    mine = build_own_status(run.state, run.now, INFO, ALICE.uid)["outbox"]
    assert (mine["held"], mine["waiting"], mine["oldest_age"]) == (1, 1, 10)
    others = build_own_status(run.state, run.now, INFO, 4242)["outbox"]
    assert others == {
        "waiting": 0,
        "attempting": 0,
        "held": 0,
        "oldest_age": 0.0,
        "store": "unavailable",
    }
    tcp = build_own_status(run.state, run.now, INFO, TCP_PEER.uid)["outbox"]
    assert (tcp["held"], tcp["waiting"]) == (1, 0)


def test_delivery_is_described_in_words():
    run = history()
    status = build_own_status(run.state, run.now, INFO, ALICE.uid)
    assert (
        status["delivery"]["error"] == "the send token is refused; ask an admin to set a valid one"
    )
    assert (status["healthy"], status["status"]) == (False, "store_unavailable")
    shown = format_status(status)
    for line in (
        "token     refused\n",
        "outbox    1 queued, 1 delayed, oldest 10s\n",
        "shown     your own notifications; triggers, files and settings are shown to admins",
        "  - delivery: the send token is refused; ask an admin to set a valid one",
        "  - the last notification reached no device; install the app",
        "  - database: unavailable",
    ):
        assert line in shown
    missing = replace(INFO, token_state="missing")
    status = build_own_status(run.state, run.now, missing, ALICE.uid)
    assert status["token"] == {"state": "missing"}
    assert status["delivery"]["error"].startswith("there is no usable send token")


def test_a_mute_of_everything_is_shown_and_one_of_a_trigger_is_not():
    run = history()
    assert build_own_status(run.state, run.now, INFO, ALICE.uid)["muted"] == {}
    run.feed(Muted("", 600.0))
    until = build_own_status(run.state, run.now, INFO, ALICE.uid)["muted"][""]
    assert until == pytest.approx(run.now.wall + 600)


def test_metrics_hold_the_users_own_numbers():
    run = history()
    text = render_metrics(build_own_status(run.state, run.now, INFO, ALICE.uid)).decode()
    assert 'notifyd_outbox_notifications{status="held"} 1.0' in text
    assert 'notifyd_delivery_state{state="refused"} 1.0' in text
    assert "notifyd_store_ok 0.0" in text
    assert "trigger=" not in text
    assert "process_" not in text
