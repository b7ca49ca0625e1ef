"""The store below a running daemon: damage, a full disk, deleted state, power loss, old schemas."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from notifyd.model.errors import DaemonAnswerError
from support.daemon import PLENTY, told, wait_for
from support.replies import ok, status
from support.stores import crash_image, restore_dump, waiting_ids

DUMP = Path(__file__).parent.parent / "component" / "schemas" / "1.sql"

LOGS = (
    PLENTY
    + """
[delivery]
digest = false

[socket]
rate = {{ max = 100000, per = "1s" }}

[triggers.app]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['by (?P<user>\\w+) failed']
group_by = ["user"]
debounce = "50ms"
cooldown = "50ms"
cooldown_max = "100ms"
"""
)


def quarantine(daemon):
    return list((daemon.folder / "state").glob("*.damaged-*[0-9]"))


def incidents(platform):
    return [
        item for item in platform.delivered.values() if item.json["data"]["trigger"] == "notifyd"
    ]


def write(folder, *lines):
    with (folder / "app.log").open("a") as log:
        log.write("".join(f"{line}\n" for line in lines))


def test_notifications_queued_under_an_earlier_schema_are_sent(daemon, platform, tmp_path):
    (tmp_path / "state").mkdir()
    restore_dump(DUMP, tmp_path / "state")
    waited = waiting_ids(tmp_path / "state")
    (tmp_path / "app.log").touch()
    one = daemon(LOGS.format(folder=tmp_path)).start()
    wait_for(lambda: one.quiet() and not one.ask("GET", "/v1/status")["outbox"]["held"])
    assert waited <= set(platform.delivered)
    assert told(platform) == {"socket": 3, "app": 7}


def test_a_damaged_database_is_reported_once_and_the_queue_is_sent(daemon, platform, tmp_path):
    platform.default = status(503)
    one = daemon(LOGS.format(folder=tmp_path)).start()
    waiting = {one.send(title=f"number {number}", body="b" * 2000) for number in range(40)}
    one.stop()
    database = tmp_path / "state" / "notifyd.db"
    with database.open("r+b") as file:
        file.write(bytes(4096))
    platform.default = ok()
    one.start()
    wait_for(one.quiet)
    assert waiting <= set(platform.delivered)
    (report,) = incidents(platform)
    (quarantined,) = quarantine(one)
    assert str(quarantined) in report.json["body"]
    assert str(quarantined) in one.log.read_text()
    assert str(quarantined) in one.command("status").stdout
    one.stop()
    one.start()
    wait_for(one.quiet)
    assert str(quarantined) in one.command("status").stdout
    assert len(incidents(platform)) == 1


def test_damage_at_run_time_is_repaired_in_place(daemon, platform, tmp_path):
    platform.default = status(503)
    (tmp_path / "app.log").touch()
    one = daemon(LOGS.format(folder=tmp_path)).start()
    waiting = {one.send(title=f"number {number}", body="b" * 2000) for number in range(40)}
    write(tmp_path, *["request by ann failed"] * 3)
    wait_for(lambda: one.ask("GET", "/v1/status")["triggers"]["app"]["matches"] == 3)
    for name in ("notifyd.db", "notifyd.db-wal"):  # the worst case: nothing can be read
        path = tmp_path / "state" / name
        with path.open("r+b") as file:
            file.write(random.Random(1).randbytes(path.stat().st_size))
    with pytest.raises(DaemonAnswerError, match="is damaged"):
        wait_for(lambda: not one.ask("GET", "/v1/notifications?limit=1000"))
    waiting.add(one.send(title="one more"))
    wait_for(lambda: quarantine(one))
    waiting.add(one.send(title="and another"))
    platform.default = ok()
    wait_for(one.quiet)
    assert waiting <= set(platform.delivered)
    # Data that was read from a page that was just damaged is replaced, without a count.
    data = [item.json["data"] for item in platform.delivered.values()]
    assert sum(int(each["count"]) for each in data if each["trigger"] == "app") == 3
    assert one.process.poll() is None
    assert len(incidents(platform)) == 1


def test_deleted_state_is_restored_before_a_kill(daemon, platform, tmp_path):
    platform.default = status(503)
    one = daemon(LOGS.format(folder=tmp_path)).start()
    waiting = {one.send(title=f"number {number}") for number in range(5)}
    shutil.rmtree(tmp_path / "state")
    waiting.add(one.send(title="one more"))
    one.kill()
    platform.default = ok()
    one.start()
    wait_for(one.quiet)
    assert waiting <= set(platform.delivered)
    assert [item.json["title"] for item in incidents(platform)] == [
        "notifyd's database was deleted"
    ]


def test_a_power_loss_keeps_what_was_acknowledged(daemon, platform, tmp_path):
    platform.default = status(503)
    one = daemon(LOGS.format(folder=tmp_path)).start()
    acknowledged, done = [], threading.Event()

    def send():
        while not done.is_set():
            acknowledged.append(one.send(title="hello", body="b" * 1500))

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    rng = random.Random(7)
    images = []
    try:
        for number in range(8):
            done.wait(rng.random() * 0.3)
            before = list(acknowledged)
            one.process.send_signal(signal.SIGSTOP)
            image = tmp_path / f"image{number}"
            image.mkdir()
            crash_image(tmp_path / "state", image)
            one.process.send_signal(signal.SIGCONT)
            images.append((image, before))
        wait_for(lambda: len(acknowledged) > 50, what="requests")
    finally:
        done.set()
        for sender in senders:
            sender.join()
    for image, before in images:
        assert set(before) <= waiting_ids(image)
        check = ["sqlite3", str(image / "notifyd.db"), "PRAGMA integrity_check"]
        assert subprocess.run(check, capture_output=True, check=True).stdout == b"ok\n"


@contextmanager
def small_disk(folder, size):
    """Mount a file system of this size; yield the path of a file to fill it with."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root and CAP_SYS_ADMIN")
    try:
        yield folder / "filler"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(filler):
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


