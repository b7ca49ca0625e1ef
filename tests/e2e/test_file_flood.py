"""More files than the kernel's queue of changes holds."""

import os
import signal
from pathlib import Path

from support.daemon import PLENTY, wait_for

QUEUE = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
FILES, DIRECTORIES = min(QUEUE + 2_000, 40_000), 40


def test_all_files_written_while_the_daemon_is_stopped_count(daemon, tmp_path):
    inside = tmp_path / "in"
    directories = [inside / str(number) for number in range(DIRECTORIES)]
    for directory in directories:
        directory.mkdir(parents=True)
    keys = f"type = 'file'\npaths = '{inside}/**'\ndebounce = '0s'\ncooldown = '1h'"
    one = daemon(f"{PLENTY}[triggers.up]\n{keys}\n").start()
    one.process.send_signal(signal.SIGSTOP)
    try:
        for number in range(FILES):
            path = directories[number % DIRECTORIES] / str(number)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    finally:
        one.process.send_signal(signal.SIGCONT)

    def matches() -> int:
        return one.ask("GET", "/v1/status")["triggers"]["up"]["matches"]

    wait_for(lambda: matches() >= FILES, within=120, what=matches)
    assert matches() == FILES
