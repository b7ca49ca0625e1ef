import pytest

from support.daemon import Daemon
from support.platform import Platform, in_thread


@pytest.fixture
def platform():
    with in_thread(Platform()) as running:
        yield running


@pytest.fixture
def daemon(tmp_path, platform):
    """Make daemons of one folder; they are ended with the test. fresh: see `Daemon`."""
    made = []

    def make(config, *, fresh=False, **options):
        made.append(Daemon(tmp_path, platform, config, fresh=fresh, **options))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()
