"""A real daemon in a process of its own, with a scripted platform behind it."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from notifyd.client.http import send_request
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError
from support import forked

PLENTY = """
[rate_limit]
max = 100000
[budget]
max = 100000
"""

AT_ONCE = (
    PLENTY
    + """
[triggers.t]
type = "log"
paths = {paths}
patterns = ['line']
debounce = "0s"
cooldown = "0s"
"""
)


def wait_for(condition: Callable[[], object], within: float = 45.0, what: object = "") -> object:
    """Look until the condition holds and return it; AssertionError when it does not in time."""
    deadline = time.monotonic() + within
    pause = 0.01
    while not (found := condition()):
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {within} s: {said or condition}")
        time.sleep(pause)
        pause = min(1.1 * pause, 0.1)
    return found


class Daemon:
    """config: TOML; the API, the token, the state and the socket come by the environment.

    through: a command that sets limits and then runs what follows it. fresh: by an interpreter of
    its own, as it always is `through` something or with options of `Popen`, and not by
    `support.forked`.
    """

    def __init__(
        self,
        folder: Path,
        platform: object,
        config: str,
        *,
        through: Sequence[str] = (),
        fresh: bool = True,
        **environ: str,
    ) -> None:
        self.through = through
        self.fresh = fresh
        self.folder, self.platform = folder, platform
        self.socket = folder / "run" / "notifyd.sock"
        self.config = folder / "config.toml"
        self.named: tuple[str, ...] = ("--config", str(self.config))
        self.log = folder / "daemon.log"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "STATE_DIRECTORY": str(folder / "state"),
            "RUNTIME_DIRECTORY": str(folder / "run"),
            "NOTIFYD_SEND_TOKEN": platform.token,
            "PYTHONWARNINGS": "error",
            **platform.environment,
            **environ,
        }
        self.write(config)
        self.process: subprocess.Popen[bytes] | forked.Process | None = None

    def write(self, config: str) -> None:
        self.config.write_text(config)

    def launch(self, **options: object) -> None:
        """Start the process, and do not wait for it."""
        words = ["run", *self.named]
        with self.log.open("ab") as log, Path(os.devnull).open("rb") as null:
            if self.fresh or self.through or options:
                self.process = subprocess.Popen(
                    [*self.through, sys.executable, "-m", "notifyd", *words],
                    env=self.environ,
                    stdin=null,
                    stdout=log,
                    stderr=log,
                    **options,
                )
            else:
                descriptors = [file.fileno() for file in (null, log, log)]
                self.process = forked.Process(words, self.environ, *descriptors)

    def start(self, **options: object) -> Self:
        self.launch(**options)
        wait_for(lambda: self.answers() or self.process.poll() is not None, what="a start")
        assert self.process.poll() is None, self.log.read_text()
        return self

    def answers(self) -> bool:
        try:
            return bool(self.ask("GET", "/v1/status"))
        except (DaemonAnswerError, DaemonUnreachableError):
            return False

    def ask(self, method: str, target: str, body: object = None) -> dict[str, object]:
        return send_request(method, target, body=body, socket_path=str(self.socket), within=45)[1]

    def send(self, **message: object) -> str:
        return str(self.ask("POST", "/notifications/send", message)["id"])

    def command(self, *words: str) -> subprocess.CompletedProcess[str] | forked.Ended:
        """Run a notifyd command against this daemon's socket."""
        environ = self.environ | {"NOTIFYD_SOCK": str(self.socket)}
        if not self.fresh:
            return forked.run(words, environ=environ, stdin=None, text=True, within=60.0)
        return subprocess.run(
            [sys.executable, "-m", "notifyd", *words],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, within: float = 45.0) -> int:
        """End it in order; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process and self.process.poll() is None:
            self.kill()

    def quiet(self, *, held: bool = False) -> bool:
        """Whether everything that was counted has been told and delivered; held: delayed too."""
        status = self.ask("GET", "/v1/status")
        pending = sum(trigger["pending"] for trigger in status["triggers"].values())
        if held and status["outbox"]["held"]:
            return False
        return not pending and not status["outbox"]["waiting"] and not status["held_back"]


def told(platform: object) -> Counter[str]:
    """Add up what reached the platform, each id once; an id must always say the same."""
    total: Counter[str] = Counter()
    seen: dict[str, object] = {}
    for received in platform.received:
        if received.status == 200:
            assert seen.setdefault(received.id, received.json) == received.json
    for message in seen.values():
        total[message["data"]["trigger"]] += int(message["data"]["count"])
    return total
