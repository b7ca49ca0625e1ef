"""A PostgreSQL server of the tests' own, and a schema of its own for each database in it."""

import itertools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import asyncpg

from notifyd.relay.store.location import PostgresUrl

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""For tests that crash nothing."""

_numbers = itertools.count(1)


def find_binaries() -> Path | None:
    """Return the directory of the newest server's programs; None if there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if (other := shutil.which("postgres")) is not None:
        found.append(Path(os.path.realpath(other)).parent)
    return max(found, default=None, key=lambda path: path.as_posix())


class PostgresServer:
    """A server on a Unix socket. It refuses root, so as root it runs as `nobody`.

    folder: a short path; as root its parents must be readable by everybody.
    """

    def __init__(self, binaries: Path, folder: Path, *settings: str, port: int = 0) -> None:
        self._binaries = binaries
        self.folder = folder
        self._settings = settings
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
        words = ["-A", "trust", "-U", "notifyd", "-E", "UTF8", "--no-locale", "--no-sync"]
        self._run("initdb", "-D", str(folder / "data"), *words)

    def url(self, **parameters: str) -> str:
        query = "&".join(
            f"{name}={value}" for name, value in {"host": self.folder, **parameters}.items()
        )
        return f"postgresql://notifyd@/postgres?{query}"

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        settings = [
            *(f"unix_socket_directories={self.folder}", "max_connections=100"),
            *(f"listen_addresses={'127.0.0.1' if self._port else ''}", "shared_buffers=16MB"),
            *(f"port={self._port or 5432}", *self._settings),
        ]
        words = [word for setting in settings for word in ("-c", setting)]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self.folder / "data"), *words),
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            )
        ready = ["-h", str(self.folder), "-p", str(self._port or 5432), "-q"]
        until = time.monotonic() + 60
        while subprocess.run([self._binaries / "pg_isready", *ready], check=False).returncode:
            assert self._process.poll() is None, "the server has ended"
            assert time.monotonic() < until, "the server does not accept connections"

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server at once: SIGQUIT as a crash, SIGINT in order."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    async def new_schema(self, **parameters: str) -> PostgresUrl:
        """Create an empty schema; return the URL of a database that consists of it."""
        name = f"test_{next(_numbers)}"
        connection = await asyncpg.connect(self.url())
        await connection.execute(f"CREATE SCHEMA {name}")
        await connection.close()
        return PostgresUrl.parse(self.url(search_path=name, **parameters))

    def as_user(self, *command: str) -> list[str]:
        """Return the command that runs another one as the server's user, and with this process."""
        words = ["setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:
            words += ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        return [*words, *command]

    def _command(self, program: str, *words: str) -> list[str]:
        return self.as_user(str(self._binaries / program), *words)

    def _run(self, *words: str) -> None:
        subprocess.run(self._command(*words), check=True, capture_output=True)
