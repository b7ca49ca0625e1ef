"""The events of a real daemon, from a log line to the device, over reload and restart."""

from notifyd.client.event_stream import follow_events
from support.daemon import AT_ONCE


def followed(daemon, last_id=""):
    """Follow from now on: the stream has begun when this returns."""
    stream = follow_events("/v1/events", socket_path=str(daemon.socket), last_id=last_id)
    first = next(stream)
    return stream, first


def test_a_line_is_followed_to_the_device_and_a_reload_loses_nothing(daemon, tmp_path):
    log = tmp_path / "app.log"
    log.touch()
    one = daemon(AT_ONCE.format(paths=f'["{log}"]')).start()
    stream, live = followed(one)
    assert live.kind == "live"
    with log.open("a") as file:
        file.write("line with password=hunter2hunter2\n")
    seen = [next(stream) for _ in range(4)]
    assert [event.kind for event in seen[:2]] == ["match", "notification"]
    assert "hunter2" not in str(seen)
    rest = {(event.kind, event.data.get("status", event.data.get("outcome"))) for event in seen[1:]}
    assert {("delivery", "delivered"), ("notification", "delivered")} <= rest
    assert one.ask("POST", "/v1/reload")["success"] is True
    assert not list(stream)  # it ends
    one.send(title="while away")
    stream, event = followed(one, seen[-1].id)
    assert event.data["title"] == "while away"
    one.stop()
    list(stream)  # ends in order, with no error
    one.start()
    stream, gap = followed(one, event.id)
    assert (gap.kind, gap.data) == ("gap", {"reason": "restarted"})
    stream.close()
