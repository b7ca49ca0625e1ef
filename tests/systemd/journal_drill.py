"""Run inside a booted systemd by test_journal.py: a real journal under a daemon that is killed.

Every entry that journald kept must be delivered exactly once.
"""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from support.daemon import PLENTY, Daemon, told, wait_for
from support.platform import Platform, in_thread

COUNT = 600
CONFIG = (
    PLENTY
    + r"""
[defaults]
debounce = "0s"
cooldown = "0s"
[triggers.unit]
type = "log"
journal = "numbers"
patterns = '^number \d+$'
body = "{{ line }}"
[triggers.logged]
type = "log"
journal = "*"
patterns = '^logged \d+$'
body = "{{ line }}"
[triggers.failed]
type = "log"
journal = ["broken*"]
patterns = 'Failed with result'
group_by = ["unit"]
title = "{{ unit }}"
[triggers.native]
type = "log"
journal = "*"
patterns = '(?s)^Traceback.*\nValueError'
body = "{{ line }}"
"""
)
REBOOT = """
echo 11111111-2222-3333-4444-555555555555 > /run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id && systemctl restart systemd-journald
"""
WRITER = f"for i in $(seq 1 {COUNT}); do echo number $i; [ $((i % 20)) != 0 ] || sleep 0.05; done"
TROUBLE = (
    ["journalctl", "--rotate"],
    ["systemctl", "restart", "systemd-journald"],
    ["journalctl", "--flush"],
    ["systemctl", "kill", "-s", "KILL", "systemd-journald"],
    ["journalctl", "--rotate"],
    ["sh", "-c", REBOOT],  # as far as the journal can tell
)


def run(*words):
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout


def bodies(platform, trigger):
    """Count the bodies of a trigger's notifications, each notification once."""
    seen = {message.id: message.json for message in platform.received}
    return Counter(
        message["body"] for message in seen.values() if message["data"]["trigger"] == trigger
    )


def kept(*words):
    return Counter(run("journalctl", "--quiet", "--output=cat", *words).splitlines())


def no_entry_is_lost_or_duplicated(platform, folder):
    daemon = Daemon(folder, platform, CONFIG, fresh=False).start()
    run("systemd-run", "--unit=numbers", "sh", "-c", WRITER)
    for number, words in enumerate(TROUBLE):
        run("logger", f"logged {number}")
        time.sleep(0.1)  # some kills come before it is read, some after
        daemon.kill()
        run("logger", "-t", "other", f"logged {100 + number}")
        run(*words)
        daemon.start()
        run("journalctl", "--rotate")
        run("logger", f"logged {200 + number}")
    message = b"Traceback:\n  File x\nValueError"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as native:
        native.sendto(
            b"MESSAGE\n" + len(message).to_bytes(8, "little") + message + b"\n",
            "/run/systemd/journal/socket",
        )
    run("systemd-run", "--unit=broken-one", "--property=Type=oneshot", "false")
    wait_for(lambda: run("systemctl", "is-active", "numbers").strip() != "active", within=60)
    wait_for(lambda: told(platform)["failed"] and told(platform)["native"], within=60)
    for trigger, asked in (
        ("unit", ["_SYSTEMD_UNIT=numbers.service"]),
        ("logged", ["--grep=^logged [0-9]+$"]),
    ):
        expected = kept(*asked)
        assert len(expected) >= (COUNT // 2 if trigger == "unit" else 10), expected
        wait_for(
            lambda trigger=trigger, asked=asked: bodies(platform, trigger) == kept(*asked),
            within=60,
            what=lambda trigger=trigger, asked=asked: (
                f"{trigger}: lost {kept(*asked) - bodies(platform, trigger)}, "
                f"duplicated {bodies(platform, trigger) - kept(*asked)}"
            ),
        )
        print(f"{trigger}: all of them")
    print("boots:", len(run("journalctl", "--quiet", "--list-boots").splitlines()))
    assert bodies(platform, "native") == Counter(["Traceback:\n  File x\nValueError"])
    titles = [message.json["title"] for message in platform.received]
    assert titles.count("broken-one.service") == 1, titles
    daemon.stop()
    deadline = time.monotonic() + 45
    while (left := run("pgrep", "journalctl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    print("left behind:", left.split())


def without_permission_the_fix_is_reported(platform, folder):
    nobody = pwd.getpwnam("nobody").pw_uid
    daemon = Daemon(folder, platform, CONFIG)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody, -1)
    daemon.launch(user="nobody", group="nogroup", extra_groups=[])
    wait_for(daemon.answers)
    status = daemon.command("status").stdout
    print(next(line for line in status.splitlines() if "journal" in line and "cannot" in line))
    daemon.stop()
    check = [sys.executable, "-m", "notifyd", "check", "--config", str(daemon.config)]
    done = subprocess.run(
        check, check=False, capture_output=True, text=True, user="nobody", env=daemon.environ
    )
    print(done.returncode, done.stderr)


with in_thread(Platform()) as platform:
    for drill in (no_entry_is_lost_or_duplicated, without_permission_the_fix_is_reported):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            drill(platform, Path(folder))