def test_a_full_disk_refuses_requests_and_recovers_by_itself(daemon, platform, tmp_path):
    (tmp_path / "app.log").touch()
    with small_disk(tmp_path / "state", "8m") as filler:
        one = daemon(LOGS.format(folder=tmp_path)).start()
        sent = {one.send(title="before")}
        wait_for(lambda: len(platform.delivered) == 1)
        platform.default = ok(delay=1.0)  # in flight while the disk becomes full
        sent.add(one.send(title="in flight"))
        wait_for(lambda: len(platform.received) == 2)
        fill(filler)
        accepted, refused = until_refused(one)
        assert refused.status == 503
        assert "the disk is full: free some space" in str(refused)
        wait_for(lambda: not one.ask("GET", "/v1/status")["healthy"])
        came = len(platform.received)
        write(tmp_path, *(f"{number} by user{number % 7} failed" for number in range(500)))
        time.sleep(2.5)  # time for what must not happen: sending, repeating, reading
        assert len(platform.received) <= came + 1
        assert told(platform)["app"] == 0
        filler.unlink()
        wait_for(lambda: told(platform)["app"] >= 500, what=lambda: told(platform))
        wait_for(one.quiet)
        sent.add(one.send(title="after"))
        wait_for(one.quiet)
        assert told(platform)["app"] == 500
        ids = [item.id for item in platform.received]
        assert len(ids) == len(set(ids))
        assert sent | accepted <= set(platform.delivered)


def until_refused(one):
    """Send until the disk is full; return the acknowledged ids and the refusal."""
    accepted = set()
    try:
        while True:
            accepted.add(one.send(title="small", body="x" * 3000))
    except DaemonAnswerError as error:
        return accepted, error


def test_a_start_waits_for_a_locked_database(daemon, platform, tmp_path):
    one = daemon(LOGS.format(folder=tmp_path)).start()
    one.stop()
    hold = ["sqlite3", str(tmp_path / "state" / "notifyd.db")]
    with subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdin.write(b"BEGIN EXCLUSIVE;\nSELECT 1;\n")
        holder.stdin.flush()
        holder.stdout.readline()
        one.launch()
        wait_for(lambda: "another program has locked it" in one.log.read_text())
        holder.stdin.close()
    wait_for(one.answers)
    sent = one.send(title="hello")
    wait_for(lambda: sent in platform.delivered)


def test_a_start_on_a_full_disk_says_so_and_keeps_the_queue(daemon, platform, tmp_path):
    (tmp_path / "app.log").touch()
    platform.default = status(503)
    with small_disk(tmp_path / "state", "8m") as filler:
        one = daemon(LOGS.format(folder=tmp_path)).start()
        sent = one.send(title="waits")
        one.stop()
        fill(filler)
        one.launch()
        assert one.process.wait(45) == 75
        assert one.log.read_text().splitlines()[-1] == (
            f"cannot store anything in {tmp_path}/state/notifyd.db: "
            "the disk is full: free some space"
        )
        filler.unlink()
        platform.default = ok()
        one.start()
        wait_for(lambda: sent in platform.delivered)
        one.stop()


def test_a_first_start_on_a_full_disk_says_so(daemon, tmp_path):
    with small_disk(tmp_path / "state", "64k") as filler:
        fill(filler)
        one = daemon(LOGS.format(folder=tmp_path), RUNTIME_DIRECTORY=str(tmp_path / "state"))
        one.launch()
        assert one.process.wait(45) == 75
        assert one.log.read_text().endswith("the disk is full: free some space\n")


def test_an_unwritable_state_directory_is_refused_in_one_sentence(daemon, tmp_path):
    one = daemon(LOGS.format(folder=tmp_path))
    with small_disk(tmp_path / "state", "1m"):
        read_only = ["mount", "-o", "remount,ro", str(tmp_path / "state")]
        subprocess.run(read_only, check=True)
        one.launch()
        assert one.process.wait(45) == 78
    assert one.log.read_text().splitlines()[-1] == (
        f"cannot use the state directory {tmp_path}/state: Read-only file system; "
        "set [state] dir to a directory that this user can write to"
    )


def test_damaged_checkpoints_are_discarded_and_stop_no_source(daemon, platform, tmp_path):
    (tmp_path / "app.log").touch()
    (tmp_path / "some").touch()
    triggers = f"""
[triggers.some]
type = "file"
paths = ["{tmp_path}/some"]

[triggers.ends]
type = "process"
name = "sleep"
"""
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        one = daemon(LOGS.format(folder=tmp_path) + triggers).start()
        one.stop()
        with closing(sqlite3.connect(tmp_path / "state" / "notifyd.db")) as writer:
            keys = {key.partition(":")[0] for (key,) in writer.execute("SELECT key FROM positions")}
            writer.execute("UPDATE positions SET value = '{]'")
            writer.commit()
        assert keys == {"log", "file", "process"}
        one.start()
        write(tmp_path, "request by ann failed")
        wait_for(lambda: told(platform)["app"] == 1)
        sources = one.ask("GET", "/v1/status")["sources"]
    finally:
        sleeper.kill()
        sleeper.wait()
    assert not [source for source in sources if source["dead"]]
    problems = [problem for source in sources for problem in source["problems"]]
    assert problems
    assert [problem for problem in problems if not problem.startswith("discarded")] == []
