"""Installing the service: its files, its user, the first configuration, the token, the start."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from notifyd.config.files import replace_file
from notifyd.config.token import check_token
from notifyd.service.errors import ServiceError
from notifyd.service.initial_config import initial_config
from notifyd.service.layout import ServiceLayout
from notifyd.service.systemctl import Systemctl, run_program
from notifyd.service.units import example_config, service_files
from notifyd.service.written_file import WrittenFile, WrittenState

AskToken = Callable[[], str]
_UNITS = ("notifyd.service", "notifyd.socket")


@dataclass(frozen=True, slots=True)
class ServiceInstaller:
    """command: what the service executes. drop_ins: names of `drop_in_names`.

    ask_token: returns a token, or nothing; called if none is stored yet.
    """

    layout: ServiceLayout
    command: Path
    drop_ins: tuple[str, ...]
    ask_token: AskToken

    def install(self, *, start: bool) -> Iterator[str]:
        """Install what is missing or outdated, and yield a line for each change.

        Nothing is changed if a file is in the way that this did not write. start: also enable and
        start the service. OSError: a file cannot be written.
        """
        systemctl = Systemctl(is_user=self.layout.is_user)
        systemctl.run("show", "--property=Version")
        outdated = _outdated(service_files(self.layout, self.command, self.drop_ins))
        for file in outdated:
            file.write()
            yield f"wrote {file.path}"
        self._create_user()
        yield from self._create_config()
        yield from self._create_token()
        yield from self._link_command()
        systemctl.run("daemon-reload")
        if start:
            yield from self._start(systemctl, {file.path.name for file in outdated})

    def _create_user(self) -> None:
        for program, path in (
            (("systemd-sysusers",), self.layout.sysusers),
            (("systemd-tmpfiles", "--create"), self.layout.tmpfiles),
        ):
            if path is not None:
                run_program(*program, str(path))

    def _create_config(self) -> Iterator[str]:
        path = self.layout.config
        path.parent.mkdir(mode=0o700 if self.layout.is_user else 0o755, parents=True, exist_ok=True)
        if os.path.lexists(path):
            return
        content = initial_config(example_config(), reads_journal=not self.layout.is_user)
        replace_file(path, content, 0o644)
        yield f"wrote {path}"

    def _create_token(self) -> Iterator[str]:
        path = self.layout.token
        with suppress(FileNotFoundError):
            if path.stat().st_size:
                return
        token = self.ask_token().strip()
        if not token and path.exists():
            return
        replace_file(path, f"{check_token(token)}\n" if token else "", 0o600)
        yield f"wrote {path}" if token else f"wrote {path}, empty"

    def _link_command(self) -> Iterator[str]:
        link = self.layout.command_link
        if link is None or os.path.lexists(link):
            return
        link.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        link.symlink_to(self.command)
        yield f"linked {link}"

    def _start(self, systemctl: Systemctl, changed: Collection[str]) -> Iterator[str]:
        """Enable and start it, or restart it if units were changed. changed: their names."""
        is_active = systemctl.state("notifyd.service") == "active"
        systemctl.run("enable", "--quiet", "notifyd.service")
        try:
            if is_active and changed:
                # A socket is replaced only while its service does not run.
                units = _UNITS if "notifyd.socket" in changed else _UNITS[:1]
                systemctl.run("stop", *units)
            if changed or not is_active:
                systemctl.run("start", *reversed(_UNITS))
                yield f"{'restarted' if is_active else 'started'} notifyd.service"
        except ServiceError:
            user = " --user" if self.layout.is_user else ""
            raise ServiceError(
                f"the service does not start; `journalctl{user} -u notifyd -n 20` says why"
            ) from None


def _outdated(files: list[WrittenFile]) -> list[WrittenFile]:
    """Return the files to write. Raise ServiceError if others have written or changed some."""
    states = {file: file.state() for file in files}
    for state, reason in (
        (WrittenState.FOREIGN, "exists, and `notifyd service install` did not write it"),
        (WrittenState.EDITED, "was changed after `notifyd service install` wrote it"),
    ):
        paths = [str(file.path) for file, found in states.items() if found is state]
        if paths:
            raise ServiceError(
                f"{' and '.join(paths)} {reason}; move what you need into a drop-in "
                f"(`systemctl edit notifyd`), then: rm {' '.join(paths)}"
            )
    return [file for file, found in states.items() if found is not WrittenState.CURRENT]
