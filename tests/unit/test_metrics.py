"""Prometheus' own parser reads the metrics and finds the figures of the status."""

from prometheus_client.parser import text_string_to_metric_families

from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.health import Problem, SourceHealth
from notifyd.model.pings import Ping
from notifyd.shaping.inputs import Pinged
from notifyd.shaping.rules import HeartbeatRule, Rule, Rules
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import GlobalState
from notifyd.telemetry.delivery_log import DeliveryReporter
from notifyd.telemetry.metrics import render_metrics
from notifyd.telemetry.status import DaemonInfo, build_status
from support.histories import History, match


def metrics(**known):
    triggers = {"app": Rule("app", threshold=2, window=5.0, debounce=0.0), "job": Rule("job")}
    run = History(Rules(triggers, {"job": HeartbeatRule("job", every=3600.0)}))
    run.feed(Pinged(Ping("job")))
    run.feed(match("app"), match("app"), match("app"))
    run.sleep(10)
    run.submit("a", delay=60.0)
    reporter = DeliveryReporter()
    reporter.record(Outcome("x", OutcomeKind.RETRY, cause="http_503"), 0.0)
    if send_state := known.pop("send_state", None):
        run.state.global_state = GlobalState(send_state=send_state)
    info = DaemonInfo(
        **{
            "store_error": "",
            "sources": [
                SourceHealth(
                    "log", 3, (Problem("file", "one"),), timed_out={"app": 2}, dropped={"app": 7}
                )
            ],
            "trigger_types": {"app": "log", "job": "heartbeat"},
            "token_name": "a file",
            "token_state": "ok",
            "token_problem": "",
            "api_url": "http://localhost",
            "uptime": 5.0,
            "reload_error": "",
            "delivery": reporter.summary(),
            **known,
        },
    )
    status = build_status(run.state, run.now, info)
    families = text_string_to_metric_families(render_metrics(status).decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_counters_and_gauges_have_their_names():
    found = metrics()
    assert found["notifyd_matches_total", "app"] == 3
    assert found["notifyd_notifications_total", "app"] == 1
    assert found["notifyd_below_threshold_total", "app"] == 1
    assert found["notifyd_undecided_lines_total", "app"] == 2
    assert found["notifyd_lost_entries_total", "app"] == 7
    assert found["notifyd_heartbeat_up", "job"] == 1
    assert found["notifyd_heartbeat_last_ping_seconds", "job"] == 1_700_000_000.0
    assert ("notifyd_heartbeat_up", "app") not in found
    assert found["notifyd_outbox_notifications", "attempting"] == 1
    assert found["notifyd_outbox_notifications", "held"] == 1
    assert found["notifyd_outbox_oldest_age_seconds",] == 10
    assert found["notifyd_deliveries_total", "retry"] == 1
    assert found["notifyd_source_watching", "log"] == 3
    assert found["notifyd_source_problems", "log"] == 1
    assert found["process_open_fds",] > 0


def test_errors_appear_as_words_from_fixed_sets():
    send_state = SendState(
        SendStatus.REFUSED, "the send token was refused (401: secret)", "http_401"
    )
    found = metrics(send_state=send_state, store_error="the disk is full", reload_error="wrong")
    assert found["notifyd_delivery_state", "refused"] == 1
    assert found["notifyd_delivery_state", "ok"] == 0
    assert found["notifyd_token_state", "refused"] == 1
    assert found["notifyd_delivery_trouble", "http_401"] == 1
    assert found["notifyd_store_ok",] == 0
    assert found["notifyd_reload_ok",] == 0
    assert not any("secret" in str(key) or "disk" in str(key) for key in found)


def test_there_is_no_cause_while_sending_works():
    found = metrics()
    assert found["notifyd_store_ok",] == 1
    assert not [key for key in found if key[0] == "notifyd_delivery_trouble"]
