"""A log that is rewritten in place with the same text counts again, and nothing else does."""

import itertools
import os
import random
import subprocess

import pytest

from notifyd.sources.logs.discovery.inotify import FsHints
from support.logs import VirtualDaemon, append, reading_from_start, running, trigger

TEXT = b"ERROR one\nERROR two\n"
SETTLED = 1.0
"""Virtual seconds after which it is decided whether a log was rewritten."""


def sh(script, cwd):
    subprocess.run(["sh", "-ec", script], cwd=cwd, check=True)


async def test_a_log_that_is_rewritten_four_times_counts_each_time(tmp_path):
    (tmp_path / "app.log").write_bytes(TEXT)
    async with running(trigger(tmp_path / "app.log")) as seen:
        for number in range(1, 5):
            sh(r"printf 'ERROR one\nERROR two\n' > app.log", tmp_path)
            await seen.until(lambda number=number: len(seen.lines) == 2 * number)
        append(tmp_path / "app.log", "ERROR end")
        await seen.until(lambda: seen.lines[-1] == "ERROR end")
        assert seen.lines == [*["ERROR one", "ERROR two"] * 4, "ERROR end"]
        assert not seen.source.health().problems


class History:
    """A log, what was done to it, and the reports of the kernel that were not delivered yet."""

    def __init__(self, path):
        self.path, self.events = path, []
        self.wanted = 0
        self.times = itertools.count(1_000_000_000_000_000_000, 1_000_000_000)
        self.rewrite()
        self.daemon = VirtualDaemon({"t": reading_from_start(path)})

    def stamp(self):
        """Set the time that a write of now gives."""
        time = next(self.times)
        os.utime(self.path, ns=(time, time))

    def append(self):
        append(self.path, "ERROR more")
        self.stamp()
        self.events.append("write")
        self.wanted += 1

    def rewrite(self):
        """As the shell's `>`."""
        text = self.path.read_bytes() if self.path.exists() else TEXT
        self.path.write_bytes(text)
        self.stamp()
        self.events.append("write")
        self.wanted += text.count(b"\n")

    def sync(self):
        """As `rsync --inplace`: the same bytes, and then the times."""
        with self.path.open("r+b") as file:
            file.write(self.path.read_bytes())
        self.stamp()
        self.events += ["write", "attributes"]

    def touch(self):
        self.stamp()
        self.events.append("attributes")

    def chmod(self):
        self.events.append("attributes")

    def collect(self):
        """Return what the kernel has reported so far."""
        hints, name = FsHints(), str(self.path)
        for event in self.events:
            own = {name}
            hints |= (
                FsHints(written=own, written_last=own)
                if event == "write"
                else FsHints(changed=own, attributes=own)
            )
        self.events = []
        return hints

    def poll(self, between=None):
        """Poll; something may happen after the reports were collected."""
        hints = self.collect()
        if between is not None:
            between()
        self.daemon.poll_all(hints)

    def settle(self):
        for _ in range(4):
            self.daemon.now += SETTLED
            self.poll()

    @property
    def counted(self):
        return len(self.daemon.lines())


@pytest.mark.parametrize("seed", range(20))
def test_of_changes_that_settle_exactly_the_rewrites_count(tmp_path, seed):
    rng = random.Random(seed)
    history = History(tmp_path / "app.log")
    deeds = [history.append, history.rewrite, history.sync, history.touch, history.chmod]
    for _ in range(40):
        rng.choice(deeds)()
        history.settle()
        assert history.counted == history.wanted
    assert history.daemon.problems == []


@pytest.mark.parametrize("seed", range(40))
def test_late_reports_touch_and_syncs_never_count(tmp_path, seed):
    rng = random.Random(seed)
    history = History(tmp_path / "app.log")
    harmless = [history.append, history.sync, history.touch, history.chmod]
    for _ in range(100):
        for _ in range(rng.randrange(3)):
            rng.choice(harmless)()
        history.poll(rng.choice([None, *harmless]))
        history.daemon.now += rng.choice([0.0, 0.1, 0.3, 1.0])
    history.settle()
    assert history.counted == history.wanted


@pytest.mark.parametrize("seed", range(20))
def test_rewrites_among_other_changes_count_at_most_once_each(tmp_path, seed):
    rng = random.Random(seed)
    history = History(tmp_path / "app.log")
    deeds = [history.append, history.rewrite, history.sync, history.touch]
    for _ in range(60):
        rng.choice(deeds)()
        if rng.random() < 0.5:
            history.poll(rng.choice([None, *deeds]))
        history.daemon.now += rng.choice([0.0, 0.1, 0.3, 1.0])
    history.settle()
    assert history.counted <= history.wanted


@pytest.mark.parametrize("is_restarted", [False, True])
def test_without_a_report_it_is_a_problem_and_not_counted(tmp_path, is_restarted):
    log = tmp_path / "app.log"
    log.write_bytes(TEXT)
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    daemon.pass_time(1.0)
    if is_restarted:
        daemon.kill()
    log.write_bytes(TEXT)
    os.utime(log, (2_000, 2_000))
    if is_restarted:
        daemon.start()
    for _ in range(3):
        daemon.pass_time(1.0)
    assert daemon.lines() == ["ERROR one", "ERROR two"]
    [problem] = daemon.problems
    assert problem == (
        f"{log} may have been rewritten with the same text; its lines are not counted again; "
        "append to the log instead of rewriting it"
    )
