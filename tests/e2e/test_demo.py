"""The instructions of the demo work as soon as they are printed."""

import signal
import subprocess
import sys

from notifyd.client.http import send_request
from notifyd.model.errors import DaemonUnreachableError
from support.daemon import wait_for


def titles(socket):
    """Return the titles of what was sent so far."""
    try:
        _, answer = send_request("GET", "/v1/notifications", socket_path=str(socket))
    except DaemonUnreachableError:
        return set()
    return {row["title"] for row in answer["notifications"]}


def test_a_line_is_notified_at_once_and_the_demo_shows_more_by_itself(tmp_path):
    demo = subprocess.Popen(
        [sys.executable, "-m", "notifyd", "demo", "--dir", str(tmp_path), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        while "app.log" not in demo.stdout.readline():
            assert demo.poll() is None
        with (tmp_path / "app.log").open("a") as log:
            log.write("ALERT disk full\n")
        socket = tmp_path / "notifyd.sock"
        wait_for(lambda: "disk full" in titles(socket))
        expected = {"the nightly build broke: 3 tests failed", "shop", "jobs ended"}
        wait_for(lambda: expected | {"service failed: status 1"} <= titles(socket))
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=45)
    assert demo.returncode == 0


def test_a_port_that_cannot_exist_is_refused():
    command = [sys.executable, "-m", "notifyd", "demo", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "--port: use a number from 0 to 65535 (got 99999)\n"
