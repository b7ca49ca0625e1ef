import pytest

from support.socket_api import BRISK, daemon


@pytest.fixture
async def served(tmp_path):
    """The local API over a double of the daemon, at the shipped limits."""
    async with daemon(tmp_path / "s") as running:
        yield running


@pytest.fixture
async def brisk(tmp_path):
    """The same with short limits, for clients that let them pass."""
    async with daemon(tmp_path / "s", limits=BRISK) as running:
        yield running
