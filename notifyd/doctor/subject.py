"""What is examined: a daemon that runs or would run here, its user, its configuration."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from notifyd.config.load import LoadedConfig
from notifyd.config.paths import state_dir
from notifyd.config.settings import Settings
from notifyd.doctor.daemon_user import DaemonUser
from notifyd.model.notifications import Json
from notifyd.service.layout import ServiceLayout

ANSWER_TIMEOUT = 3.0
"""Seconds for the daemon's status."""
SYSTEMCTL_TIMEOUT = 5.0
"""Seconds for each answer of systemd."""

T = TypeVar("T")


class Once(Generic[T]):
    """A value that several checks share: the first one computes it, the others wait."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute = compute
        self._lock = threading.Lock()
        self._values: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._values:
                self._values.append(self._compute())
            return self._values[0]


@dataclass(frozen=True)
class Subject:
    """environ: the environment that the daemon has, or would have. socket: the path that was asked.

    own_environ: the environment of the user as whom this process runs.
    config: its main file; None without one. settings: the defaults if the configuration has
    mistakes, which are `mistakes`. status: what the daemon answered; None if it did not, and
    `silence` says why. pid: 0 if it is unknown. layout: of the installed service with this
    configuration. is_stopped: whether that does not run.
    has_hidden_environ: whether the daemon has variables that this user cannot read. wall: a clock.
    """

    environ: Mapping[str, str]
    own_environ: Mapping[str, str]
    socket: str
    config: Path | None
    settings: Settings
    loaded: LoadedConfig | None
    mistakes: tuple[str, ...]
    status: Json | None
    silence: str
    pid: int
    user: DaemonUser
    layout: ServiceLayout | None
    is_stopped: bool
    has_hidden_environ: bool
    wall: Callable[[], float]

    @property
    def files(self) -> tuple[Path, ...]:
        return self.loaded.files if self.loaded else tuple(filter(None, [self.config]))

    @cached_property
    def state_dir(self) -> Path:
        return state_dir(self.settings.state.dir, self.environ)

    @property
    def has_delivered(self) -> bool:
        """Whether the API has accepted the token since the daemon started."""
        outcomes = self.part("delivery").get("outcomes")
        counts = outcomes if isinstance(outcomes, dict) else {}
        return any(counts.get(kind) for kind in ("delivered", "no_device"))

    @property
    def can_read_secrets(self) -> bool:
        """Whether this process may read what only root reads."""
        return os.geteuid() == 0

    @property
    def start_command(self) -> str:
        """Return what starts the daemon."""
        if self.layout is None:
            return "notifyd run"
        return f"systemctl{' --user' if self.layout.is_user else ''} start notifyd"

    @property
    def restart_command(self) -> str:
        if self.layout is None:
            return "stop the daemon, then `notifyd run`"
        return f"systemctl{' --user' if self.layout.is_user else ''} restart notifyd"

    @property
    def has_inherited_socket(self) -> bool:
        """Whether systemd holds the socket, to which [socket] does not apply."""
        return self.layout is not None or "LISTEN_FDS" in self.environ

    @property
    def api_url(self) -> str:
        """Return the base URL that the daemon uses, else the configured one."""
        used = self.part("api").get("url")
        return (used if isinstance(used, str) and used else self.settings.api.url).rstrip("/")

    def part(self, name: str) -> Json:
        """Return a table of the status; an empty one if it is missing."""
        found = (self.status or {}).get(name)
        return found if isinstance(found, dict) else {}
