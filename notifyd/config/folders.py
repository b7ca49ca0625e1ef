"""Folders that the environment names, by systemd's and XDG's variables."""

from collections.abc import Mapping
from pathlib import Path


def first_folder(environ: Mapping[str, str], name: str) -> Path | None:
    """Read a folder from a variable: systemd may list several; a relative one does not count."""
    folder = environ.get(name, "").partition(":")[0]
    return Path(folder) if folder.startswith("/") else None


def user_state(environ: Mapping[str, str]) -> Path:
    """Give the folder of notifyd's state in the user's own place for such."""
    if given := first_folder(environ, "XDG_STATE_HOME"):
        return given / "notifyd"
    return (first_folder(environ, "HOME") or Path.home()) / ".local/state/notifyd"
