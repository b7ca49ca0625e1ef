"""The spool with a real daemon: nothing is lost without one, and nothing is sent twice."""

import json
import os
import sqlite3
import sys

import pytest

from support.daemon import PLENTY, wait_for

KILLED_BEFORE_UNLINK = """\
import os, signal, sys
import notifyd.cli
real = os.unlink
def unlink(path, *args, **kwargs):
    if str(path).count("-") == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *args, **kwargs)
os.unlink = unlink
sys.exit(notifyd.cli.main(sys.argv[4:]))
"""
"""A daemon that is killed when it is about to remove a file of the spool."""

HEARTBEAT = (
    PLENTY
    + """
[triggers.backup]
type = "heartbeat"
every = "1h"
"""
)


@pytest.fixture
def home(tmp_path):
    """Return the environment of a user whose daemon keeps its state in the usual place."""
    return {"STATE_DIRECTORY": "", "XDG_STATE_HOME": str(tmp_path)}


def files(folder):
    return sorted((folder / "notifyd/spool").iterdir())


def test_a_message_without_a_daemon_is_sent_under_its_id_when_one_starts(
    tmp_path, daemon, platform, home
):
    one = daemon(PLENTY, **home)
    ran = one.command("send", "--spool", "-t", "Build finished", "-p", "high", "all green")
    assert ran.returncode == 0, ran.stderr
    assert "spooled" in ran.stderr
    spooled_id = ran.stdout.strip()
    assert [each.name for each in files(tmp_path)] == [spooled_id]
    one.start()
    wait_for(lambda: platform.received)
    wait_for(lambda: not files(tmp_path))
    (received,) = platform.received
    assert received.id == spooled_id
    assert received.json["title"] == "Build finished"
    shown = one.ask("GET", f"/v1/notifications/{spooled_id}")["notifications"][0]
    assert (shown["uid"], shown["priority"]) == (os.geteuid(), "high")


def test_a_file_that_appears_while_the_daemon_runs_is_imported(tmp_path, daemon, platform, home):
    one = daemon(PLENTY, **home).start()
    assert one.command("send", "--spool", "by the socket").returncode == 0
    assert files(tmp_path) == []
    elsewhere = ("send", "--spool", "--socket", str(tmp_path / "none.sock"), "by a file")
    assert one.command(*elsewhere).returncode == 0
    wait_for(lambda: len(platform.received) == 2)
    wait_for(lambda: not files(tmp_path))


def test_a_kill_between_import_and_unlink_sends_once(tmp_path, daemon, platform, home):
    one = daemon(PLENTY, **home)
    ran = one.command("send", "--spool", "exactly once")
    one.through = (sys.executable, "-c", KILLED_BEFORE_UNLINK)
    one.launch()
    assert one.process.wait(45) == -9
    spooled_id = ran.stdout.strip()
    assert [each.name for each in files(tmp_path)] == [spooled_id]
    with sqlite3.connect(tmp_path / "notifyd/notifyd.db") as database:
        (count,) = database.execute("SELECT count(*) FROM notifications").fetchone()
    database.close()
    assert count == 1
    one.through = ()
    one.start()
    wait_for(lambda: not files(tmp_path))
    wait_for(one.quiet)
    assert {received.id for received in platform.received} == {spooled_id}
    assert len(one.ask("GET", "/v1/notifications")["notifications"]) == 1


def test_a_message_that_was_delivered_is_not_sent_again_from_a_restored_file(
    tmp_path, daemon, platform, home
):
    one = daemon(PLENTY, **home)
    one.command("send", "--spool", "exactly once")
    (file,) = files(tmp_path)
    content = file.read_bytes()
    one.start()
    wait_for(lambda: not files(tmp_path) and platform.received)
    wait_for(one.quiet)
    file.with_name("restored").write_bytes(content)
    file.with_name("restored").rename(file)
    wait_for(lambda: not files(tmp_path))
    one.stop()
    assert len(platform.received) == 1


def test_pings_without_a_daemon_count_when_one_starts(tmp_path, daemon, platform, home):
    one = daemon(HEARTBEAT, **home)
    assert one.command("ping", "backup", "start").returncode == 0
    ran = one.command("ping", "backup", "3", "tape is full")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert len(files(tmp_path)) == 2
    one.start()
    wait_for(lambda: platform.received)
    assert "tape is full" in platform.received[0].json["body"]
    wait_for(lambda: not files(tmp_path))


def test_waiting_for_a_spooled_message_is_75_and_the_answer_is_json(daemon, home):
    one = daemon(PLENTY, **home)
    ran = one.command("send", "--spool", "--json", "--wait=1s", "later")
    assert ran.returncode == 75
    assert json.loads(ran.stdout)["status"] == "spooled"


def test_without_the_option_a_message_is_not_spooled(tmp_path, daemon, home):
    ran = daemon(PLENTY, **home).command("send", "now or never")
    assert ran.returncode == 69
    assert not (tmp_path / "notifyd").exists()
