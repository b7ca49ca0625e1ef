"""Notifying systemd, and the formats of the daemon's own log."""

import io
import json
import socket

import structlog

from notifyd.telemetry import logging
from notifyd.telemetry.systemd import sd_notify


def test_each_line_is_sent_to_systemd(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        sd_notify("READY=1", "STATUS=3 triggers", environ={"NOTIFY_SOCKET": path})
        assert manager.recv(100) == b"READY=1\nSTATUS=3 triggers"


def test_an_abstract_address_works_too():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("")
        name = "@" + manager.getsockname()[1:].decode()
        sd_notify("READY=1", environ={"NOTIFY_SOCKET": name})
        assert manager.recv(100) == b"READY=1"


def test_nothing_is_sent_without_systemd(tmp_path):
    sd_notify("READY=1", environ={})
    sd_notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def logged(form):
    stream = io.StringIO()
    try:
        logging.configure("info", form, stream)
        structlog.get_logger().warning("two\nlines", reason="why")
        structlog.get_logger().debug("not shown")
    finally:
        structlog.reset_defaults()
    return stream.getvalue()


def test_each_line_for_the_journal_has_a_priority():
    assert logged("journal") == "<4>two\n<4>lines reason=why\n"


def test_json_is_one_object_a_line():
    (line,) = logged("json").splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["reason"]) == ("two\nlines", "warning", "why")


def test_the_console_format_is_readable():
    text = logged("console")
    assert "reason=why" in text
    assert "not shown" not in text
