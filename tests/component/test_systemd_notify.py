"""The protocols of systemd and its journal, and the formats of the daemon's own log."""

import io
import json
import os
import socket
from contextlib import contextmanager, suppress

import pytest
import structlog

from notifyd.telemetry import logging
from notifyd.telemetry.journal import is_journal, write_entry
from notifyd.telemetry.systemd import ServiceManager, remove_protocol_variables


@contextmanager
def receiver(address):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(address)
        receiving.settimeout(45)
        yield receiving


def test_each_line_is_sent_to_systemd(tmp_path):
    path = str(tmp_path / "notify")
    with receiver(path) as manager:
        ServiceManager({"NOTIFY_SOCKET": path}).notify("READY=1", "STATUS=3 triggers")
        assert manager.recv(100) == b"READY=1\nSTATUS=3 triggers"


def test_an_abstract_address_works_too():
    with receiver("") as manager:
        name = "@" + manager.getsockname()[1:].decode()
        ServiceManager({"NOTIFY_SOCKET": name}).notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_nothing_is_sent_without_systemd(tmp_path):
    absent = ServiceManager({"WATCHDOG_USEC": "1000000"})
    absent.notify("READY=1")
    assert (absent.is_present, absent.watchdog_timeout) == (False, 0.0)
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify("READY=1")


def test_a_receiver_that_does_not_read_holds_nothing_up(tmp_path):
    path = str(tmp_path / "notify")
    with receiver(path) as manager, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0)
        sender.connect(path)
        with suppress(BlockingIOError):
            while True:
                sender.send(b"WATCHDOG=1")
        ServiceManager({"NOTIFY_SOCKET": path}).notify("READY=1")
        manager.recv(100)
        ServiceManager({"NOTIFY_SOCKET": path}).notify("READY=1")
        manager.settimeout(0)
        with suppress(BlockingIOError):
            while (last := manager.recv(100)) != b"READY=1":
                pass
        assert last == b"READY=1"


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_a_watchdog_counts_only_if_it_is_meant_for_this_process(variables, seconds):
    assert ServiceManager({"NOTIFY_SOCKET": "/x", **variables}).watchdog_timeout == seconds


def test_children_inherit_nothing_that_systemd_says_to_the_daemon_alone():
    kept = {"PATH": "/bin", "LISTEN": "x", "INVOCATION_ID": "1"}
    spoken = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID")
    environ = kept | dict.fromkeys((*spoken, "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY"), "1")
    remove_protocol_variables(environ)
    assert environ == kept


def test_an_entry_of_the_journal_has_fields(tmp_path):
    path = tmp_path / "journal"
    with receiver(str(path)) as journal:
        assert write_entry(
            "two\nlines", 4, {"reason": "why", "a-b": 1, "problems": ["x", "y"]}, path
        )
        assert journal.recv(1000) == (
            b"MESSAGE\n" + (9).to_bytes(8, "little") + b"two\nlines\n"
            b"PRIORITY=4\nSYSLOG_IDENTIFIER=notifyd\n"
            b"NOTIFYD_REASON=why\nNOTIFYD_A_B=1\nNOTIFYD_PROBLEMS=x\nNOTIFYD_PROBLEMS=y\n"
        )
    assert not write_entry("nobody listens", 6, {}, path)


def test_only_the_stream_that_systemd_names_leads_to_the_journal(tmp_path):
    with (tmp_path / "stream").open("w") as stream:
        found = os.fstat(stream.fileno())
        named = f"{found.st_dev}:{found.st_ino}"
        assert is_journal(stream, {"JOURNAL_STREAM": named})
        assert not is_journal(stream, {"JOURNAL_STREAM": "1:2"})
        assert not is_journal(stream, {})
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": named})


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
