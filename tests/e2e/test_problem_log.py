"""Problems of sources are in the status, and in the daemon's log once, and once when resolved."""

import os
import shutil

import pytest

from support.daemon import AT_ONCE, wait_for
from support.logs import append

SOMEBODY = 12345
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Takes from root the right to read what belongs to others."""


class RestrictedDaemon:
    """A daemon without root's right to read everything, and files of somebody else."""

    def __init__(self, make, folder, *paths):
        self.folder = folder
        (folder / "logs").mkdir()
        config = AT_ONCE.format(paths=[f"{folder}/logs/{path}" for path in paths])
        self.daemon = make(config, through=ORDINARY)

    def log(self, name, mode):
        """Create a log that belongs to somebody else."""
        log = self.folder / "logs" / name
        append(log, "of old")
        log.chmod(mode)
        os.chown(log, SOMEBODY, SOMEBODY)
        return log

    def logged(self, *words):
        """Return the lines of the daemon's log that contain all these words."""
        lines = self.daemon.log.read_text().splitlines()
        return [line for line in lines if all(word in line for word in words)]

    def until_logged(self, *words):
        wait_for(lambda: self.logged(*words), 45, self.daemon.log.read_text)

    def problems(self):
        sources = self.daemon.ask("GET", "/v1/status")["sources"]
        return [problem for source in sources for problem in source["problems"]]


@pytest.fixture
def restricted(daemon, tmp_path):
    return lambda *paths: RestrictedDaemon(daemon, tmp_path, *paths)


may_take_rights = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root's rights to take some away"
)


@may_take_rights
def test_an_unreadable_log_is_logged_once_and_its_resolution_once(restricted, platform):
    one = restricted("*.log")
    log, other = one.log("app.log", 0o600), one.log("other.log", 0o644)
    one.daemon.start()
    message = f"{log} cannot be read: permission denied"
    one.until_logged("[warning", message, "source=log")
    assert [problem for problem in one.problems() if message in problem] == one.problems()
    assert f"{log} cannot be read" in one.daemon.command("status").stdout
    for number in range(5):
        append(other, f"line {number}")
        wait_for(lambda n=number: len(platform.delivered) > n)
    assert one.daemon.ask("POST", "/v1/reload")["reloaded"]
    append(other, "line after the reload")
    wait_for(lambda: len(platform.delivered) == 6)
    assert len(one.logged(message)) == 1
    log.chmod(0o644)
    one.until_logged("[info", f"resolved: {message}")
    assert one.problems() == []
    append(log, "line")
    wait_for(lambda: len(platform.delivered) == 7)
    assert len(one.logged(message)) == 2
    assert one.daemon.stop() == 0
    assert len(one.logged(message)) == 2


@may_take_rights
def test_a_closed_directory_and_a_fifo_are_logged_with_the_fix(restricted):
    one = restricted("closed/app.log", "fifo.log")
    closed, fifo = one.folder / "logs" / "closed", one.folder / "logs" / "fifo.log"
    closed.mkdir(mode=0o700)
    os.chown(closed, SOMEBODY, SOMEBODY)
    os.mkfifo(fifo)
    one.daemon.start()
    one.until_logged("[warning", f"{closed} cannot be listed", f":rx {closed} as root")
    one.until_logged("[warning", f"{fifo} is a FIFO", "name the log files themselves in paths")
    fifo.unlink()
    one.until_logged("[info", f"resolved: {fifo} is a FIFO")
    assert len(one.problems()) == 1


@may_take_rights
def test_of_many_files_some_are_listed_and_the_others_counted(restricted):
    one = restricted("*.log")
    logs = [one.log(f"{number}.log", 0o600) for number in range(50)]
    one.daemon.start()
    one.until_logged("[warning", "30 more like this one")
    assert len(one.logged("cannot be read")) == 21
    assert one.problems()[20:] == ["and 30 more like these"]
    for log in logs:
        log.chmod(0o644)
    wait_for(lambda: len(one.logged("[info", "resolved: ")) == 21, 45, one.daemon.log.read_text)
    assert one.logged("[info", "resolved: 30 more like this one")
    assert len(one.logged("cannot be read")) == 42


def test_a_source_that_watches_nothing_is_logged_as_an_error(daemon, tmp_path):
    nowhere = tmp_path / "bin"
    nowhere.mkdir()
    config = "[triggers.j]\ntype = 'log'\njournal = '*'\npatterns = 'x'\n"
    one = daemon(config, PATH=str(nowhere)).start()
    [line] = [line for line in one.log.read_text().splitlines() if "source=journal" in line]
    assert "[error" in line
    [source] = one.ask("GET", "/v1/status")["sources"]
    assert source["dead"]
