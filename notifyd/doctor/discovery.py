"""Finds the daemon that runs here, or else what would run."""

import os
import pwd
import re
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from notifyd.client.http import send_request, socket_paths
from notifyd.config.credentials import CLIENT_ID, CLIENT_SECRET
from notifyd.config.files import SYSTEM_DIR, find_config_file
from notifyd.config.load import LoadedConfig, load
from notifyd.config.paths import socket_path, state_dir
from notifyd.config.settings import Settings
from notifyd.config.token import VARIABLES
from notifyd.doctor.daemon_user import DaemonUser
from notifyd.doctor.subject import ANSWER_TIMEOUT, SYSTEMCTL_TIMEOUT, Subject
from notifyd.model.errors import ConfigError, DaemonAnswerError, DaemonUnreachableError
from notifyd.model.notifications import Json
from notifyd.outbox.location import find_lock_holder
from notifyd.service.layout import GROUP, ServiceLayout
from notifyd.service.systemctl import Systemctl

_PROC = Path("/proc")
_STATE_OF_SERVICE = "/var/lib/notifyd"
_SOCKET_OF_SERVICE = "/run/notifyd/notifyd.sock"
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<quote>[\"']?)(?P<value>.*)(?P=quote)")


def find_subject(
    config: Path | None,
    socket: str | None,
    user: DaemonUser | None,
    environ: MutableMapping[str, str],
    wall: Callable[[], float],
) -> Subject:
    """Find the daemon that runs here, or else what would run.

    config, socket: what the command line names. user: who runs the daemon, if that was given.
    environ: this process's, in which `~` and proxies are looked up. It becomes the daemon's where
    that is known, without the token. Root becomes the daemon's user, because it does not read what
    others may change; only beside a service of the system it stays root, which alone sees its
    token. ConfigError: --config names no file.
    """
    own = dict(environ)
    if user is not None and user.uid != os.geteuid():
        own = _environ_of_user(user, own)
        _adopt(environ, own, own)
        user.become()
    asking = os.geteuid()
    found = _FoundConfig.load(config, own)
    layout = _find_service(found.main, own)
    sockets = _sockets(config, socket, found, layout, own)
    # A request would start a service that has been stopped.
    stopped = "" if socket else _stopped_state(layout)
    path, status, silence = (sockets[0], None, stopped) if stopped else _ask(sockets)
    running = str((status or {}).get("config") or "")
    if running and config is None and os.access(running, os.R_OK):
        config = Path(running)
        layout = _find_service(config, own)
    pid = _pid(status, found.settings, layout, own)
    _adopt(environ, _environ_of_process(pid) or _expected_environ(layout, own), own)
    user = user or _find_user(pid, layout)
    is_of_system = layout is not None and not layout.is_user
    if user.uid != os.geteuid() == 0 and not is_of_system:
        user.become()
    adopted = dict(environ)
    found = _FoundConfig.load(config or found.main, adopted)
    layout = layout or _find_service(found.main, adopted)
    for name in VARIABLES:
        environ.pop(name, None)
    return Subject(
        environ=adopted,
        own_environ=own if asking == os.geteuid() else adopted,
        socket=path,
        config=found.main,
        settings=found.settings,
        loaded=found.loaded,
        mistakes=found.mistakes,
        status=status,
        silence=silence,
        pid=pid,
        user=user,
        layout=layout,
        is_stopped=bool(stopped),
        has_hidden_environ=is_of_system and _is_hidden(SYSTEM_DIR / "environment"),
        wall=wall,
    )


class _FoundConfig(NamedTuple):
    main: Path | None
    settings: Settings
    loaded: LoadedConfig | None
    mistakes: tuple[str, ...]

    @classmethod
    def load(cls, config: Path | None, environ: Mapping[str, str]) -> Self:
        main = find_config_file(config, environ)
        try:
            loaded = load(config, environ)
        except ConfigError as error:
            return cls(main, Settings(), None, tuple(error.problems))
        return cls(main, loaded.settings, loaded, ())


def _find_service(config: Path | None, environ: Mapping[str, str]) -> ServiceLayout | None:
    """Return where the installed service that reads this configuration lies."""
    layouts = [ServiceLayout.of_system()]
    with suppress(ConfigError):
        layouts.append(ServiceLayout.of_user(environ))
    for layout in layouts:
        if config == layout.config and (layout.units / "notifyd.service").exists():
            return layout
    return None


