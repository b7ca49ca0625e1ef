"""The instructions of the demo work as soon as they are printed."""

import signal
import subprocess
import sys

from notifyd.client.http import send_request
from notifyd.model.errors import DaemonUnreachableError
from support.daemon import wait_for


def is_delivered(socket):
    try:
        _, answer = send_request("GET", "/v1/notifications", socket_path=str(socket))
    except DaemonUnreachableError:
        return False
    return any(row["title"] == "disk full" for row in answer["notifications"])


def test_a_line_written_right_after_the_instructions_is_notified(tmp_path):
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
        wait_for(lambda: is_delivered(tmp_path / "notifyd.sock"))
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=45)
    assert demo.returncode == 0


def test_a_port_that_cannot_exist_is_refused():
    command = [sys.executable, "-m", "notifyd", "demo", "--port", "99999"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "--port: use a number from 0 to 65535 (got 99999)\n"
