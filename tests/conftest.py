"""What tests have to say about figures is printed at the end, wherever they ran."""

import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from support.examples import THOROUGH

# No deadlines: on a busy machine an example may take any time.
settings.register_profile("notifyd", deadline=None, max_examples=300 if THOROUGH else 40)
settings.load_profile("notifyd")

# A shell without job control ignores it for what it starts with `&`, and that is inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server, one for each worker that needs it."""
    from support.postgres import FAST, PostgresServer, find_binaries  # noqa: PLC0415 - few need it

    if (binaries := find_binaries()) is None:
        pytest.skip("the server of PostgreSQL is not installed (make system-packages)")
    folder = Path(tempfile.mkdtemp(prefix="notifyd-pg-"))  # the path of a socket must be short
    folder.chmod(0o755)
    server = PostgresServer(binaries, folder / "server", *FAST)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgres"])
async def relay_database(request):
    """An empty database of a relay, on each engine in turn."""
    if request.param == "sqlite":
        return ":memory:"
    return await request.getfixturevalue("postgres_server").new_schema()


def pytest_terminal_summary(terminalreporter):
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "figures":
                    terminalreporter.write_line(value)
