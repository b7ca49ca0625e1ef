"""Where the files of the service lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from notifyd.config.files import FILE_NAME, default_dirs
from notifyd.config.token import CREDENTIAL
from notifyd.model.errors import ConfigError

GROUP = "notifyd"
"""The service's user and its group, whose members may send."""


@dataclass(frozen=True, slots=True)
class ServiceLayout:
    """units: directory of the units. config_dir: of the configuration and the token.

    root: the directory that holds everything else; None for a service of one user.
    """

    units: Path
    config_dir: Path
    root: Path | None = None

    @classmethod
    def of_system(cls, root: Path = Path("/")) -> Self:
        return cls(root / "etc/systemd/system", root / "etc/notifyd", root)

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> Self:
        """Return the directories of the user. Raise ConfigError if no home directory is known."""
        config_dir, *others = default_dirs(environ)
        if not others:
            raise ConfigError(["no home directory is known for this user: set HOME"])
        return cls(config_dir.parent / "systemd/user", config_dir)

    @property
    def is_user(self) -> bool:
        return self.root is None

    @property
    def config(self) -> Path:
        return self.config_dir / FILE_NAME

    @property
    def token(self) -> Path:
        return self.config_dir / CREDENTIAL

    @property
    def drop_ins(self) -> Path:
        return self.units / "notifyd.service.d"

    @property
    def sysusers(self) -> Path | None:
        return self.root and self.root / "etc/sysusers.d/notifyd.conf"

    @property
    def tmpfiles(self) -> Path | None:
        return self.root and self.root / "etc/tmpfiles.d/notifyd.conf"

    @property
    def command_link(self) -> Path | None:
        """Where the users of this machine find the command."""
        return self.root and self.root / "usr/local/bin/notifyd"
