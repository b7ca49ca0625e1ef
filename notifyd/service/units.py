"""The packaged units, as they are written for one installation."""

from collections.abc import Iterable
from pathlib import Path

import notifyd
from notifyd.service.errors import ServiceError
from notifyd.service.layout import ServiceLayout
from notifyd.service.written_file import WrittenFile

_SHIPPED_COMMAND = "/usr/local/bin/notifyd"
_DROP_INS = "drop-ins"
_SYSTEM = ("notifyd.service", "notifyd.socket", "notifyd-token.path", "notifyd-token.service")
_USER = ("notifyd.service", "notifyd.socket")


def drop_in_names() -> list[str]:
    """Return the names that `--with` accepts."""
    return sorted(file.stem for file in (_units_dir() / _DROP_INS).glob("*.conf"))


def service_files(
    layout: ServiceLayout, command: Path, drop_ins: Iterable[str]
) -> list[WrittenFile]:
    """Return every file of the service. command: what it executes."""
    folder = _units_dir()
    shipped = folder / "user" if layout.is_user else folder
    files = [
        WrittenFile(layout.units / name, _with_command((shipped / name).read_text(), command))
        for name in (_USER if layout.is_user else _SYSTEM)
    ]
    files += [
        WrittenFile(
            layout.drop_ins / f"{name}.conf", (folder / _DROP_INS / f"{name}.conf").read_text()
        )
        for name in drop_ins
    ]
    for path, name in ((layout.sysusers, "sysusers"), (layout.tmpfiles, "tmpfiles")):
        if path is not None:
            files.append(WrittenFile(path, (folder / f"notifyd.{name}.conf").read_text()))
    return files


def example_config() -> str:
    """Return config.example.toml."""
    return _packaged("config.example.toml", "config.example.toml").read_text(encoding="utf-8")


def _units_dir() -> Path:
    return _packaged("units", "systemd")


def _packaged(name: str, in_checkout: str) -> Path:
    """Return a data file of the package; in a checkout it lies beside the package."""
    package = Path(notifyd.__file__).parent
    for path in (package / name, package.parent / in_checkout):
        if path.exists():
            return path
    raise ServiceError(f"{package / name} is missing; install notifyd again")


def _with_command(unit: str, command: Path) -> str:
    """Let a unit execute `command`; systemd splits at spaces and expands % and $."""
    escaped = str(command).replace("%", "%%").replace("$", "$$")
    if any(character in escaped for character in " \t'\"\\"):
        escaped = escaped.replace("\\", "\\\\").replace('"', '\\"')
        escaped = f'"{escaped}"'
    return unit.replace(f"ExecStart={_SHIPPED_COMMAND} ", f"ExecStart={escaped} ")
