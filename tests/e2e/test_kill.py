"""kill -9 at any moment under load: no line lost, no count doubled, no id changed."""

import random
import threading
from collections import Counter

import pytest

from notifyd.model.errors import NotifydError
from support.daemon import PLENTY, told, wait_for

CONFIG = (
    PLENTY
    + """
[socket]
rate = {{ max = 100000, per = "1s" }}

[triggers.grouped]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['request by (?P<user>\\w+) failed']
group_by = ["user"]
debounce = "50ms"
cooldown = "150ms"
cooldown_max = "600ms"

[triggers.bursts]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['slow query']
threshold = 3
window = "1h"
debounce = "0s"
cooldown = "100ms"
cooldown_max = "400ms"

[triggers.each]
type = "log"
paths = ["{folder}/app.log"]
patterns = ['^rare']
debounce = "0s"
cooldown = "0s"
"""
)


class Writer(threading.Thread):
    """Appends lines in small pieces, some of them cut in the middle, and renames the log away."""

    def __init__(self, folder, seed):
        super().__init__()
        self.folder, self.random = folder, random.Random(seed)
        self.written = Counter()
        self.done = threading.Event()
        self.rotate = threading.Event()

    def run(self):
        path = self.folder / "app.log"
        rotations = 0
        while not self.done.is_set() or self.written["bursts"] % 3:
            with path.open("ab", buffering=0) as file:
                for _ in range(self.random.randrange(1, 60)):
                    line = self.line()
                    cut = self.random.randrange(len(line))
                    file.write(line[:cut])
                    file.write(line[cut:])
            self.done.wait(self.random.random() * 0.04)
            if self.rotate.is_set():
                self.rotate.clear()
                rotations += 1
                path.rename(self.folder / f"app.log.{rotations}")

    def line(self):
        kind = self.random.choices(["grouped", "bursts", "each", "none"], [60, 30, 1, 60])[0]
        if kind != "none":
            self.written[kind] += 1
        user = self.random.choice(["ann", "bob", "cy"])
        text = {
            "grouped": f"request by {user} failed",
            "bursts": "slow query, 3 s",
            "each": "rare thing",
            "none": "all is well",
        }
        return text[kind].encode() + b" \xc3\xa4\n"


class Sender(threading.Thread):
    """Sends through the socket and keeps the ids that were acknowledged."""

    def __init__(self, daemon):
        super().__init__()
        self.daemon_process, self.acknowledged = daemon, []
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                self.acknowledged.append(self.daemon_process.send(title="hello"))
            except NotifydError:
                self.done.wait(0.02)


def drill(daemon, platform, folder, kills, seed):
    (folder / "app.log").touch()
    one = daemon(CONFIG.format(folder=folder)).start()
    writer, sender = Writer(folder, seed), Sender(one)
    writer.start()
    sender.start()
    try:
        for _ in range(kills):
            writer.done.wait(writer.random.random() * 0.4)
            rotate_when_down = writer.random.random() < 0.5
            if not rotate_when_down:
                writer.rotate.set()
            one.kill()
            if rotate_when_down:
                writer.rotate.set()
            one.start()
    finally:
        writer.done.set()
        writer.join()
        sender.done.set()
        sender.join()
    expected = writer.written
    wait_for(lambda: one.quiet() and told(platform) >= expected, 90, lambda: told(platform))
    counts = told(platform)
    requests = counts.pop("socket")
    assert counts == expected
    assert set(sender.acknowledged) <= set(platform.delivered)
    assert requests >= len(sender.acknowledged)
    assert sum(expected.values()) > 500
    ids = [received.json["data"]["notification_id"] for received in platform.received]
    assert ids == [received.id for received in platform.received]


@pytest.mark.parametrize("seed", range(2))
def test_five_kills_lose_and_double_nothing(daemon, platform, tmp_path, seed):
    drill(daemon, platform, tmp_path, 5, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_fifty_kills_lose_and_double_nothing(daemon, platform, tmp_path, seed):
    drill(daemon, platform, tmp_path, 50, 1000 + seed)
