"""Removing the service. Configuration, token and state stay."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from notifyd.service.layout import ServiceLayout
from notifyd.service.systemctl import Systemctl
from notifyd.service.units import drop_in_names, service_files
from notifyd.service.written_file import WrittenState

_UNITS = ("notifyd.socket", "notifyd.service")
_OURS = (WrittenState.CURRENT, WrittenState.OUTDATED)


def uninstall(layout: ServiceLayout, command: Path) -> Iterator[str]:
    """Stop the service, remove what was installed, and yield a line for each change.

    Files that others wrote or changed stay. OSError: a file cannot be removed.
    """
    files = service_files(layout, command, drop_in_names())
    states = {file.path: file.state() for file in files}
    ours = [path for path, state in states.items() if state in _OURS]
    systemctl = Systemctl(is_user=layout.is_user)
    if layout.units / "notifyd.service" in ours:
        systemctl.run("disable", "--quiet", "--now", *_UNITS)
        if not layout.is_user:
            systemctl.run("stop", "notifyd-token.path")
        yield "stopped notifyd.service"
    for path in ours:
        path.unlink()
        yield f"removed {path}"
    with suppress(OSError):  # it is missing, or holds drop-ins of others
        layout.drop_ins.rmdir()
    link = layout.command_link
    if link is not None and link.is_symlink() and link.readlink() == command:
        link.unlink()
        yield f"removed {link}"
    if ours:
        systemctl.run("daemon-reload")
    for path, state in states.items():
        if state in (WrittenState.FOREIGN, WrittenState.EDITED):
            yield f"kept {path}: it was written or changed by others"
