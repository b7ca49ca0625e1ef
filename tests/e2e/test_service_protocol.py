"""A daemon under a service manager, which this test plays on a socket of its own."""

import signal
import socket
from pathlib import Path

from support.daemon import PLENTY
from support.replies import status

CONFIG = f"""{PLENTY}
[triggers.app]
type = "log"
paths = "/nowhere/app.log"
patterns = "ERROR"
"""


def test_the_manager_hears_of_start_status_reload_and_stop(daemon, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(45)

        received = []

        def heard(*lines):
            """Wait until each line was sent, in any order, and forget it."""
            for line in lines:
                while line not in received:
                    try:
                        received.extend(manager.recv(4096).decode().splitlines())
                    except TimeoutError:
                        raise AssertionError(f"{line} is not in {received}") from None
                received.remove(line)

        one = daemon(CONFIG, fresh=True, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="60000000")
        one.start()
        heard("WATCHDOG=1", "READY=1", "STATUS=watching nothing; 0 waiting")
        limits = Path(f"/proc/{one.process.pid}/limits").read_text().splitlines()
        (core,) = (line.split()[4:6] for line in limits if line.startswith("Max core file size"))
        assert core == ["0", "0"]

        one.write("mistake")
        one.process.send_signal(signal.SIGHUP)
        heard("RELOADING=1", "READY=1")
        heard("STATUS=watching nothing; 0 waiting; kept the old configuration")
        one.write(PLENTY)
        one.process.send_signal(signal.SIGHUP)
        heard("STATUS=watching nothing; 0 waiting")

        one.platform.plan(*[status(401)] * 5)
        one.send(title="not wanted")
        heard("STATUS=watching nothing; 1 waiting; token refused")
        assert one.stop() == 0
        heard("STOPPING=1")