def _stopped_state(layout: ServiceLayout | None) -> str:
    """Return the state of an installed service that does not run; empty if it does."""
    if layout is None:
        return ""
    state = Systemctl(is_user=layout.is_user, within=SYSTEMCTL_TIMEOUT).state("notifyd.service")
    return f"notifyd.service is {state}" if state in ("inactive", "failed") else ""


def _sockets(
    config: Path | None,
    socket: str | None,
    found: _FoundConfig,
    layout: ServiceLayout | None,
    environ: Mapping[str, str],
) -> list[str]:
    if named := socket or environ.get("NOTIFYD_SOCK"):
        return [named]
    if layout is not None and not layout.is_user:
        return [_SOCKET_OF_SERVICE]
    settings = found.settings
    folder = state_dir(settings.state.dir, environ)
    configured = str(socket_path(settings.socket.path, folder, environ))
    others = [] if config or settings.socket.path else socket_paths()
    return list(dict.fromkeys([configured, *others]))


def _ask(paths: list[str]) -> tuple[str, Json | None, str]:
    """Return the first socket that answers, its status, and why the first one does not."""
    silence = ""
    for path in paths:
        try:
            _, status = send_request("GET", "/v1/status", socket_path=path, within=ANSWER_TIMEOUT)
        except (DaemonAnswerError, DaemonUnreachableError) as error:
            silence = silence or str(error)
        else:
            return path, status, ""
    return paths[0], None, silence


def _pid(
    status: Json | None,
    settings: Settings,
    layout: ServiceLayout | None,
    environ: Mapping[str, str],
) -> int:
    answered = (status or {}).get("pid")
    if isinstance(answered, int):
        return answered
    if layout is not None and not layout.is_user:
        environ = {"STATE_DIRECTORY": _STATE_OF_SERVICE}
    with suppress(ConfigError):
        holder = find_lock_holder(state_dir(settings.state.dir, environ))
        return int(holder) if holder.isdecimal() else 0
    return 0


def _environ_of_process(pid: int) -> dict[str, str]:
    """Return the environment in which a process started; an empty one if it is hidden."""
    if not pid:
        return {}
    try:
        text = os.fsdecode((_PROC / str(pid) / "environ").read_bytes())
    except OSError:
        return {}
    pairs = (entry.partition("=") for entry in text.split("\0") if "=" in entry)
    return {name: value for name, _, value in pairs}


def _is_hidden(path: Path) -> bool:
    return os.path.lexists(path) and not os.access(path, os.R_OK)


def _environ_of_user(user: DaemonUser, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which another user runs programs."""
    kept = {name: value for name, value in own.items() if not name.startswith("XDG_")}
    return kept | {"HOME": pwd.getpwuid(user.uid).pw_dir}


def _expected_environ(layout: ServiceLayout | None, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that the daemon would start with."""
    if layout is not None and not layout.is_user:
        expected = {"HOME": _STATE_OF_SERVICE, "STATE_DIRECTORY": _STATE_OF_SERVICE}
        with suppress(OSError):
            for line in (SYSTEM_DIR / "environment").read_text(errors="replace").splitlines():
                if variable := _VARIABLE.fullmatch(line.strip()):
                    expected[variable["name"]] = variable["value"]
        return expected
    return dict(own)


def _adopt(
    environ: MutableMapping[str, str], expected: Mapping[str, str], own: Mapping[str, str]
) -> None:
    """Make an environment the daemon's. What serves this command itself stays."""
    environ.clear()
    environ.update(expected)
    kept = ("PATH", "TERM", "COLUMNS", "NO_COLOR", "LANG", "LC_ALL", CLIENT_ID, CLIENT_SECRET)
    environ.update({name: own[name] for name in kept if name in own})
    # A credential belongs to systemd and the service; the file that it comes from is examined.
    environ.pop("CREDENTIALS_DIRECTORY", None)


def _find_user(pid: int, layout: ServiceLayout | None) -> DaemonUser:
    if found := DaemonUser.of_process(pid) if pid else None:
        return found
    if layout is not None and not layout.is_user:
        with suppress(KeyError):
            return DaemonUser.named(GROUP)
    return DaemonUser.current()
