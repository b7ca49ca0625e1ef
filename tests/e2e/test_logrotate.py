"""Every mode of the real logrotate under a live writer: each numbered line is told exactly once.

SOAK_SEED sets the dice.
"""

import math
import os
import random
import shutil
from collections import Counter
from contextlib import suppress

import pytest

from support.daemon import PLENTY, wait_for
from support.logrotate import FILLER, LOGROTATE, MODES, ROUND, Rotator, Site, Writers

pytestmark = pytest.mark.skipif(
    not (os.access(LOGROTATE, os.X_OK) and shutil.which("zstd")),
    reason="logrotate or zstd is not installed",
)

SEED = int(os.environ.get("SOAK_SEED", "0"))
CONFIG = PLENTY + "\n[text]\nredact = false\n"
FEW = ("create", "untold", "copytruncate", "truncated-hole", "copy", "gzip", "delaycompress")


def sites_of(folder, pattern, chance):
    """Make a log for each mode. pattern: "app.log", or "all" for one that names rotated files."""
    made = []
    for mode in MODES:
        named = {"app.log": ["app.log"], "all": ["**"]}[pattern]
        if pattern == "all" and mode.name in FEW:
            named.append("app.log*")
        for number, glob in enumerate(named):
            name = f"{mode.name}{number or ''}"
            made.append(Site(folder / name, mode, glob, random.Random(chance.random())))
    return made


class Drill:
    """A daemon, writers, logrotate; `up` and `down` say in what state a rotation finds them."""

    def __init__(self, folder, daemon, platform, pattern, seed, pause, ahead=math.inf):  # noqa: PLR0917
        self.chance = random.Random(seed)
        self.platform = platform
        self.sites = sites_of(folder, pattern, self.chance)
        self.rotator = Rotator(folder, self.sites)
        parts = [CONFIG, *(site.trigger for site in self.sites)]
        self.daemon = daemon("".join(parts).format()).start()
        self.writers = Writers(self.sites, self.chance, pause)
        self.ahead = ahead
        self.rotations = 0
        self.said = ""
        self.counted = 0
        self.counts = {site.name: Counter() for site in self.sites}

    def write(self, turns):
        """Let the logs be written to so many times; they may be `ahead` times more meanwhile."""
        end = self.writers.turns + turns
        self.writers.last = end + self.ahead
        wait_for(lambda: self.writers.turns >= end or not self.writers.is_alive(), 90)
        assert self.writers.is_alive()

    def rotate(self, times, turns=4):
        for _ in range(times):
            self.rotations += 1
            self.said += self.rotator.rotate()
            self.write(self.chance.randint(1, turns))

    def up(self, times=1):
        self.writers.say(f"up, before rotation {self.rotations + 1}")
        self.write(4)
        self.rotate(times)

    def down(self, times=1):
        self.read_what_is_packed()
        self.daemon.kill()
        for site in self.sites:
            site.leave()
        self.writers.say(f"down, before rotation {self.rotations + 1}")
        self.write(4)
        self.rotate(times)
        for site in self.sites:
            site.excuse()
        self.daemon.start()
        wait_for(self.watching)  # what is compressed before anybody has met it cannot be read

    def read_what_is_packed(self):
        """Wait, for a kill now could not be made up for: no archive is read."""

        packed = {site.name: site.packed for site in self.sites}

        def read():
            told = self.told()
            return all(numbers <= told[name].keys() for name, numbers in packed.items())

        with suppress(AssertionError):  # what is lost is said in the end
            wait_for(read, 45)

    def watching(self):
        sources = self.daemon.ask("GET", "/v1/status")["sources"]
        return any(source["name"] == "log" and source["watching"] for source in sources)

    def told(self):
        for message in list(self.platform.delivered.values())[self.counted :]:
            numbers = message.json["body"].split()
            assert len(numbers) == int(message.json["data"]["count"])
            self.counts[message.json["data"]["trigger"]].update(map(int, numbers))
            self.counted += 1
        return self.counts

    def faults(self, within=20.0):
        """Say by log what is wrong in the end."""
        self.writers.done.set()
        self.writers.join()
        for site in self.sites:
            site.pen.finish()
        kept = {site.name: site.kept() for site in self.sites}
        for site in self.sites:
            assert len(site.pen.written) > 50, site.name
            if site.mode.keep > 2 and not site.mode.packs_at_once:
                assert len(site.files()) > (3 if site.mode.forced else 1), (site.name, self.said)
                assert len(kept[site.name]) > 0.7 * len(site.pen.written), site.name
            if site.mode.whole and not site.mode.packs_at_once:
                assert kept[site.name] == set(site.pen.written), (site.name, self.said)
            site.fill(0)
        self.settle(kept, within, ROUND - 1)
        self.daemon.kill()  # what was thought to be new may be told once more by the next one
        self.daemon.start()
        for site in self.sites:
            site.fill(1)
        fillers = set(range(FILLER, FILLER + ROUND))
        self.settle({name: numbers | fillers for name, numbers in kept.items()}, within)
        told = self.told()
        faults = {site.name: site.faults(told[site.name], kept[site.name]) for site in self.sites}
        return "\n".join(f"{name} {fault}" for name, fault in faults.items() if fault)

    def settle(self, wanted, within, waiting=0):
        """Wait until all is told that is wanted, or nothing more comes for a while.

        waiting: so many of each log may still wait for more lines.
        """
        wanted = {site.name: wanted[site.name] - site.needless for site in self.sites}

        def there():
            told = self.told()
            return all(len(wanted[name] - told[name].keys()) <= waiting for name in wanted)

        def more():
            return len(self.platform.delivered) > seen or there()

        while not there():
            seen = len(self.platform.delivered)
            try:
                wait_for(more, within)
            except AssertionError:
                return


@pytest.fixture
def drill(tmp_path, daemon, platform):
    made = []

    def make(*args):
        made.append(Drill(tmp_path, daemon, platform, *args))
        made[-1].writers.start()
        return made[-1]

    yield make
    for one in made:
        one.writers.done.set()
        one.writers.join()


def test_every_mode_tells_each_line_once(drill):
    one = drill("all", SEED or 1, 0.03, 15)
    one.up(times=2)
    one.down()
    one.up()
    one.down(times=3)
    one.up()
    faults = one.faults()
    assert not faults, faults


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pattern", ["app.log", "all"])
def test_dozens_of_rotations_and_kills(drill, pattern):
    seed = SEED or random.SystemRandom().randrange(1, 10**6)
    one = drill(pattern, seed, 0.05)
    for _ in range(int(os.environ.get("SOAK_ROTATIONS", "20"))):
        deed = one.chance.choice([one.up, one.up, one.down])
        deed(times=one.chance.choice([1, 1, 2, 3]))
    faults = one.faults(within=60.0)
    assert not faults, f"SOAK_SEED={seed}\n{faults}"
